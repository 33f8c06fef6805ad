"""Words to tokens and back: each word is read at its first token, and long texts are cut into windows that overlap."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lmcore.models.encode import IGNORED, Encodings, counted

OVERLAP = 0.25
_UNCUT = 1 << 30


class _Window(NamedTuple):
    """Tokens ``start`` to ``end`` of a row; ``cut`` where a word is too long for any window."""

    start: int
    end: int
    cut: bool


def encode_words(
    tokenizer: Any,
    texts: Sequence[str],
    places: Sequence[Sequence[tuple[int, int]]],
    max_length: int,
    labels: Sequence[Sequence[int]] | None = None,
) -> Encodings:
    """Encode texts so that the outputs can be read word by word.

    A text of more than ``max_length`` tokens takes several windows, cut between words; a quarter of a window stands in
    the next one too. A window is counted as truncated only where a single word is longer than a whole window.

    Args:
        tokenizer: a transformers tokenizer of the fast kind.
        texts: any strings.
        places: where the words of each stand in it: first character, and the one after the last.
        max_length: the most tokens of a window, special tokens included.
        labels: a number for each word, learnt at its first token; -100 for none.

    Returns:
        The windows; the notes ``words``, ``tokens`` and ``depths`` hold an int64 array each for every window: which words
        are in it, at which token, and how many tokens of context they have on the side with fewer.
    """
    notes: dict[str, list[np.ndarray]] = {"words": [], "tokens": [], "depths": []}
    if not texts:
        return counted(tokenizer, [], notes=notes)
    out = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    before, after = _special_tokens(tokenizer)
    room = max(max_length - len(before) - len(after), 1)
    ids, rows, cuts, learnt = [], [], [], []
    for row, (tokens, offsets) in enumerate(zip(out["input_ids"], out["offset_mapping"], strict=True)):
        first = first_tokens(offsets, places[row])
        for window in _windows(len(tokens), first[first >= 0], room):
            ids.append([*before, *tokens[window.start : window.end], *after])
            rows.append(row)
            cuts.append(window.cut)
            inside = np.flatnonzero((first >= window.start) & (first < window.end))
            seen = first[inside] - window.start + len(before)
            notes["words"].append(inside)
            notes["tokens"].append(seen)
            notes["depths"].append(_depths(first[inside], window, len(tokens)))
            if labels is not None:
                learnt.append(_at(seen, np.asarray(labels[row], dtype=np.int64)[inside], len(ids[-1])))
    return counted(
        tokenizer,
        ids,
        truncated=np.array(cuts, dtype=bool),
        fields={} if labels is None else {"labels": learnt},
        rows=np.array(rows, dtype=np.int64),
        notes=notes,
    )


def first_tokens(offsets: Sequence[tuple[int, int]], places: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return the first token that touches each word, int64 of shape (words,); -1 where the tokenizer drops the word."""
    found = np.full(len(places), -1, dtype=np.int64)
    token = 0
    for word, (start, end) in enumerate(places):
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        if token < len(offsets) and offsets[token][0] < end:
            found[word] = token
    return found


def merge_words(encodings: Encodings, outputs: Sequence[np.ndarray], words: Sequence[int]) -> list[np.ndarray]:
    """Read each word in the window in which it has most context on both sides.

    Args:
        encodings: made by `encode_words`.
        outputs: for each window an array of shape (tokens, classes).
        words: the number of words of each row.

    Returns:
        For each row an array of shape (words, classes); NaN for a word that the tokenizer drops.
    """
    classes = outputs[0].shape[1] if len(outputs) else 0
    merged = [np.full((count, classes), np.nan, dtype=np.float32) for count in words]
    deepest = [np.full(count, -1, dtype=np.int64) for count in words]
    notes = (encodings.notes[name] for name in ("words", "tokens", "depths"))
    for row, output, inside, tokens, depths in zip(encodings.owners, outputs, *notes, strict=True):
        better = depths > deepest[row][inside]
        merged[row][inside[better]] = output[tokens[better]]
        deepest[row][inside[better]] = depths[better]
    return merged


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer puts before and after a text."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    if len(whole) == len(plain):
        return [], []
    start = next(n for n in range(len(whole)) if whole[n : n + len(plain)] == plain)
    return whole[:start], whole[start + len(plain) :]


def _windows(count: int, starts: np.ndarray, room: int) -> list[_Window]:
    """Cut ``count`` tokens into windows of at most ``room`` that begin and end between words."""
    if count <= room:
        return [_Window(0, count, cut=False)]
    found: list[_Window] = []
    begin = 0
    while True:
        end = min(begin + room, count)
        later = starts[(starts > begin) & (starts <= end)]
        if end == count:
            return [*found, _Window(begin, end, cut=False)]
        if not len(later):  # one word fills the window
            found.append(_Window(begin, end, cut=True))
            behind = starts[starts > end]
            if not len(behind):
                return found
            begin = int(behind[0])
            continue
        end = int(later[-1])
        found.append(_Window(begin, end, cut=False))
        shared = later[later >= min(end - int(room * OVERLAP), later[-2:][0])]  # a whole word at least, where two fit
        begin = int(shared[0])


def _depths(first: np.ndarray, window: _Window, count: int) -> np.ndarray:
    """Return the tokens of context on the side with fewer; an end of the text is no cut."""
    left = first - window.start if window.start > 0 else np.full(len(first), _UNCUT)
    right = window.end - 1 - first if window.end < count else np.full(len(first), _UNCUT)
    depths: np.ndarray = np.minimum(left, right).astype(np.int64)
    return depths


def _at(tokens: np.ndarray, values: np.ndarray, length: int) -> list[int]:
    learnt = np.full(length, IGNORED, dtype=np.int64)
    learnt[tokens] = values
    found: list[int] = learnt.tolist()
    return found
