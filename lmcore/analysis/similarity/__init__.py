"""How alike the representations of two layers are, within a model and between two of them."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.analysis.similarity.cca import pwcca, svcca
    from lmcore.analysis.similarity.cka import debiased_cka, linear_cka, rbf_cka
    from lmcore.analysis.similarity.distances import rsa
    from lmcore.analysis.similarity.layers import layer_similarity
    from lmcore.analysis.similarity.methods import POOLING, SIMILARITY
    from lmcore.analysis.similarity.origin import trained_from
    from lmcore.analysis.similarity.result import LayerSimilarity
    from lmcore.analysis.similarity.rotation import procrustes

_EXPORTS = {
    "POOLING": "methods",
    "SIMILARITY": "methods",
    "LayerSimilarity": "result",
    "debiased_cka": "cka",
    "layer_similarity": "layers",
    "linear_cka": "cka",
    "procrustes": "rotation",
    "pwcca": "cca",
    "rbf_cka": "cka",
    "rsa": "distances",
    "svcca": "cca",
    "trained_from": "origin",
}

__all__ = [
    "POOLING",
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


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{__name__}.{_EXPORTS[name]}:{name}")
