"""How alike the representations of two layers are, within a model and between two of them."""

from lmcore.analysis.similarity.cca import pwcca, svcca
from lmcore.analysis.similarity.cka import debiased_cka, linear_cka, rbf_cka
from lmcore.analysis.similarity.distances import rsa
from lmcore.analysis.similarity.layers import layer_similarity
from lmcore.analysis.similarity.methods import SIMILARITY
from lmcore.analysis.similarity.origin import trained_from
from lmcore.analysis.similarity.result import LayerSimilarity
from lmcore.analysis.similarity.rotation import procrustes

__all__ = [
    "SIMILARITY",
    "LayerSimilarity",
    "debiased_cka",
    "layer_similarity",
    "linear_cka",
    "procrustes",
    "pwcca",
    "rbf_cka",
    "rsa",
    "svcca",
    "trained_from",
]
