"""The reward of a run: one or two of the registry's, weighted, and what policies get of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lmcore.errors import OptionError
from lmcore.settings import Settings
from lmcore.tasks.resampling import mean_intervals
from lmcore.training.config import NO_REWARD, TrainConfig
from lmcore.training.reinforcement.rewards import REWARDS
from lmcore.training.reinforcement.rewards.settings import Reward, RewardSettings
from lmcore.types import Part, Report, Silent

if TYPE_CHECKING:
    from lmcore.models.load import LoadedModel
    from lmcore.tasks.prompting import Prompts

JUDGED_ROWS = 200
BEFORE, AFTER, DIFFERENCE = "before", "after", "difference"


@dataclass(frozen=True, eq=False)
class WeightedReward:
    """The weighted mean of some rewards, 0 to 1.

    Attributes:
        parts: the rewards by their names.
        weights: how much each counts; they add up to 1.
    """

    parts: dict[str, Reward]
    weights: tuple[float, ...]

    def score(self, texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """Return the reward of each text, float64 of shape (texts,)."""
        found = [part(texts, references) * w for part, w in zip(self.parts.values(), self.weights, strict=True)]
        return np.asarray(np.sum(found, axis=0))


def load_reward(config: TrainConfig, settings: Settings) -> WeightedReward:
    """Return what a run rewards.

    Raises:
        OptionError: a reward lacks what it needs, or both are the same.
        InputError: there is no such classifier.
    """
    names = [config.reward] if config.second_reward == NO_REWARD else [config.reward, config.second_reward]
    if len(set(names)) < len(names):
        raise OptionError(f"Both rewards are {config.reward}: choose another second one, or {NO_REWARD}.")
    given = RewardSettings(config.words, config.pattern, config.classifier, config.label)
    weights = [1.0, config.second_weight][: len(names)]
    parts = {name: REWARDS[name].load()(given, settings) for name in names}
    return WeightedReward(parts, tuple(weight / sum(weights) for weight in weights))


def write_sampled(
    loaded: "LoadedModel", prompts: "Prompts", config: TrainConfig, report: Report | None = None
) -> list[str]:
    """Write one text from each prompt as training samples them; the same weights and seed give the same texts.

    Raises:
        Cancelled: the report asked to stop.
    """
    from lmcore.models.decoding import Decoding
    from lmcore.models.generate import write_texts

    decoding = Decoding(sample=True, temperature=config.temperature, max_new_tokens=config.new_tokens, seed=config.seed)
    written = write_texts(loaded, prompts.encodings, decoding, batch_size=config.batch_size, report=report)
    return [item.text for item in written]


def judged_rows(frame: pd.DataFrame, most: int = JUDGED_ROWS) -> pd.DataFrame:
    """Return up to so many rows, evenly spread."""
    rows = np.unique(np.linspace(0, len(frame) - 1, min(most, len(frame))).astype(int))
    return frame.iloc[rows].reset_index(drop=True)


def compare_policies(
    before: "LoadedModel",
    after: "LoadedModel",
    prompts: "Prompts",
    ids: Sequence[int],
    reward: WeightedReward,
    config: TrainConfig,
    report: Report | None = None,
) -> dict[str, pd.DataFrame]:
    """Return what two models write from the same prompts, and the mean reward of each with 95 % bootstrap intervals.

    Both sample with the same settings and seed. The difference is that of each row (a paired bootstrap), after minus before:
    above 0 where training helped.

    Returns:
        ``rewards``: ``model`` (before, after, difference), ``value``, ``low``, ``high``, ``rows``; ``completions``: ``id``,
        ``prompt``, ``before``, ``after``, ``reward_before``, ``reward_after``.
    """
    report = report or Silent()
    texts = [
        write_sampled(before, prompts, config, Part(report, 0.0, 0.5)),
        write_sampled(after, prompts, config, Part(report, 0.5, 1.0)),
    ]
    scores = np.stack([reward.score(written, prompts.references) for written in texts], axis=1)
    values = np.column_stack([scores, scores[:, 1] - scores[:, 0]])
    low, high = mean_intervals(values, seed=config.seed)
    rewards = pd.DataFrame(
        {
            "model": [BEFORE, AFTER, DIFFERENCE],
            "value": values.mean(axis=0),
            "low": low,
            "high": high,
            "rows": len(values),
        }
    )
    completions = pd.DataFrame(
        {
            "id": list(ids),
            "prompt": prompts.sources,
            BEFORE: texts[0],
            AFTER: texts[1],
            "reward_before": scores[:, 0],
            "reward_after": scores[:, 1],
        }
    )
    return {"rewards": rewards, "completions": completions}


def reward_verdict(rewards: pd.DataFrame) -> str:
    """Say in a sentence what training did to the mean reward, from the table that `compare_policies` makes."""
    known = {str(row["model"]): row for row in rewards.to_dict("records")}
    change = known[DIFFERENCE]
    clear = change["low"] > 0 or change["high"] < 0
    verb = ("rose" if change["value"] > 0 else "fell") if clear else "did not clearly change"
    return (
        f"The mean reward on {change['rows']} rows that the model did not learn from {verb}: "
        f"{known[BEFORE]['value']:.3f} before, {known[AFTER]['value']:.3f} after (difference {change['value']:+.3f}, 95 % "
        f"interval {change['low']:+.3f} to {change['high']:+.3f})."
    )
