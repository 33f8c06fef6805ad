"""Edits of single words: left out, replaced, misspelt, or written as they sound."""

import numpy as np

from lmcore.analysis.counterfactual.lexicon import chinese_homophones, english_homophones, replacements, written_like
from lmcore.analysis.counterfactual.source import Change, EditSource, Word

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHORTEST_TYPO = 3


def deletions(source: EditSource, rng: np.random.Generator) -> list[Change]:
    """Leave out each word, with a space beside it."""
    text, found = source.text, []
    for word in source.words:
        start, end = word.start, word.end
        if start and text[start - 1] == " ":
            start -= 1
        elif text[end : end + 1] == " ":
            end += 1
        found.append(Change(start, end, ""))
    return found


def replaced_words(source: EditSource, rng: np.random.Generator, *, words: str = "both", most: int = 4) -> list[Change]:
    """Replace words by similar and opposite ones from a list, and by their neighbours in the model's vocabulary.

    Args:
        source: the text.
        rng: draws among the words of the list.
        words: ``list``, ``neighbours`` (of the model's embeddings, where it is at hand) or ``both``.
        most: replacements of one word, at most.
    """
    listed = {word: _listed(word, rng) for word in source.words} if words != "neighbours" else {}
    near: dict[str, list[str]] = {}
    if words != "list" and source.loaded is not None:
        from lmcore.analysis.counterfactual.vocabulary import word_neighbours

        near = word_neighbours(source.loaded, [word.text for word in source.words], most)
    found = []
    for word in source.words:
        mixed = _alternate(listed.get(word, []), near.get(word.text, []))
        kept = [item for item in dict.fromkeys(mixed) if item.casefold() != word.text.casefold()][:most]
        found += [Change(word.start, word.end, written_like(word.text, item)) for item in kept]
    return found


def typos(source: EditSource, rng: np.random.Generator, *, most: int = 2) -> list[Change]:
    """Swap two neighbouring letters of a word, or hit the key beside one; in a Chinese word, swap two characters."""
    found = []
    for word in source.words:
        if word.is_chinese:
            made = _swapped(word, rng, 0)[:1]
        elif word.is_latin and len(word.text) >= _SHORTEST_TYPO:
            made = _alternate(_swapped(word, rng, 1), _mistyped(word, rng))[:most]
        else:
            continue
        found += [Change(word.start, word.end, item) for item in made]
    return found


def homophones(source: EditSource, rng: np.random.Generator, *, most: int = 2) -> list[Change]:
    """Write a word with others that sound alike: a Chinese character of the same sound and tone, an English word."""
    found = []
    for word in source.words:
        if word.is_chinese:
            found += _sounding_alike(word, rng, most)
        else:
            alike = english_homophones().get(word.text.casefold(), ())[:most]
            found += [Change(word.start, word.end, written_like(word.text, item)) for item in alike]
    return found


def _listed(word: Word, rng: np.random.Generator) -> list[str]:
    known = replacements().get(word.text.casefold())
    if known is None:
        return []
    return _alternate(_shuffled(known.opposite, rng), _shuffled(known.similar, rng))


def _swapped(word: Word, rng: np.random.Generator, first: int) -> list[str]:
    """Return the word with two neighbouring characters swapped, at each place from ``first`` on, in a drawn order."""
    text = word.text
    places = [n for n in range(first, len(text) - 1) if text[n] != text[n + 1] and text[n : n + 2].isalpha()]
    return [text[:n] + text[n + 1] + text[n] + text[n + 2 :] for n in rng.permutation(places).astype(int)]


def _mistyped(word: Word, rng: np.random.Generator) -> list[str]:
    text, found = word.text, []
    for n in rng.permutation(np.arange(1, len(text))).astype(int):
        near = _neighbouring_keys(text[n].lower())
        if near:
            drawn = near[int(rng.integers(len(near)))]
            found.append(text[:n] + written_like(text[n], drawn) + text[n + 1 :])
    return found


def _neighbouring_keys(letter: str) -> str:
    for row in _KEYS:
        place = row.find(letter)
        if place >= 0:
            return row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    return ""


def _sounding_alike(word: Word, rng: np.random.Generator, most: int) -> list[Change]:
    table = chinese_homophones()
    places = [n for n, character in enumerate(word.text) if character in table]
    found = []
    for n in rng.permutation(places).astype(int)[:most]:
        alike = table[word.text[n]]
        place = word.start + int(n)
        found.append(Change(place, place + 1, alike[int(rng.integers(min(len(alike), 4)))]))
    return found


def _shuffled(items: tuple[str, ...], rng: np.random.Generator) -> list[str]:
    return [items[n] for n in rng.permutation(len(items))]


def _alternate(one: list[str], two: list[str]) -> list[str]:
    """Return the items of two lists in turn, then what is left of the longer one."""
    paired = [item for both in zip(one, two, strict=False) for item in both]
    shorter = min(len(one), len(two))
    return [*paired, *one[shorter:], *two[shorter:]]
