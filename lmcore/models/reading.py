"""One input as a model reads it, with what it wrote: each token, its place in a text, and where it is predicted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens
from lmcore.tasks import load_task
from lmcore.types import Input, Target

if TYPE_CHECKING:
    from lmcore.models.encode import Encodings

OUTPUT = "output"
_JOINT = "\n"


@dataclass(frozen=True, eq=False)
class Written:
    """The tokens of an output, or the places where one is to be found.

    Attributes:
        ids: token ids, shape (written,); -1 for a gap that is still open.
        tokens: what each token shows; of a gap nothing.
        offsets: where each stands in the output, shape (written, 2).
        at: at which place of the model's logits each is predicted, shape (written,).
    """

    ids: np.ndarray
    tokens: tuple[str, ...]
    offsets: np.ndarray
    at: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def within(self, start: int, end: int) -> np.ndarray:
        """Return the numbers of the tokens that stand between two characters of the output; all where end is 0."""
        if not end:
            return np.arange(len(self))
        return np.flatnonzero((self.offsets[:, 0] < end) & (self.offsets[:, 1] > start))


@dataclass(frozen=True, eq=False)
class Reading:
    """One window of an input.

    Attributes:
        tokens: everything that is read, in order: what the encoder reads, or the only stack there is, then what the
            decoder of an encoder-decoder reads. The text joins the parts.
        first: how many of the tokens the first stack reads; all, but for an encoder-decoder.
        fields: further inputs of the first stack, int64 of shape (first,) by name.
        parts: where the text of each column, and of the output, begins in the joined text.
        written: the output.
        apart: whether the columns are two texts that an encoder reads one by one; the first has ``first`` tokens.
    """

    tokens: TextTokens
    first: int
    fields: Mapping[str, np.ndarray]
    parts: Mapping[str, int]
    written: Written
    apart: bool = False

    def __len__(self) -> int:
        return len(self.tokens.ids)

    @property
    def last_part(self) -> str:
        """The column that is read last, which places in a text are about where no other is named."""
        return [name for name in self.parts if name != OUTPUT][-1]

    def within(self, start: int, end: int, part: str = "") -> np.ndarray:
        """Return the places of the tokens of one column between two of its characters, int64.

        Raises:
            InputError: this window has none of them.
        """
        shift = self.parts[part or self.last_part]
        begins, ends = self.tokens.offsets.T
        read = np.arange(len(self)) < (len(self) if self.apart else self.first)
        found = np.flatnonzero((begins < end + shift) & (ends > start + shift) & ~self.tokens.special & read)
        if not len(found):
            raise InputError(
                f"No token stands at the characters {start} to {end}: choose a stretch that the model reads."
            )
        return found


def read_row(loaded: LoadedModel, row: Input, target: Target | None = None, *, output: str = "") -> Reading:
    """Read one input as its task encodes it; of a long one the window with most context around the target.

    Args:
        loaded: a model with a task's head.
        row: a text, or each of the columns that the task reads.
        target: what is to be explained; its place decides about the window.
        output: what the model wrote, or is to be taken as if it had.

    Raises:
        InputError: the model has no head, a text is empty, or has no character that the tokenizer reads.
    """
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: choose a registered version, or name a task for it.")
    task = load_task(loaded.task).adapted(loaded.model.config)
    texts = columns_of(loaded, row)
    frame = pd.DataFrame({name: pd.Series([text], dtype="str") for name, text in texts.items()})
    frame.insert(0, "id", [0])
    if target is not None and target.kind == "link":
        return _apart(loaded, texts, task.encode_apart(loaded, frame))
    encodings = task.encode_read(loaded, frame, output)
    parts = {**texts, **({OUTPUT: output} if output else {})}
    found = [_reading(loaded, parts, encodings, window) for window in range(len(encodings))]
    found = [reading for reading in found if not reading.tokens.special.all()]
    if not found:
        raise InputError("The text has no character that the model's tokenizer reads: give one with words.")
    return max(found, key=lambda reading: _depth(reading, target))


def columns_of(loaded: LoadedModel, row: Input) -> dict[str, str]:
    """Return the text of each column that a model's task reads.

    Raises:
        InputError: a column is missing, or its text is empty.
    """
    names = load_task(loaded.task).required()
    if not isinstance(row, str | Mapping):
        raise InputError(f"The text is a {type(row).__name__}: give one text, or a mapping from its columns to texts.")
    texts = {names[0]: row} if isinstance(row, str) else {str(name): text for name, text in row.items()}
    for name in names:
        if not texts.get(name, "").strip():
            what = "text" if name == "text" else name
            raise InputError(f"The {what} is empty: give one to analyse.")
    known = load_task(loaded.task).inputs()
    return {name: texts[name] for name in known if texts.get(name, "").strip()}


def _reading(loaded: LoadedModel, parts: Mapping[str, str], encodings: "Encodings", window: int) -> Reading:
    ids = np.asarray(encodings.ids[window], dtype=np.int64)
    labels = np.asarray(encodings.fields["labels"][window] if "labels" in encodings.fields else [], dtype=np.int64)
    two_stacks = bool(getattr(loaded.model.config, "is_encoder_decoder", False))
    decoder = _shifted(loaded, labels) if two_stacks and len(labels) else np.zeros(0, dtype=np.int64)
    starts = _part_starts(parts)
    joined = _JOINT.join(parts.values())
    offsets, owned = _places(loaded.tokenizer, parts, starts, ids, decoder)
    whole = np.concatenate([ids, decoder])
    names = loaded.tokenizer.convert_ids_to_tokens(whole.tolist())
    shown = [joined[a:b] if own else name for name, own, (a, b) in zip(names, owned, offsets.tolist(), strict=True)]
    unknown = whole == (-1 if loaded.tokenizer.unk_token_id is None else loaded.tokenizer.unk_token_id)
    tokens = TextTokens(joined, whole, tuple(shown), offsets, ~owned, unknown, bool(encodings.truncated[window]))
    fields = {
        name: np.asarray(values[window], dtype=np.int64)
        for name, values in encodings.fields.items()
        if name != "labels" and np.shape(values[window]) == ids.shape
    }
    written = _written(loaded.tokenizer, parts.get(OUTPUT, ""), labels, encodings, window, two_stacks)
    return Reading(tokens, len(ids), fields, starts, written)


def _apart(loaded: LoadedModel, parts: Mapping[str, str], encodings: "Encodings") -> Reading:
    """Join two encoded texts to one reading; their tokens' places come with them."""
    starts = _part_starts(parts)
    ids = np.concatenate([np.asarray(row, dtype=np.int64) for row in encodings.ids])
    places = [np.asarray(row, dtype=np.int64).reshape(-1, 2) for row in encodings.notes["offsets"]]
    owned = np.concatenate([row[:, 1] > row[:, 0] for row in places])
    shifted = [row + start for row, start in zip(places, starts.values(), strict=True)]
    offsets = np.where(owned[:, None], np.concatenate(shifted), 0)
    joined = _JOINT.join(parts.values())
    names = loaded.tokenizer.convert_ids_to_tokens(ids.tolist())
    shown = [joined[a:b] if own else name for name, own, (a, b) in zip(names, owned, offsets.tolist(), strict=True)]
    unknown = ids == (-1 if loaded.tokenizer.unk_token_id is None else loaded.tokenizer.unk_token_id)
    tokens = TextTokens(joined, ids, tuple(shown), offsets, ~owned, unknown, bool(encodings.truncated.any()))
    nothing = np.zeros(0, dtype=np.int64)
    written = Written(nothing, (), nothing.reshape(0, 2), nothing)
    return Reading(tokens, len(encodings.ids[0]), {}, starts, written, apart=True)


def _part_starts(parts: Mapping[str, str]) -> dict[str, int]:
    starts, place = {}, 0
    for name, text in parts.items():
        starts[name] = place
        place += len(text) + len(_JOINT)
    return starts


def _places(
    tokenizer: Any, parts: Mapping[str, str], starts: Mapping[str, int], ids: np.ndarray, decoder: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where every token stands in the joined text, and whether it stands for any of it."""
    whole = np.concatenate([ids, decoder])
    offsets, owned = np.zeros((len(whole), 2), dtype=np.int64), np.zeros(len(whole), dtype=bool)
    cursor = 0
    for name, text in parts.items():
        begin, end = (len(ids), len(whole)) if name == OUTPUT and len(decoder) else (cursor, len(ids))
        own, places = _plain_tokens(tokenizer, text)
        place, first, count = _longest_run(own, whole[begin:end])
        stretch = slice(begin + place, begin + place + count)
        offsets[stretch] = places[first : first + count] + starts[name]
        owned[stretch] = offsets[stretch, 1] > offsets[stretch, 0]
        cursor = begin + place + count
    return offsets, owned


def _written(
    tokenizer: Any, output: str, labels: np.ndarray, encodings: "Encodings", window: int, two_stacks: bool
) -> Written:
    if "places" in encodings.notes and not len(labels):
        at = np.asarray(encodings.notes["places"][window], dtype=np.int64)
        return Written(np.full(len(at), -1), ("",) * len(at), np.zeros((len(at), 2), dtype=np.int64), at)
    kept = np.flatnonzero(labels >= 0) if output else np.zeros(0, dtype=np.int64)
    ids = labels[kept]
    offsets = np.zeros((len(ids), 2), dtype=np.int64)
    own, places = _plain_tokens(tokenizer, output)
    place, first, count = _longest_run(own, ids)
    offsets[place : place + count] = places[first : first + count]
    names = tokenizer.convert_ids_to_tokens(ids.tolist())
    shown = [output[a:b] if b > a else name for name, (a, b) in zip(names, offsets.tolist(), strict=True)]
    return Written(ids, tuple(shown), offsets, kept if two_stacks else kept - 1)


def _plain_tokens(tokenizer: Any, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a text's token ids without special tokens, and their places in it, shape (tokens, 2)."""
    out = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return (
        np.asarray(out["input_ids"], dtype=np.int64),
        np.asarray(out["offset_mapping"], dtype=np.int64).reshape(-1, 2),
    )


def _longest_run(own: np.ndarray, whole: np.ndarray) -> tuple[int, int, int]:
    """Return the longest stretch that two sequences share: where it begins in the second, in the first, and its length.

    A window holds one stretch of a text's own tokens; of several equally long ones the first counts.
    """
    best: tuple[int, int, int] = (0, 0, 0)
    runs = np.zeros(len(whole) + 1, dtype=np.int64)
    for number, token in enumerate(own.tolist()):
        runs[1:] = np.where(whole == token, runs[:-1] + 1, 0)
        longest = int(runs.max(initial=0))
        if longest > best[2]:
            behind = int(runs.argmax())
            best = (behind - longest, number + 1 - longest, longest)
    return best


def _shifted(loaded: LoadedModel, labels: np.ndarray) -> np.ndarray:
    """Return what the decoder reads so that it predicts the labels, one place later."""
    import torch

    read = loaded.model.prepare_decoder_input_ids_from_labels(labels=torch.from_numpy(labels)[None])
    shifted: np.ndarray = read[0].numpy().astype(np.int64)
    return shifted


def _depth(reading: Reading, target: Target | None) -> int:
    """Return how many tokens of context the target has on the side with fewer; -1 where the window lacks it."""
    if target is None or target.kind not in ("tag", "span") or not target.end:
        return 0
    try:
        places = reading.within(target.start, target.end)
    except InputError:
        return -1
    return int(min(places[0], reading.first - 1 - places[-1]))
