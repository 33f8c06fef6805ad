"""What a search for counterfactuals found."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmcore.analysis.counterfactual.answers import said
from lmcore.analysis.counterfactual.edit import Edit
from lmcore.types import Input, Prediction


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """An input with edits made, and what the model says of it.

    Attributes:
        text: the edited input.
        edits: what was changed, in the order of the text.
        prediction: what the model says of it.
        flips: whether the answer is another one; with ``towards`` set, whether it is the wanted one.
        change: probability of the first answer now less before, -1 to 1; not-a-number where the model does not say it.
        words: words of the input that the edits touch.
        fluency: mean log probability of a token by a decoder, in nats, less that of the unchanged input; below 0 for a text
            that reads worse; not-a-number where no decoder was given.
    """

    text: Input
    edits: tuple[Edit, ...]
    prediction: Prediction
    flips: bool
    change: float
    words: int
    fluency: float = math.nan

    def said(self) -> str:
        """Return the edits in a few words."""
        return "; ".join(edit.said() for edit in self.edits)


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """What edits of an input make of the answer.

    Attributes:
        text: the input that was edited; its beginning alone, where the model reads no more.
        prediction: what the model says of it.
        tried: each single edit that was tried, those first that flip, then by how much they lower the first answer.
        minimal: the sets with the fewest edits that flip, the surest first; empty where none was found.
        exhausted: every set of up to so many of the candidates was tried: 0, 1 or 2.
        candidates: how many single edits there were.
        asked: texts that the model was given.
        calls: how often it was called.
        budget: the most texts that it might have been given.
        failed: edited texts that it could not work on.
        truncated: whether the input is longer than the model reads.
        parameters: every setting, with the edits' options.
        fingerprint: hash of the weights (where they are at hand), the input and the settings.
    """

    text: Input
    prediction: Prediction
    tried: tuple[Counterfactual, ...]
    minimal: tuple[Counterfactual, ...]
    exhausted: int
    candidates: int
    asked: int
    calls: int
    budget: int
    failed: int
    truncated: bool
    parameters: Mapping[str, Any]
    fingerprint: str

    @property
    def flips(self) -> tuple[Counterfactual, ...]:
        """The single edits that flip, then the sets of several."""
        several = tuple(item for item in self.minimal if len(item.edits) > 1)
        return (*(item for item in self.tried if item.flips), *several)

    @property
    def is_smallest(self) -> bool:
        """Whether no smaller set of the candidates can flip: all of them were tried."""
        return bool(self.minimal) and len(self.minimal[0].edits) <= self.exhausted + 1

    def verdict(self) -> str:
        """Say in a sentence what it takes to change the answer."""
        if not self.minimal:
            return f"No edit changed the answer; {self.asked:,} texts were asked."
        count = len(self.minimal[0].edits)
        edits = "One edit is" if count == 1 else f"{count} edits together are"
        if self.is_smallest:
            proof = "" if count == 1 else " Fewer are not: every smaller set of these edits was tried."
        else:
            proof = " Fewer may be: not every smaller set was tried."
        return f"{edits} enough to change the answer: {self.minimal[0].said()}.{proof}"

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each single edit and each minimal set of several."""
        several = [item for item in self.minimal if len(item.edits) > 1]
        return pd.DataFrame(
            [
                {
                    "flips": item.flips,
                    "edit": item.said(),
                    "kind": " + ".join(edit.kind for edit in item.edits),
                    "edits": len(item.edits),
                    "words": item.words,
                    "answer": said(item.prediction),
                    "change": item.change,
                    "fluency": item.fluency,
                    "text": _as_text(item.text),
                }
                for item in [*several, *self.tried]
            ],
            columns=["flips", "edit", "kind", "edits", "words", "answer", "change", "fluency", "text"],
        )


def _as_text(text: Input) -> str:
    return text if isinstance(text, str) else "\n".join(text.values())
