"""The lists of words that edits are made from; they come with the package."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Replacements:
    """What a word can be replaced by.

    Attributes:
        similar: words that mean about the same.
        opposite: words that mean the contrary.
    """

    similar: tuple[str, ...] = ()
    opposite: tuple[str, ...] = ()


@dataclass(frozen=True)
class NegationWords:
    """What is known of saying no.

    Attributes:
        auxiliaries: English verbs that ``not`` is put behind.
        contracted: irregular contractions to their verbs.
        opposites: words such as ``never`` to what says the contrary.
        subjects: words behind which a verb's plain form may be taken for one.
        verbs: regular verbs that ``do not`` is put before.
        past: irregular ones to their past.
        degrees: Chinese words such as 很, whose place 不 takes.
        negated_by_not: Chinese words that 不 is put before.
        not_negated: Chinese words that begin like a negation and are none.
        turned: Chinese words to what says the contrary.
        not_degrees: Chinese words that begin like a degree and are none.
        joined: a Chinese subject and its verb, where they are cut as one word, to the same with 不 between them.
    """

    auxiliaries: frozenset[str]
    contracted: dict[str, str]
    opposites: dict[str, str]
    subjects: frozenset[str]
    verbs: frozenset[str]
    past: dict[str, str]
    degrees: tuple[str, ...]
    negated_by_not: frozenset[str]
    not_negated: frozenset[str]
    turned: dict[str, str]
    not_degrees: frozenset[str]
    joined: dict[str, str]


@cache
def negation_words() -> NegationWords:
    """Return the words that negations are made from."""
    known = json.loads(_read("negation.json"))
    sets = {name: frozenset(value) for name, value in known.items() if isinstance(value, list) and name != "degrees"}
    return NegationWords(**(known | sets | {"degrees": tuple(known["degrees"])}))


@cache
def replacements() -> dict[str, Replacements]:
    """Return what is known of each English (in small letters) and Chinese word."""
    found: dict[str, Replacements] = {}
    for name in ("replacements_en.txt", "replacements_zh.txt"):
        for line in _lines(name):
            sides = [side.split() for side in line.split("|")]
            for own, other in (sides, sides[::-1]):
                for word in own:
                    known = found.get(word, Replacements())
                    similar = _joined(known.similar, [item for item in own if item != word])
                    found[word] = Replacements(similar, _joined(known.opposite, other))
    return found


@cache
def chinese_homophones() -> dict[str, str]:
    """Return, for a Chinese character, those that are pronounced alike, tone included, the commoner first."""
    groups = [line.split()[1] for line in _lines("homophones_zh.txt")]
    return {own: group.replace(own, "") for group in groups for own in group}


@cache
def english_homophones() -> dict[str, tuple[str, ...]]:
    """Return, for an English word in small letters, those that are pronounced alike."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _lines("homophones_en.txt"):
        group = line.split()
        for word in group:
            found[word] = _joined(found.get(word, ()), [item for item in group if item != word])
    return found


@cache
def names() -> dict[str, dict[str, list[str]]]:
    """Return names by language (``en``, ``zh``) and sort: persons, places, organisations, days, months, numbers."""
    known: dict[str, dict[str, list[str]]] = json.loads(_read("names.json"))
    return known


def written_like(pattern: str, word: str) -> str:
    """Return a word with capitals where another has them: all, the first letter, or none."""
    if len(pattern) > 1 and pattern.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if pattern[:1].isupper() else word


def _joined(known: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *more]))


def _lines(name: str) -> list[str]:
    return [line for line in _read(name).splitlines() if line.strip() and not line.startswith("#")]


def _read(name: str) -> str:
    return files("lmcore.data").joinpath("bundled", name).read_text(encoding="utf-8")
