"""Training, evaluating and keeping models."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.training.beside import Beside, set_beside
    from lmcore.training.card import model_card
    from lmcore.training.comparison import Comparison, compare
    from lmcore.training.compression.config import CompressConfig
    from lmcore.training.compression.run import CompressResult, compress
    from lmcore.training.config import TrainConfig
    from lmcore.training.continual.forgetting import Forgetting, forgetting_of, measure_forgetting
    from lmcore.training.continual.lineage import continued_config
    from lmcore.training.curve import LearningCurve, learning_curve
    from lmcore.training.estimate import Estimate, estimate_training
    from lmcore.training.evaluation import Evaluation, evaluate
    from lmcore.training.fit import TrainResult, train
    from lmcore.training.ranking import Ranking, rank_rows
    from lmcore.training.slices import SliceReport, measure_slices
    from lmcore.training.temperature import calibrate
    from lmcore.training.tuning.config import SearchConfig
    from lmcore.training.tuning.importance import Importance, setting_importance
    from lmcore.training.tuning.result import SearchResult
    from lmcore.training.tuning.run import search
    from lmcore.training.tuning.space import Choices, Range

_EXPORTS = {
    "Beside": "lmcore.training.beside",
    "Choices": "lmcore.training.tuning.space",
    "Comparison": "lmcore.training.comparison",
    "CompressConfig": "lmcore.training.compression.config",
    "CompressResult": "lmcore.training.compression.run",
    "Estimate": "lmcore.training.estimate",
    "Evaluation": "lmcore.training.evaluation",
    "Forgetting": "lmcore.training.continual.forgetting",
    "Importance": "lmcore.training.tuning.importance",
    "LearningCurve": "lmcore.training.curve",
    "Range": "lmcore.training.tuning.space",
    "Ranking": "lmcore.training.ranking",
    "SearchConfig": "lmcore.training.tuning.config",
    "SearchResult": "lmcore.training.tuning.result",
    "SliceReport": "lmcore.training.slices",
    "TrainConfig": "lmcore.training.config",
    "TrainResult": "lmcore.training.fit",
    "calibrate": "lmcore.training.temperature",
    "compare": "lmcore.training.comparison",
    "compress": "lmcore.training.compression.run",
    "continued_config": "lmcore.training.continual.lineage",
    "estimate_training": "lmcore.training.estimate",
    "evaluate": "lmcore.training.evaluation",
    "forgetting_of": "lmcore.training.continual.forgetting",
    "learning_curve": "lmcore.training.curve",
    "measure_forgetting": "lmcore.training.continual.forgetting",
    "measure_slices": "lmcore.training.slices",
    "model_card": "lmcore.training.card",
    "rank_rows": "lmcore.training.ranking",
    "search": "lmcore.training.tuning.run",
    "set_beside": "lmcore.training.beside",
    "setting_importance": "lmcore.training.tuning.importance",
    "train": "lmcore.training.fit",
}

__all__ = [
    "Beside",
    "Choices",
    "Comparison",
    "CompressConfig",
    "CompressResult",
    "Estimate",
    "Evaluation",
    "Forgetting",
    "Importance",
    "LearningCurve",
    "Range",
    "Ranking",
    "SearchConfig",
    "SearchResult",
    "SliceReport",
    "TrainConfig",
    "TrainResult",
    "calibrate",
    "compare",
    "compress",
    "continued_config",
    "estimate_training",
    "evaluate",
    "forgetting_of",
    "learning_curve",
    "measure_forgetting",
    "measure_slices",
    "model_card",
    "rank_rows",
    "search",
    "set_beside",
    "setting_importance",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
