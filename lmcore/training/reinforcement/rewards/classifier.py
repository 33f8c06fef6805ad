"""The reward `classifier`: texts that a classifier of the workspace takes for a label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmcore.errors import OptionError
from lmcore.settings import Settings
from lmcore.training.reinforcement.rewards.settings import Reward, RewardSettings
from lmcore.types import ModelRef

if TYPE_CHECKING:
    from lmcore.models.load import LoadedModel

_TASK = "text-classification"


def classifier_reward(given: RewardSettings, settings: Settings) -> Reward:
    """Return a reward of the probability that a registered version gives to a label; a text without words gets 0.

    Raises:
        OptionError: no registered version is named, or it classifies no single texts, or does not know the label.
        InputError: there is no such version.
    """
    from lmcore.models.predict import predict_texts

    loaded = _load(given, settings)

    def reward(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        found = np.zeros(len(texts))
        said = [number for number, text in enumerate(texts) if text.strip()]
        if said:
            predictions = predict_texts(loaded, [texts[number] for number in said])
            found[said] = [prediction.probabilities[given.label] for prediction in predictions]
        return found

    return reward


def _load(given: RewardSettings, settings: Settings) -> "LoadedModel":
    """Load the version and check what it says.

    Raises:
        As `classifier_reward`.
    """
    from lmcore.models.load import load_model

    if not given.classifier or ModelRef.parse(given.classifier).kind != "registry":
        raise OptionError(
            f"The reward classifier needs a registered version, and {given.classifier!r} is none: name one such as "
            "models:/tone@champion."
        )
    loaded = load_model(given.classifier, device=settings.device, settings=settings)
    if loaded.task != _TASK:
        raise OptionError(f"{given.classifier} is for {loaded.task}: the reward needs a version for {_TASK}.")
    if given.label not in loaded.labels:
        raise OptionError(
            f"{given.classifier} does not know the label {given.label!r}: choose one of {', '.join(loaded.labels)}."
        )
    return loaded
