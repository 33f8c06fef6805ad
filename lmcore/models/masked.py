"""Texts as windows for a model that predicts masked tokens."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.models.causal import evaluation_stride, strided_windows
from lmcore.models.encode import IGNORED, Encodings, batch_of, counted

if TYPE_CHECKING:
    import torch

SHARE = 0.15


def encode_unmasked(tokenizer: Any, texts: Sequence[str], limit: int) -> Encodings:
    """Encode texts for training; a long one is cut into windows side by side, and nothing is lost."""
    before, after = _frame_tokens(tokenizer)
    room = max(1, limit - len(before) - len(after))
    windows, rows = [], []
    for row, ids in enumerate(_plain_ids(tokenizer, texts)):
        for start, end, _ in strided_windows(len(ids), room, room) or [(0, 0, 0)]:
            windows.append([*before, *ids[start:end], *after])
            rows.append(row)
    return counted(tokenizer, windows, rows=np.array(rows, dtype=np.int64))


def mask_batch(tokenizer: Any, encodings: Encodings, windows: Sequence[int]) -> "dict[str, torch.Tensor]":
    """Return one training batch with tokens masked anew, drawn from torch's global random state (Devlin et al. 2019).

    Of the tokens that are not special 15 % are to be predicted: 80 % of them become the mask, 10 % a token at random, 10 %
    stay. ``labels`` is -100 elsewhere.
    """
    import torch

    batch = batch_of(tokenizer, encodings, windows)
    ids = batch["input_ids"]
    plain = ~torch.isin(ids, torch.tensor(sorted(tokenizer.all_special_ids)))
    chosen = (torch.rand(ids.shape) < SHARE) & plain
    if not chosen.any() and plain.any():  # a batch without any label has no loss
        first = plain.flatten().nonzero()
        chosen.view(-1)[first[torch.randint(len(first), (1,))]] = True
    draw = torch.rand(ids.shape)
    noise = torch.randint(len(tokenizer), ids.shape)
    masked = torch.where(chosen & (draw < 0.8), torch.full_like(ids, tokenizer.mask_token_id), ids)
    masked = torch.where(chosen & (draw >= 0.9), noise, masked)
    return {**batch, "input_ids": masked, "labels": torch.where(chosen, ids, torch.full_like(ids, IGNORED))}


def masked_places(ids: Sequence[int], special: Sequence[int], text: str) -> np.ndarray:
    """Return which tokens of a text are masked when a model is measured: 15 %, at least one, always the same ones.

    Args:
        ids: the text's tokens, without those that frame it.
        special: ids that are never masked.
        text: the text; the draw depends on it alone.
    """
    plain = np.flatnonzero(~np.isin(np.asarray(ids, dtype=np.int64), list(special)))
    count = min(len(plain), max(1, round(SHARE * len(plain))))
    rng = np.random.default_rng(zlib.crc32(text.encode(errors="replace")))
    return np.sort(rng.choice(plain, count, replace=False)) if count else plain


def encode_masked(tokenizer: Any, texts: Sequence[str], limit: int) -> Encodings:
    """Encode texts for measuring a masked model; nothing is cut.

    The tokens of `masked_places` become the mask, all at once. In a long text each is predicted in one window, the first
    that holds it.

    Returns:
        The windows; the notes ``places`` and ``targets`` say where in a window which tokens were masked.
    """
    whole = _plain_ids(tokenizer, texts)
    chosen = [masked_places(ids, tokenizer.all_special_ids, text) for ids, text in zip(whole, texts, strict=True)]
    return _windows(tokenizer, whole, chosen, limit)


def encode_gaps(tokenizer: Any, texts: Sequence[str], limit: int) -> Encodings:
    """Encode texts in which the mask token stands for what is to be found, as `encode_masked` does.

    Of a long text only the windows with a mask are kept, and count as truncated: what is outside them is not read.
    """
    whole = _plain_ids(tokenizer, texts)
    chosen = [np.flatnonzero(np.asarray(ids, dtype=np.int64) == tokenizer.mask_token_id) for ids in whole]
    every = _windows(tokenizer, whole, chosen, limit)
    kept = every.taken([window for window, places in enumerate(every.notes["places"]) if places])
    windows_of = np.bincount(every.owners, minlength=len(texts))
    return replace(kept, truncated=windows_of[kept.owners] > 1)


def encode_each_masked(tokenizer: Any, text: str, limit: int) -> Encodings:
    """Encode one text as often as it has tokens, each time with another one masked; nothing is cut.

    Of a long text each window holds what surrounds its masked token.

    Returns:
        One window a token, in the text's order; the notes ``places`` and ``targets`` say where which one was masked.
    """
    (ids,) = _plain_ids(tokenizer, [text])
    before, after = _frame_tokens(tokenizer)
    room = max(1, limit - len(before) - len(after))
    windows, places = [], []
    for start, end, new in strided_windows(len(ids), room, evaluation_stride(room)):
        for masked in range(new, end):
            hidden = [*ids[start:masked], tokenizer.mask_token_id, *ids[masked + 1 : end]]
            windows.append([*before, *hidden, *after])
            places.append([masked - start + len(before)])
    return counted(tokenizer, windows, notes={"places": places, "targets": [[token] for token in ids]})


def _windows(tokenizer: Any, whole: Sequence[Sequence[int]], chosen: Sequence[np.ndarray], limit: int) -> Encodings:
    before, after = _frame_tokens(tokenizer)
    room = max(1, limit - len(before) - len(after))
    windows, rows, places, targets = [], [], [], []
    for row, (ids, masked) in enumerate(zip(whole, chosen, strict=True)):
        hidden = np.array(ids, dtype=np.int64)
        hidden[masked] = tokenizer.mask_token_id
        for start, end, new in strided_windows(len(ids), room, evaluation_stride(room)):
            own = masked[(masked >= new) & (masked < end)]
            windows.append([*before, *hidden[start:end].tolist(), *after])
            rows.append(row)
            places.append((own - start + len(before)).tolist())
            targets.append([ids[place] for place in own])
    notes = {"places": places, "targets": targets}
    return counted(tokenizer, windows, rows=np.array(rows, dtype=np.int64), notes=notes)


def _plain_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _frame_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special tokens that stand before and after a text, such as [CLS] and [SEP]."""
    frame = tokenizer("")["input_ids"]
    half = (len(frame) + 1) // 2
    return frame[:half], frame[half:]
