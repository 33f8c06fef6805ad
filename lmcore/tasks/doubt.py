"""How unsure a model is of a row, and how far two models are apart on it (Settles 2009): what is worth labelling first."""

from collections.abc import Mapping, Sequence

import numpy as np

from lmcore.tasks.base import Task
from lmcore.tasks.labelled import LabelTask
from lmcore.types import Prediction

MEASURES = {
    "least_confident": "Least confident",
    "margin": "Smallest margin",
    "entropy": "Highest entropy",
}


def doubt_measures(task: Task) -> tuple[str, ...]:
    """Return the measures that a task's predictions allow: all of them where every label has a probability."""
    return tuple(MEASURES) if isinstance(task, LabelTask) else ("least_confident",)


def doubt(task: Task, prediction: Prediction) -> dict[str, float]:
    """Return how unsure a model is by each of the task's measures, 0 (sure) to 1.

    ``least_confident`` is one less the probability of what was predicted; ``margin`` is one less the lead of the best
    class over the second; ``entropy`` is that of the classes over the largest possible. Where labels do not exclude each
    other each is a choice of its own: the margin is that of the closest one, the entropy their mean.
    """
    found = {"least_confident": 1 - prediction.score}
    if not isinstance(task, LabelTask):
        return found
    p = np.array(list(prediction.probabilities.values()), dtype=float)
    if task.exclusive:
        first, second = np.sort(p)[::-1][:2] if len(p) > 1 else (1.0, 0.0)
        return found | {"margin": float(1 - (first - second)), "entropy": _entropy(p) / max(np.log(len(p)), 1e-12)}
    pairs = np.stack([p, 1 - p], axis=1)
    leads = np.abs(2 * p - 1)
    return found | {
        "margin": float(1 - leads.min(initial=1.0)),
        "entropy": float(np.mean([_entropy(pair) for pair in pairs]) / np.log(2)) if len(p) else 0.0,
    }


def disagreement(task: Task, first: Prediction, second: Prediction) -> float:
    """Return how far two models are apart on a row, 0 (they say the same) to 1.

    Where labels have probabilities it is the Jensen-Shannon divergence in bits, which is the mean divergence from the
    consensus (McCallum & Nigam 1998), of labels that do not exclude each other their mean. Of stretches it is one less
    the F1 of one model's against the other's, averaged with whether they say another class; else whether they differ.
    """
    if isinstance(task, LabelTask):
        return _label_divergence(first.probabilities, second.probabilities, exclusive=task.exclusive)
    parts = [float(first.label != second.label)] if first.label or second.label else []
    a, b = ({(s.start, s.end, s.label) for s in said.spans} for said in (first, second))
    if a or b:
        parts.append(1 - 2 * len(a & b) / (len(a) + len(b)))
    if not parts:
        return float(first.text != second.text)
    return sum(parts) / len(parts)


def _label_divergence(first: Mapping[str, float], second: Mapping[str, float], *, exclusive: bool) -> float:
    names = sorted({*first, *second})
    p, q = (np.array([given.get(name, 0.0) for name in names]) for given in (first, second))
    if exclusive:
        return _divergence(p, q)
    each = [_divergence(np.array([a, 1 - a]), np.array([b, 1 - b])) for a, b in zip(p, q, strict=True)]
    return float(np.mean(each)) if each else 0.0


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits."""
    value = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return float(min(max(value / np.log(2), 0.0), 1.0))


def _entropy(p: Sequence[float] | np.ndarray) -> float:
    """Return the entropy of a distribution in nats."""
    kept = np.asarray(p, dtype=float)
    kept = kept[kept > 0]
    return float(-(kept * np.log(kept)).sum())
