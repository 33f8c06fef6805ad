"""A word-by-word dictionary learnt from pairs of texts: what a translation has to beat."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lmcore.data.text import is_chinese

_PIECE = re.compile(r"\w+|[^\w\s]")
_BLOCK = 2000


@dataclass(frozen=True, eq=False)
class Dictionary:
    """One word of another language for each word.

    Attributes:
        words: lower-case word to its translation.
        joiner: what stands between words: nothing in Chinese.
    """

    words: Mapping[str, str]
    joiner: str

    def translate(self, text: str) -> str:
        """Replace each word, in its place; one that was never seen stays."""
        return self.joiner.join(self.words.get(word.lower(), word) for word in _pieces(text))


def learn_dictionary(sources: Sequence[str], targets: Sequence[str]) -> Dictionary:
    """Give each word the one with which it shares most pairs of texts, by Dice's coefficient (Dice 1945).

    Args:
        sources: texts of one language.
        targets: their translations.
    """
    from scipy.sparse import csr_matrix

    one, words = _incidence([[w.lower() for w in _pieces(text)] for text in sources])
    other, translations = _incidence([_pieces(text) for text in targets])
    often, seen = (np.asarray(m.sum(axis=0)).ravel() for m in (one, other))
    found: dict[str, str] = {}
    for start in range(0, len(words), _BLOCK):
        together = csr_matrix(one[:, start : start + _BLOCK].T @ other).tocoo()
        dice = 2 * together.data / (often[start + together.row] + seen[together.col])
        for place in np.argsort(dice, kind="stable"):  # the best comes last and stays
            found[words[start + together.row[place]]] = translations[together.col[place]]
    chinese = sum(map(is_chinese, targets)) > len(targets) / 2
    return Dictionary(found, "" if chinese else " ")


def _pieces(text: str) -> list[str]:
    """Cut a text into words and punctuation signs; Chinese is cut by dictionary."""
    if not is_chinese(text):
        return _PIECE.findall(text)
    import rjieba

    return [piece for piece in rjieba.cut(text) if piece.strip()]


def _incidence(texts: list[list[str]]) -> "tuple[csr_matrix, list[str]]":  # type: ignore[name-defined]  # noqa: F821
    """Return which words stand in which texts, a sparse matrix of 0 and 1, and the words in the order of its columns."""
    from scipy.sparse import csr_matrix

    kinds = sorted({word for text in texts for word in text})
    index = {word: number for number, word in enumerate(kinds)}
    rows = [(row, index[word]) for row, text in enumerate(texts) for word in sorted(set(text))]
    places = np.array(rows, dtype=np.int64).reshape(-1, 2)
    matrix = csr_matrix((np.ones(len(rows)), (places[:, 0], places[:, 1])), shape=(len(texts), len(kinds)))
    return matrix, kinds
