"""Texts to token ids, and token ids to padded batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

UNKNOWN_LIMIT = 0.05
IGNORED = -100


@dataclass(frozen=True, eq=False)
class Encodings:
    """Token ids of some rows, in their order; a long row may take several windows.

    Attributes:
        ids: one list of token ids a window, special tokens included.
        truncated: whether a window's text was longer than the limit and was cut; bool of shape (windows,).
        unknown: how many of a window's tokens are the unknown token; int64 of shape (windows,).
        plain: how many of a window's tokens are not special; int64 of shape (windows,).
        fields: further model inputs by name, an entry a window: a number, or a list that is padded to the longest
            of its batch (``labels`` with -100, others with 0).
        rows: the row, counted from 0, that each window is of, int64 of shape (windows,); None where they are the same.
        notes: what reading the outputs needs, an entry a window; not seen by the model.
        cut_outputs: whether a window's text that was to be learnt, or was written, reached the limit and was cut; bool of
            shape (windows,), None for a task that writes no text.
    """

    ids: list[list[int]]
    truncated: np.ndarray
    unknown: np.ndarray
    plain: np.ndarray
    fields: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    rows: np.ndarray | None = None
    notes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    cut_outputs: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def taken(self, windows: Sequence[int]) -> "Encodings":
        """Return some of the windows, in the order given, as if there were no others."""
        numbers = np.asarray(windows, dtype=np.int64)

        def some(values: Sequence[Any]) -> list[Any]:
            return [values[number] for number in numbers]

        return Encodings(
            ids=some(self.ids),
            truncated=self.truncated[numbers],
            unknown=self.unknown[numbers],
            plain=self.plain[numbers],
            fields={name: some(values) for name, values in self.fields.items()},
            rows=None if self.rows is None else self.rows[numbers],
            notes={name: some(values) for name, values in self.notes.items()},
            cut_outputs=None if self.cut_outputs is None else self.cut_outputs[numbers],
        )

    @property
    def owners(self) -> np.ndarray:
        """The row, counted from 0, that each window is of, int64 of shape (windows,)."""
        return np.arange(len(self)) if self.rows is None else self.rows

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each window, int64 of shape (windows,)."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    @property
    def unknown_share(self) -> float:
        """Share of all tokens that are the unknown token, 0 to 1."""
        return float(self.unknown.sum() / max(int(self.plain.sum()), 1))

    @property
    def truncated_share(self) -> float:
        """Share of the windows that were cut, 0 to 1."""
        return float(self.truncated.mean()) if len(self) else 0.0

    @property
    def cut_output_share(self) -> float:
        """Share of the windows whose output was cut, 0 to 1."""
        return float(self.cut_outputs.mean()) if self.cut_outputs is not None and len(self) else 0.0


def encode_texts(
    tokenizer: Any, texts: Sequence[str], max_length: int, pairs: Sequence[str] | None = None
) -> Encodings:
    """Encode texts, each cut after ``max_length`` tokens (special tokens included).

    Args:
        tokenizer: a transformers tokenizer of the fast kind.
        texts: any strings; an empty one gives the special tokens alone.
        max_length: the largest number of tokens of a text.
        pairs: a second text for each; the longer of the two is cut.

    Returns:
        Their encodings; which texts were cut and how many tokens were unknown is counted, never silent.
    """
    if not texts:
        none = np.zeros(0, dtype=np.int64)
        return Encodings([], none.astype(bool), none, none)
    if pairs is not None:
        return _encode_pairs(tokenizer, texts, pairs, max_length)
    out = tokenizer(list(texts), truncation=True, max_length=max_length, return_overflowing_tokens=True)
    owner = np.asarray(out["overflow_to_sample_mapping"])
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    ids = [out["input_ids"][i] for i in first]
    return counted(tokenizer, ids, truncated=np.bincount(owner, minlength=len(texts)) > 1)


def counted(
    tokenizer: Any,
    ids: list[list[int]],
    *,
    truncated: np.ndarray | None = None,
    fields: Mapping[str, Sequence[Any]] | None = None,
    rows: np.ndarray | None = None,
    notes: Mapping[str, Sequence[Any]] | None = None,
    cut_outputs: np.ndarray | None = None,
) -> Encodings:
    """Return token ids as encodings, with unknown and plain tokens counted."""
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return Encodings(
        ids=ids,
        truncated=np.zeros(len(ids), dtype=bool) if truncated is None else truncated,
        unknown=np.array([row.count(tokenizer.unk_token_id) for row in ids], dtype=np.int64),
        plain=np.array([sum(t not in special for t in row) for row in ids], dtype=np.int64),
        fields=fields or {},
        rows=rows,
        notes=notes or {},
        cut_outputs=cut_outputs,
    )


def length_sorted_batches(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yield row numbers in batches of like length, the longest first.

    The longest batch comes first so that a shortage of memory shows at once.
    """
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def pad_batch(
    tokenizer: Any, ids: Sequence[Sequence[int]], device: str = "cpu", *, left: bool = False
) -> "dict[str, torch.Tensor]":
    """Pad token ids to the longest of the batch, on the right unless ``left`` is set.

    Returns:
        ``input_ids`` and ``attention_mask``, int64 of shape (batch, tokens).
    """
    import torch

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    mask = _padded([[1] * len(row) for row in ids], 0, left=left)
    return {
        "input_ids": torch.from_numpy(_padded(ids, pad, left=left)).to(device),
        "attention_mask": torch.from_numpy(mask).to(device),
    }


def batch_of(
    tokenizer: Any, encodings: Encodings, rows: Sequence[int], device: str = "cpu", *, labels: bool = True
) -> "dict[str, torch.Tensor]":
    """Return one padded batch of windows with every further field.

    Args:
        tokenizer: gives the padding token.
        encodings: the windows.
        rows: which of them, counted from 0.
        device: where the tensors go.
        labels: whether what is to be learnt goes along.
    """
    import torch

    batch = pad_batch(tokenizer, [encodings.ids[row] for row in rows], device)
    for name, values in encodings.fields.items():
        if name in LEARNT and not labels:
            continue
        chosen = [values[row] for row in rows]
        if np.ndim(chosen[0]) == 0 or isinstance(chosen[0], np.ndarray):
            batch[name] = torch.from_numpy(np.asarray(chosen)).to(device)
        else:
            batch[name] = torch.from_numpy(_padded(chosen, IGNORED if name == "labels" else 0)).to(device)
    return batch


LEARNT = frozenset({"labels", "start_positions", "end_positions"})


def _encode_pairs(tokenizer: Any, texts: Sequence[str], pairs: Sequence[str], max_length: int) -> Encodings:
    whole = tokenizer(list(texts), list(pairs), verbose=False)["input_ids"]
    out = tokenizer(list(texts), list(pairs), truncation="longest_first", max_length=max_length)
    truncated = np.array([len(row) > max_length for row in whole])
    fields = {"token_type_ids": out["token_type_ids"]} if "token_type_ids" in out else {}
    return counted(tokenizer, out["input_ids"], truncated=truncated, fields=fields)


def _padded(rows: Sequence[Sequence[int]], filler: int, *, left: bool = False) -> np.ndarray:
    """Return rows of numbers padded to the longest, int64 of shape (rows, longest)."""
    padded = np.full((len(rows), max(len(row) for row in rows)), filler, dtype=np.int64)
    for number, row in enumerate(rows):
        place = slice(padded.shape[1] - len(row), None) if left else slice(len(row))
        padded[number, place] = row
    return padded
