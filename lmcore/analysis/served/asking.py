"""Asking a server about a text without some of its words."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lmcore.analysis.attribution.games import Tree
from lmcore.analysis.served.targets import served_value, settled
from lmcore.data.stretches import phrase_places, sentence_places
from lmcore.errors import InputError, OptionError, ServerError
from lmcore.models.text_tokens import word_spans
from lmcore.types import Input, Target

# Sends texts and returns the server's answer; such as what `lmcore.serving.server_client` gives.
Client = Callable[[Sequence[Input]], Mapping[str, Any]]
Unit = tuple[str, str, int, int]

AT_ONCE = 64
NOTHING = "."
CUTS = {"word": word_spans, "phrase": phrase_places, "sentence": sentence_places}


class Asking:
    """Says what texts without some of their units are worth to a server; see `lmcore.analysis.attribution.games.Values`.

    Each text is asked about once. Nothing but texts goes to the server, so that what is taken away is left out of the text;
    of a column with nothing left a full stop is sent.

    Attributes:
        text: the text itself.
        units: column, words, first character and the one behind the last of each unit.
        target: what is explained.
        answer: what the server says to the text itself.
        asked: how many texts the server was asked about.
    """

    def __init__(
        self, client: Client, text: Input, unit: str, target: Target | str | None = None, against: str = ""
    ) -> None:
        """Ask about the text itself, and settle what is explained.

        Raises:
            InputError: the text has no words, or the answer has nothing that could be explained.
            OptionError: a server knows no such units.
            UnknownError: there is no such class.
            ServerError: the server did not answer as it should.
        """
        self._client, self._known = client, dict[str, Mapping[str, Any]]()
        self.text, self.asked = text, 0
        self._columns = {"text": text} if isinstance(text, str) else dict(text)
        self.units = _units(self._columns, unit)
        (self.answer,) = self._ask([text])
        self.target = settled(self.answer, target, against)
        self._words = read_column(text)[self.target.start : self.target.end]

    @property
    def version(self) -> str:
        """The model that answers."""
        return str(self.answer["version"])

    @property
    def tree(self) -> Tree:
        """The units in halves."""
        return _halves(tuple(range(len(self.units))))

    def __call__(self, numbers: np.ndarray, kept: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the target's value for each row of kept units, shape (1,)."""
        return [np.array([value]) for value in self.worth([self._without(row) for row in kept])]

    def worth(self, texts: Sequence[Input]) -> list[float]:
        """Return the target's value for texts.

        Raises:
            ServerError: the server did not answer as it should, or its model changed meanwhile.
        """
        found = []
        for start in range(0, len(texts), AT_ONCE):
            some = texts[start : start + AT_ONCE]
            for text, answer in zip(some, self._ask(some), strict=True):
                if str(answer["version"]) != self.version:
                    raise ServerError(
                        f"The server changed from {self.version} to {answer['version']} meanwhile: explain the text again."
                    )
                found.append(served_value(answer, self.target, self._words, read_column(text)))
        return found

    def _ask(self, texts: Sequence[Input]) -> list[Mapping[str, Any]]:
        keys = [json.dumps(text, ensure_ascii=False) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            answers = list(self._client(list(new.values())).get("predictions", ()))
            wrong = next((answer["error"] for answer in answers if "error" in answer), None)
            if wrong is not None or len(answers) != len(new):
                raise ServerError(f"The server could not predict a text: {wrong or 'it left some unanswered'}")
            self._known.update(zip(new, answers, strict=True))
            self.asked += len(new)
        return [self._known[key] for key in keys]

    def _without(self, kept: np.ndarray) -> Input:
        if kept.all():
            return self.text
        texts = {}
        for name, text in self._columns.items():
            pieces, place = [], 0
            for (column, _, start, end), stays in zip(self.units, kept, strict=True):
                if column == name and not stays:
                    pieces.append(text[place:start])
                    place = end
            rest = " ".join("".join([*pieces, text[place:]]).split())
            texts[name] = rest or NOTHING
        return texts["text"] if isinstance(self.text, str) else texts


def read_column(text: Input) -> str:
    """Return the text in which stretches stand: of a sentence with its translation the sentence, else the last one."""
    if isinstance(text, str):
        return text
    return text["source"] if {"source", "target"} <= set(text) else list(text.values())[-1]


def _units(columns: Mapping[str, str], kind: str) -> list[Unit]:
    """Return column, words, first character and the one after the last of each unit.

    Raises:
        OptionError: the unit is the token, which only the model itself knows.
        InputError: there is none.
    """
    if kind not in CUTS:
        raise OptionError(f"A server knows no {kind}s: take one of {', '.join(CUTS)} as the unit.")
    found = [
        (name, text[start:end].strip(), start, end)
        for name, text in columns.items()
        for start, end in CUTS[kind](text)
        if text[start:end].strip()
    ]
    if not found:
        raise InputError("The text has no words that could be taken away: give one with words.")
    return found


def _halves(units: tuple[int, ...]) -> Tree:
    if len(units) == 1:
        return Tree(units)
    middle = len(units) // 2
    return Tree(units, (_halves(units[:middle]), _halves(units[middle:])))
