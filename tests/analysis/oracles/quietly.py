"""Other libraries that do the same, as oracles: each is used where it is installed."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def quiet() -> Iterator[None]:
    """Let another library warn of its own affairs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def oracle(name: str) -> Any:
    """Return a library, or skip the test where it is not installed."""
    with quiet():
        return pytest.importorskip(name, exc_type=ImportError)
