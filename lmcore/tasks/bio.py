"""Words, and the tags that mark stretches of them (Ramshaw & Marcus 1995): B- begins one, I- goes on, O is outside."""

import re
from collections.abc import Iterable, Sequence

from lmcore.types import Span

OUTSIDE = "O"
_BEGINS = frozenset("BSU")
_ENDS = frozenset("ELSU")
_TAG = re.compile(r"O|[BIELMSU]-\S+")
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"[^\W_{_HAN}]"
_WORD = re.compile(
    rf"[{_HAN}]"  # a Chinese character is a word
    rf"|[@#]?{_LETTER}+(?:(?:[-’'_]|(?<=\d)[.,:/](?=\d)){_LETTER}+)*"
    r"|\S"
)
_INNER_SPACE = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")

Place = tuple[int, int]


def cut_words(text: str) -> list[Place]:
    """Return where the words of a text stand: a mark is one, and each Chinese character; ``3.5`` and ``e-mail`` are too."""
    return [match.span() for match in _WORD.finditer(text)]


def spaced_words(text: str) -> list[Place]:
    """Return where the words of a text stand whose words are joined by single spaces."""
    return [match.span() for match in re.finditer(r"[^ ]+", text)]


def split_tags(tags: str) -> list[str]:
    """Return the tags of a row."""
    return tags.split()


def strange_tag(tags: Iterable[str]) -> str | None:
    """Return the first tag of no known scheme (BIO, IOB1, IO, BIOES, BILOU, BMES); None where there is none."""
    return next((tag for tag in tags if not _TAG.fullmatch(tag)), None)


def to_bio(tags: Sequence[str]) -> list[str]:
    """Return tags of any known scheme as BIO.

    An ``I-`` that nothing of its type goes before becomes ``B-``: so IOB1 is read as it is meant, and a torn entity is
    mended.
    """
    found, inside = [], ""
    for tag in tags:
        if tag == OUTSIDE:
            found.append(tag)
            inside = ""
            continue
        prefix, _, kind = tag.partition("-")
        found.append(f"{'B' if prefix in _BEGINS or kind != inside else 'I'}-{kind}")
        inside = "" if prefix in _ENDS else kind
    return found


def stretches(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the first word, the word after the last one, and the type of each tagged stretch, in order."""
    found: list[tuple[int, int, str]] = []
    for number, tag in enumerate(to_bio(tags)):
        prefix, _, kind = tag.partition("-")
        if prefix == "B":
            found.append((number, number + 1, kind))
        elif prefix == "I":
            found[-1] = (found[-1][0], number + 1, kind)
    return found


def tags_of(marked: Sequence[tuple[int, int, str]], words: int) -> list[str]:
    """Return the tags that mark stretches: what `stretches` undoes.

    Args:
        marked: first word, the word after the last one, and the type of each stretch.
        words: how many words there are.

    Raises:
        ValueError: a stretch is empty, outside the words or overlaps another, or its type is empty or has a space.
    """
    tags = [OUTSIDE] * words
    for first, end, kind in marked:
        if not 0 <= first < end <= words or any(tag != OUTSIDE for tag in tags[first:end]):
            raise ValueError(
                f"the stretch of the words {first + 1} to {end} is empty, outside the text or in another one"
            )
        if not kind or any(c.isspace() for c in kind):
            raise ValueError(f"the type {kind!r} is empty or has a space")
        tags[first:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - first - 1)]
    return tags


def spans_of(tags: Sequence[str], places: Sequence[Place], scores: Sequence[float] | None = None) -> tuple[Span, ...]:
    """Return the tagged stretches as characters of the text.

    Args:
        tags: one for each word.
        places: where each word stands.
        scores: how sure each tag is, 0 to 1; a stretch is as sure as its words are on average.
    """
    return tuple(
        Span(
            places[first][0],
            places[end - 1][1],
            kind,
            1.0 if scores is None else float(sum(scores[first:end]) / (end - first)),
        )
        for first, end, kind in stretches(tags)
    )


def written_spans(text: str, spans: Sequence[Span]) -> str:
    """Write stretches for people: ``place: New York; person: Ann``; spaces between Chinese characters go."""
    return "; ".join(f"{span.label}: {_INNER_SPACE.sub('', text[span.start : span.end])}" for span in spans)
