"""Links between the words of two sentences, as files write them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lmcore.errors import DataError, InputError

_LINK = re.compile(r"(\d+)([-p])(\d+)")
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
_WORD = re.compile(rf"{_HAN}|[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_")
_CELL = re.compile(rf"{_HAN}|(?:(?!{_HAN})\S)+")

Link = tuple[int, int]
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Links:
    """Which words belong together.

    Attributes:
        sure: pairs of places, source and target, that every reader links.
        possible: the same and those that some readers link.
    """

    sure: frozenset[Link]
    possible: frozenset[Link]


def read_links(text: str, *, first: int = 0) -> Links:
    """Read links of the form ``0-0 1-2 3p4``: with ``-`` a sure one, with ``p`` a possible one.

    Args:
        text: the links, set apart by white space.
        first: the number of the first word: 0, or 1 where a file counts so.

    Raises:
        DataError: a link has another form, or a number below ``first``.
    """
    sure, possible = set(), set()
    for part in text.split():
        match = _LINK.fullmatch(part)
        if match is None or min(int(match[1]), int(match[3])) < first:
            raise DataError(
                f"The link {part[:40]!r} cannot be read: write 0-2 for word 0 and word 2, counted from {first}, or 0p2 for a "
                "possible link."
            )
        pair = int(match[1]) - first, int(match[3]) - first
        possible.add(pair)
        if match[2] == "-":
            sure.add(pair)
    return Links(frozenset(sure), frozenset(possible))


def write_links(links: Iterable[Link]) -> str:
    """Return sure links as `read_links` reads them, in the order of the source."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links))


MEASURES = ("cosine", "probability")
_NAME = re.compile(r"(\d+)-(\d+)(?:@(\d+))?(?::(cosine|probability))?")


@dataclass(frozen=True, slots=True)
class LinkName:
    """Which link is explained, and what its value is.

    Text form: ``0-2`` for word 0 and word 2, ``0-2@3`` by the vectors of layer 3, ``0-2@3:probability`` by the link's
    probability.

    Attributes:
        source: the place of its word in the first text, counted from 0.
        target: that of its word in the second one.
        layer: whose vectors, 0 being the embeddings; the one that the model links words by where None.
        measure: ``cosine`` of the two words' vectors, or ``probability``: the geometric mean, over both directions, of the
            softmax among the other text's words.
    """

    source: int
    target: int
    layer: int | None = None
    measure: str = "cosine"

    @classmethod
    def parse(cls, text: str) -> "LinkName":
        """Read the text form.

        Raises:
            InputError: the text has another form.
        """
        match = _NAME.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"{text[:40]!r} names no link: write 0-2 for word 0 and word 2, counted from 0; 0-2@3 by layer 3; "
                "0-2:probability for its probability."
            )
        layer = int(match[3]) if match[3] else None
        return cls(int(match[1]), int(match[2]), layer, match[4] or "cosine")

    def __str__(self) -> str:
        layer = "" if self.layer is None else f"@{self.layer}"
        return f"{self.source}-{self.target}{layer}{'' if self.measure == 'cosine' else ':' + self.measure}"


def word_stretches(text: str, *, raw: bool) -> list[Stretch]:
    """Return first character and the one after the last of each word; each Chinese character is a word.

    Args:
        text: a sentence.
        raw: whether it is as people write it, so that punctuation is cut off; otherwise white space alone sets words apart,
            as in data with links.
    """
    return [match.span() for match in (_WORD if raw else _CELL).finditer(text)]
