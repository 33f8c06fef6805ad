"""Models: naming, loading, keeping them in memory, encoding text and running them."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.models.catalogue import ModelChoice, list_models, resolve_model
    from lmcore.models.load import LoadedModel, load_model
    from lmcore.models.pool import ModelPool
    from lmcore.models.predict import predict_texts
    from lmcore.models.registry import ModelRegistry, ModelVersion

_EXPORTS = {
    "LoadedModel": "lmcore.models.load",
    "ModelChoice": "lmcore.models.catalogue",
    "ModelPool": "lmcore.models.pool",
    "ModelRegistry": "lmcore.models.registry",
    "ModelVersion": "lmcore.models.registry",
    "list_models": "lmcore.models.catalogue",
    "load_model": "lmcore.models.load",
    "predict_texts": "lmcore.models.predict",
    "resolve_model": "lmcore.models.catalogue",
}

__all__ = [
    "LoadedModel",
    "ModelChoice",
    "ModelPool",
    "ModelRegistry",
    "ModelVersion",
    "list_models",
    "load_model",
    "predict_texts",
    "resolve_model",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
