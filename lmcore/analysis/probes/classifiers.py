"""The probes: small classifiers on frozen vectors."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from lmcore.models.linear import fit_linear

Logits = Callable[[np.ndarray], np.ndarray]
STEPS, FEWEST_EPOCHS = 400, 20
BATCH = 200


class Fit(Protocol):
    """Fits a probe to vectors (examples, features) whose classes run from 0 on without a gap, two at least."""

    def __call__(self, x: np.ndarray, y: np.ndarray, *, seed: int) -> Logits:
        """Return a function from vectors to logits of shape (examples, classes)."""
        ...


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe.

    Attributes:
        present: the classes that it learnt, as indices into all of them.
        classes: how many there are altogether.
        logits: from vectors to logits of the present classes; None where there is but one.
    """

    present: np.ndarray
    classes: int
    logits: Logits | None

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the most probable class of each vector, int64 of shape (examples,)."""
        if self.logits is None:
            return np.full(len(x), self.present[0], dtype=np.int64)
        found: np.ndarray = self.present[self.logits(x).argmax(axis=1)]
        return found

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the natural logarithms of the probabilities of all classes, float64 of shape (examples, classes).

        A class that was not learnt has the logarithm of 0.
        """
        from scipy.special import log_softmax

        found = np.full((len(x), self.classes), -np.inf)
        found[:, self.present] = 0.0 if self.logits is None else log_softmax(self.logits(x).astype(float), axis=1)
        return found


def fit_probe(fit: Fit, x: np.ndarray, y: np.ndarray, classes: int, *, seed: int) -> Probe:
    """Fit a probe to the classes that occur.

    Args:
        fit: the kind of probe.
        x: vectors, shape (examples, features), one at least.
        y: classes from 0 to below ``classes``, shape (examples,).
        classes: how many there are; some may not occur.
        seed: of the fit.

    Raises:
        InputError: a vector is not finite.
    """
    present, numbered = np.unique(y, return_inverse=True)
    logits = fit(x, numbered, seed=seed) if len(present) > 1 else None
    return Probe(present, classes, logits)


def linear(*, strength: float) -> Fit:
    """Return the linear probe (Alain & Bengio 2016): a logistic regression on standardised features."""
    return partial(_fit_linear, strength=strength)


def mlp(*, strength: float, hidden: int) -> Fit:
    """Return the probe with one hidden layer of rectified units on standardised features."""
    return partial(_fit_mlp, strength=strength, hidden=hidden)


def _fit_linear(x: np.ndarray, y: np.ndarray, *, seed: int, strength: float) -> Logits:
    return fit_linear(x, y, seed=seed, C=strength).logits


def _fit_mlp(x: np.ndarray, y: np.ndarray, *, seed: int, strength: float, hidden: int) -> Logits:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x.astype(np.float64))
    batch = min(BATCH, len(x))
    # scikit-learn divides its penalty by the examples of a step: so that it means what it does for the linear probe
    # (1 / (2 C) beside the sum of the losses), it is scaled by the share of the examples that a step has.
    model = MLPClassifier(
        (hidden,), alpha=batch / len(x) / strength, batch_size=batch, learning_rate_init=0.003,
        max_iter=max(FEWEST_EPOCHS, STEPS * batch // len(x)), random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is a part of the method
        model.fit(scaler.transform(x.astype(np.float64)), y)

    def logits(vectors: np.ndarray) -> np.ndarray:
        inner = np.maximum(scaler.transform(vectors.astype(np.float64)) @ model.coefs_[0] + model.intercepts_[0], 0)
        outer: np.ndarray = inner @ model.coefs_[1] + model.intercepts_[1]
        return np.hstack([-outer / 2, outer / 2]) if outer.shape[1] == 1 else outer

    return logits
