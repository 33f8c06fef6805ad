"""The rewards `bleu` and `rouge`: texts that share words with the reference."""

from collections.abc import Sequence

import numpy as np

from lmcore.data.text import is_chinese
from lmcore.settings import Settings
from lmcore.training.reinforcement.rewards.settings import Reward, RewardSettings


def bleu_reward(given: RewardSettings, settings: Settings) -> Reward:
    """Return a reward of sacrebleu's sentence BLEU (Papineni et al. 2002) divided by 100.

    Orders of n-grams that a short text cannot have are left out (sacrebleu's effective order), and orders without a match are
    smoothed: without either nearly every short text would get 0. Chinese references are compared by character.
    """
    from sacrebleu.metrics import BLEU

    metrics = {
        chinese: BLEU(tokenize="zh" if chinese else "13a", effective_order=True, force=True)
        for chinese in (True, False)
    }

    def reward(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        scores = [
            metrics[is_chinese(reference)].sentence_score(text, [reference]).score
            for text, reference in zip(texts, references, strict=True)
        ]
        return np.clip(np.array(scores, dtype=np.float64) / 100, 0.0, 1.0)

    return reward


def rouge_reward(given: RewardSettings, settings: Settings) -> Reward:
    """Return a reward of the F1 of ROUGE-L (Lin 2004), cut into words as the metric of summarisation cuts them."""
    from lmcore.tasks.overlap import rouge

    def reward(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        return rouge(texts, references)["rouge_l"].each if texts else np.zeros(0)

    return reward
