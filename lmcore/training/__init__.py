"""Training, evaluating and keeping models."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.training.card import model_card
    from lmcore.training.comparison import Comparison, compare
    from lmcore.training.config import TrainConfig
    from lmcore.training.curve import LearningCurve, learning_curve
    from lmcore.training.estimate import Estimate, estimate_training
    from lmcore.training.evaluation import Evaluation, evaluate
    from lmcore.training.fit import TrainResult, train
    from lmcore.training.importance import Importance, setting_importance
    from lmcore.training.searched import SearchResult
    from lmcore.training.searching import SearchConfig
    from lmcore.training.slices import SliceReport, measure_slices
    from lmcore.training.space import Choices, Range
    from lmcore.training.temperature import calibrate
    from lmcore.training.tuning import search

_EXPORTS = {
    "Choices": "lmcore.training.space",
    "Comparison": "lmcore.training.comparison",
    "Estimate": "lmcore.training.estimate",
    "Evaluation": "lmcore.training.evaluation",
    "Importance": "lmcore.training.importance",
    "LearningCurve": "lmcore.training.curve",
    "Range": "lmcore.training.space",
    "SearchConfig": "lmcore.training.searching",
    "SearchResult": "lmcore.training.searched",
    "SliceReport": "lmcore.training.slices",
    "TrainConfig": "lmcore.training.config",
    "TrainResult": "lmcore.training.fit",
    "calibrate": "lmcore.training.temperature",
    "compare": "lmcore.training.comparison",
    "estimate_training": "lmcore.training.estimate",
    "evaluate": "lmcore.training.evaluation",
    "learning_curve": "lmcore.training.curve",
    "measure_slices": "lmcore.training.slices",
    "model_card": "lmcore.training.card",
    "search": "lmcore.training.tuning",
    "setting_importance": "lmcore.training.importance",
    "train": "lmcore.training.fit",
}

__all__ = [
    "Choices",
    "Comparison",
    "Estimate",
    "Evaluation",
    "Importance",
    "LearningCurve",
    "Range",
    "SearchConfig",
    "SearchResult",
    "SliceReport",
    "TrainConfig",
    "TrainResult",
    "calibrate",
    "compare",
    "estimate_training",
    "evaluate",
    "learning_curve",
    "measure_slices",
    "model_card",
    "search",
    "setting_importance",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
