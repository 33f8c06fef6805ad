"""CKA over any number of texts: unbiased HSIC summed over batches (Nguyen et al. 2021)."""

from collections.abc import Callable, Sequence

import numpy as np

from lmcore.analysis.similarity.examples import as_rows
from lmcore.analysis.similarity.pairs import Kernel, linear_kernel, packed, rbf_kernel, shuffled_places, u_centred

Fit = Callable[[np.ndarray], Kernel]
SMALLEST = 8


def kernel_fit(threshold: float | None) -> Fit:
    """Return what makes a kernel from the rows of the first batch: a linear one, or a Gaussian one with a threshold."""
    if threshold is None:
        return linear_kernel
    return lambda rows: rbf_kernel(rows, threshold)


def even_batches(count: int, most: int, seed: int) -> list[np.ndarray]:
    """Cut examples into batches at random, so that each of them is a fair sample.

    Args:
        count: how many examples.
        most: in a batch, from 8 on; the batches' sizes differ by at most one, so that none is too small for HSIC.
        seed: of the order; one batch keeps the examples' own.
    """
    batches = -(-count // most)
    order = np.random.default_rng(seed).permutation(count) if batches > 1 else np.arange(count)
    return np.array_split(order, batches)


class Sides:
    """The kernels of all layers of one model, in units and widths that the first batch sets."""

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._kernels: list[Kernel] = []

    def values(self, vectors: np.ndarray) -> np.ndarray:
        """Return the U-centred kernels of one batch.

        Args:
            vectors: shape (layers, examples, features).

        Returns:
            float64 of shape (layers, pairs).
        """
        layers = [as_rows(rows) for rows in vectors]
        if not self._kernels:
            self._kernels = [self._fit(rows) for rows in layers]
        kernels = (kernel(rows) for kernel, rows in zip(self._kernels, layers, strict=True))
        return np.stack([packed(u_centred(kernel)).values for kernel in kernels])


class BatchedCka:
    """Adds up unbiased HSIC batch by batch; what it keeps does not grow with the number of examples.

    With one batch that holds all examples it is the debiased CKA of them. With more, each HSIC is still estimated without bias,
    since each batch is a random sample; a Gaussian kernel keeps the width that suits the first batch.

    Args:
        fit: makes the kernels; see `kernel_fit`.
        seed: of the shuffles behind `chance`.
    """

    def __init__(self, fit: Fit, *, seed: int = 0) -> None:
        self._first, self._second = Sides(fit), Sides(fit)
        self._random = np.random.default_rng(seed)
        self._sums: list[np.ndarray] = []

    def add(self, first: np.ndarray, second: np.ndarray | None = None) -> None:
        """Take in one batch.

        Args:
            first: shape (layers, examples, features), at least 4 examples.
            second: the other model's, shape (other layers, examples, other features); None within one model.
        """
        one = self._first.values(first)
        two = one if second is None else self._second.values(second)
        count = first.shape[1]
        shuffled = two[:, shuffled_places(self._random.permutation(count))]
        shared = min(len(one), len(two))
        terms = (
            one @ two.T,
            np.square(one).sum(axis=1),
            np.square(two).sum(axis=1),
            np.einsum("lp,lp->l", one[:shared], shuffled[:shared]),
        )
        scaled = [term / (count * (count - 3)) for term in terms]
        self._sums = [a + b for a, b in zip(self._sums, scaled, strict=True)] if self._sums else scaled

    def matrix(self) -> np.ndarray:
        """Return the CKA of every pair of layers, -1 to 1, and 0 where a layer treats all texts alike."""
        both, first, second, _ = self._sums
        return _ratio(both, np.sqrt(np.outer(first, second)))

    def chance(self) -> np.ndarray:
        """Return the CKA of layers with the same number after one side's examples were shuffled, shape (shared layers,)."""
        _, first, second, shuffled = self._sums
        return _ratio(shuffled, np.sqrt(first[: len(shuffled)] * second[: len(shuffled)]))

    def constant(self) -> tuple[list[int], list[int]]:
        """Return each side's layers that treat all texts alike."""
        _, first, second, _ = self._sums
        return _zeros(first), _zeros(second)


def _ratio(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    found = np.divide(values, scales, out=np.zeros_like(values), where=scales > 0)
    clipped: np.ndarray = np.clip(found, -1.0, 1.0)
    return clipped


def _zeros(values: Sequence[float] | np.ndarray) -> list[int]:
    return [int(layer) for layer in np.flatnonzero(np.asarray(values) == 0)]
