from collections.abc import Callable, Mapping

import numpy as np
import pytest

from lmcore.errors import Cancelled


class Recorder:
    """A report that keeps the fractions it is told and, where asked to, stops at a given check."""

    def __init__(self, stop_at: int = 0) -> None:
        self.fractions: list[float] = []
        self._checks = 0
        self._stop_at = stop_at

    def progress(self, fraction: float, message: str = "") -> None:
        self.fractions.append(fraction)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        pytest.fail("neither projections nor outliers have metrics")

    def check(self) -> None:
        self._checks += 1
        if self._checks == self._stop_at:
            raise Cancelled("stop")


@pytest.fixture
def recorder() -> Callable[..., Recorder]:
    return Recorder


@pytest.fixture(scope="session")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    """Two clusters of 40 rows in 16 features, far apart; and which row is in which."""
    rng = np.random.default_rng(0)
    member = np.arange(80) % 2
    x = rng.normal(size=(80, 16)) + 20.0 * member[:, None]
    return x.astype(np.float32), member
