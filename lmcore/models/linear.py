"""A linear classifier on vectors: what the probe fits at each layer and what the training method `head` keeps."""

from dataclasses import dataclass

import numpy as np

from lmcore.errors import InputError

MAX_ITERATIONS = 2000


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted classifier: ``logits = x @ weight.T + bias``, and their softmax gives the probabilities.

    Attributes:
        weight: float32 of shape (classes, features), in the units of the features as they were given.
        bias: float32 of shape (classes,).
    """

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return the raw outputs, float32 of shape (examples, classes)."""
        outputs: np.ndarray = np.asarray(x, dtype=np.float32) @ self.weight.T + self.bias
        return outputs

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return class indices, int64 of shape (examples,)."""
        best: np.ndarray = self.logits(x).argmax(axis=1)
        return best


def fit_linear(x: np.ndarray, y: np.ndarray, *, seed: int, C: float) -> LinearFit:
    """Fit a logistic regression (multinomial for more than two classes) with an L2 penalty.

    Features are standardised for the fit, so that one penalty suits layers of any scale; the standardisation is then
    folded into weight and bias. Two classes get the weights of the one decision, halved, with opposite signs.

    Args:
        x: finite floats of shape (examples, features).
        y: class indices of shape (examples,): every class from 0 to the largest occurs.
        seed: kept for solvers that draw at random; the ones used here do not.
        C: inverse strength of the penalty on the standardised weights, above 0; smaller is stronger.

    Raises:
        InputError: the shapes do not match, a value is not finite, or a class has no example.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = np.asarray(x), np.asarray(y)
    classes = _check(x, y, C)
    scaler = StandardScaler()
    standard = scaler.fit_transform(x.astype(np.float64))
    # Newton's method is several times faster for one decision; its Hessian grows with the square of the classes.
    solver = "newton-cholesky" if classes == 2 and x.shape[1] <= len(x) else "lbfgs"
    model = LogisticRegression(C=C, solver=solver, max_iter=MAX_ITERATIONS, random_state=seed).fit(standard, y)
    weight, bias = model.coef_, model.intercept_
    if classes == 2:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    return LinearFit(weight.astype(np.float32), bias.astype(np.float32))


def fit_linear_labels(x: np.ndarray, y: np.ndarray, *, seed: int, C: float) -> LinearFit:
    """Fit one logistic regression for each label, with an L2 penalty; the sigmoid of a logit is its probability.

    A label that no example has, or every one, gets the constant log-odds of half an example to the contrary.

    Args:
        x: finite floats of shape (examples, features).
        y: whether an example has a label, bool of shape (examples, labels).
        seed: kept for solvers that draw at random; the ones used here do not.
        C: inverse strength of the penalty on the standardised weights, above 0; smaller is stronger.

    Raises:
        InputError: the shapes do not match, or a value is not finite.
    """
    weight = np.zeros((y.shape[1], x.shape[1]), dtype=np.float32)
    bias = np.zeros(y.shape[1], dtype=np.float32)
    for number, has in enumerate(np.asarray(y, dtype=bool).T):
        if 0 < has.sum() < len(has):
            fit = fit_linear(x, has.astype(np.int64), seed=seed, C=C)
            weight[number], bias[number] = fit.weight[1] - fit.weight[0], fit.bias[1] - fit.bias[0]
        else:
            bias[number] = np.log((has.sum() + 0.5) / (len(has) - has.sum() + 0.5))
    return LinearFit(weight, bias)


def _check(x: np.ndarray, y: np.ndarray, C: float) -> int:
    """Return the number of classes."""
    if x.ndim != 2 or y.shape != (len(x),) or not len(x):
        raise InputError(
            f"The vectors have the shape {x.shape} and the classes {y.shape}: give (examples, features) and "
            "(examples,)."
        )
    if not np.isfinite(x).all():
        raise InputError("A vector holds a value that is not finite: the model's weights or its precision are damaged.")
    if not C > 0:
        raise InputError(f"C is {C}: give a number above 0.")
    counts = np.bincount(y)
    if len(counts) < 2 or not counts.all():
        raise InputError("Every class needs at least one example, and there must be two classes or more.")
    return len(counts)
