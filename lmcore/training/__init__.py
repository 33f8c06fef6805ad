"""Training, evaluating and keeping models."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.training.card import model_card
    from lmcore.training.comparison import Comparison, compare
    from lmcore.training.compression.config import CompressConfig
    from lmcore.training.compression.run import CompressResult, compress
    from lmcore.training.config import TrainConfig
    from lmcore.training.curve import LearningCurve, learning_curve
    from lmcore.training.estimate import Estimate, estimate_training
    from lmcore.training.evaluation import Evaluation, evaluate
    from lmcore.training.fit import TrainResult, train
    from lmcore.training.slices import SliceReport, measure_slices
    from lmcore.training.temperature import calibrate

_EXPORTS = {
    "Comparison": "lmcore.training.comparison",
    "CompressConfig": "lmcore.training.compression.config",
    "CompressResult": "lmcore.training.compression.run",
    "Estimate": "lmcore.training.estimate",
    "Evaluation": "lmcore.training.evaluation",
    "LearningCurve": "lmcore.training.curve",
    "SliceReport": "lmcore.training.slices",
    "TrainConfig": "lmcore.training.config",
    "TrainResult": "lmcore.training.fit",
    "calibrate": "lmcore.training.temperature",
    "compare": "lmcore.training.comparison",
    "compress": "lmcore.training.compression.run",
    "estimate_training": "lmcore.training.estimate",
    "evaluate": "lmcore.training.evaluation",
    "learning_curve": "lmcore.training.curve",
    "measure_slices": "lmcore.training.slices",
    "model_card": "lmcore.training.card",
    "train": "lmcore.training.fit",
}

__all__ = [
    "Comparison",
    "CompressConfig",
    "CompressResult",
    "Estimate",
    "Evaluation",
    "LearningCurve",
    "SliceReport",
    "TrainConfig",
    "TrainResult",
    "calibrate",
    "compare",
    "compress",
    "estimate_training",
    "evaluate",
    "learning_curve",
    "measure_slices",
    "model_card",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
