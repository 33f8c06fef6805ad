"""What is said of exceptions."""

import errno

import pytest

from lmcore.errors import DataError
from lmcore.jobs.failure import explain


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DataError("The column 'text' is empty."), "The column 'text' is empty."),
        (MemoryError(), "memory ran out"),
        (OutOfMemoryError("CUDA"), "memory ran out"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory ran out"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (RuntimeError("Error while serializing: No space left on device (os error 28)"), "disk is full"),
        (RuntimeError("the secret text of a user"), "an unexpected RuntimeError: its log"),
        (SystemExit(3), "an unexpected SystemExit: its log"),
    ],
)
def test_each_kind_has_its_sentence(error, sentence):
    said = explain(error)
    assert sentence in said
    assert said.endswith(".")
    assert "secret" not in said
