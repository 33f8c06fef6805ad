"""What a test case can expect of an answer."""

from typing import Literal

from lmcore.errors import InputError

Expectation = Literal["stays", "changes", "is"]
EXPECTATIONS: dict[str, str] = {
    "stays": "the answer stays as it was",
    "changes": "the answer is another one",
    "is": "the answer is the label that is given",
}


def check_expectation(text: str) -> Expectation:
    """Return an expectation.

    Raises:
        InputError: it is none.
    """
    for known in ("stays", "changes", "is"):
        if text == known:
            return known
    raise InputError(f"The expectation is {text[:40]!r}: give one of {', '.join(EXPECTATIONS)}.")
