"""Texts as windows for a model that predicts each token from those before it."""

from collections.abc import Sequence
from typing import Any

from lmcore.models.encode import IGNORED, Encodings, counted


def strided_windows(length: int, limit: int, stride: int) -> list[tuple[int, int, int]]:
    """Cut a sequence into windows in which every place is new exactly once.

    Args:
        length: places of the sequence.
        limit: places of a window, at most.
        stride: places from the beginning of a window to that of the next one, at most ``limit``.

    Returns:
        For each window its first place, the one after its last, and the first that no window before it holds.
    """
    found, done = [], 0
    for start in range(0, length, stride):
        end = min(start + limit, length)
        found.append((start, end, done))
        done = end
        if end == length:
            break
    return found


def evaluation_stride(limit: int) -> int:
    """Return the stride of windows that are measured: half a window, so that a token has at least as much before it."""
    return max(1, limit // 2)


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the whole texts as the tokenizer gives them by itself, however long they are."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), verbose=False)["input_ids"]
    return ids


def encode_measured(tokenizer: Any, texts: Sequence[str], limit: int, stride: int | None = None) -> Encodings:
    """Encode texts for measuring how probable they are; nothing is cut.

    Every token is predicted exactly once, but for the first of a text where the tokenizer puts no token before it.

    Args:
        tokenizer: a transformers tokenizer of the fast kind.
        texts: any strings.
        limit: tokens of a window, at most.
        stride: tokens between the beginnings of two windows; half of ``limit`` where None.

    Returns:
        The windows; the notes ``places`` and ``targets`` say at which places of a window which tokens are predicted.
    """
    windows, rows, places, targets = [], [], [], []
    for row, ids in enumerate(token_ids(tokenizer, texts)):
        for start, end, new in strided_windows(len(ids), limit, stride or evaluation_stride(limit)):
            first = max(new, start + 1)
            windows.append(ids[start:end])
            rows.append(row)
            places.append(list(range(first - 1 - start, end - 1 - start)))
            targets.append(ids[first:end])
    return counted(tokenizer, windows, rows=_array(rows), notes={"places": places, "targets": targets})


def encode_learnt(tokenizer: Any, texts: Sequence[str], limit: int) -> Encodings:
    """Encode texts for training; nothing is cut.

    A text ends with the tokenizer's end token. A long one is cut into windows that begin with the last token of the one
    before, so that every token is predicted exactly once. ``labels`` has the tokens themselves: the model shifts them.
    """
    windows, rows = [], []
    end_token = tokenizer.eos_token_id
    for row, ids in enumerate(token_ids(tokenizer, texts)):
        if end_token is not None and ids[-1:] != [end_token]:
            ids = [*ids, end_token]
        for start, end, _ in strided_windows(len(ids), limit, max(1, limit - 1)):
            if end - start > 1 or start == 0:
                windows.append(ids[start:end])
                rows.append(row)
    labels = [window if len(window) > 1 else [IGNORED] * len(window) for window in windows]
    return counted(tokenizer, windows, rows=_array(rows), fields={"labels": labels})


def encode_continued(tokenizer: Any, prompt: Sequence[int], output: str, limit: int) -> Encodings:
    """Encode a beginning with what was written after it; of one that is too long the last tokens are kept.

    Returns:
        One window; its ``labels`` are the output's tokens, and -100 before them.
    """
    import numpy as np

    written = tokenizer(output, add_special_tokens=False, verbose=False)["input_ids"][: limit - 1]
    kept = list(prompt)[-(limit - len(written)) :]
    return counted(
        tokenizer,
        [[*kept, *written]],
        truncated=np.array([len(kept) < len(prompt)], dtype=bool),
        fields={"labels": [[IGNORED] * len(kept) + written]},
    )


def _array(rows: list[int]) -> Any:
    import numpy as np

    return np.array(rows, dtype=np.int64)
