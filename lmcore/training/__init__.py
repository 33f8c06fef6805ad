"""Training, evaluating and keeping models."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.training.config import TrainConfig
    from lmcore.training.estimate import Estimate, estimate_training
    from lmcore.training.evaluation import Evaluation, evaluate
    from lmcore.training.fit import TrainResult, train

_EXPORTS = {
    "Estimate": "lmcore.training.estimate",
    "Evaluation": "lmcore.training.evaluation",
    "TrainConfig": "lmcore.training.config",
    "TrainResult": "lmcore.training.fit",
    "estimate_training": "lmcore.training.estimate",
    "evaluate": "lmcore.training.evaluation",
    "train": "lmcore.training.fit",
}

__all__ = ["Estimate", "Evaluation", "TrainConfig", "TrainResult", "estimate_training", "evaluate", "train"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
