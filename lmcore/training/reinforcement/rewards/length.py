"""The reward `length`: texts of a wanted number of words."""

from collections.abc import Sequence

import numpy as np

from lmcore.data.text import words
from lmcore.settings import Settings
from lmcore.training.reinforcement.rewards.settings import Reward, RewardSettings


def length_reward(given: RewardSettings, settings: Settings) -> Reward:
    """Return a reward of min(n, wanted) / max(n, wanted) for a text of n words; Chinese is cut into words by dictionary."""
    wanted = given.words

    def reward(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        counts = np.array([len(words(text)) for text in texts], dtype=np.float64)
        return np.asarray(np.minimum(counts, wanted) / np.maximum(counts, wanted))

    return reward
