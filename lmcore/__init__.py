"""LMScope's engine: data, training, analysis, projection and serving of language models.

Importing this package is cheap: no submodule pulls in torch, transformers, umap or streamlit until one of its
functions needs them.
"""

__version__ = "0.1.0"
