"""What a model reads of one text, or of the several texts of a row, token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lmcore.models.text_tokens import TextTokens, read_tokens
from lmcore.errors import InputError
from lmcore.models.encode import Encodings, counted, encode_texts
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Input


@dataclass(frozen=True, eq=False)
class ModelInput:
    """One window of what a model reads.

    Attributes:
        tokens: the tokens; of a row with several texts their places are those in the texts joined by line breaks.
        encodings: the same as the model takes it, with every further field.
        windows: how many windows the input takes; one for all but long inputs of a task that reads in windows.
    """

    tokens: TextTokens
    encodings: Encodings
    windows: int


def read_input(loaded: LoadedModel, text: Input, window: int = 0) -> ModelInput:
    """Read one text, or the texts of a row by column, as the model's task reads them.

    Args:
        loaded: the model; one without a task reads a text, or two as a pair.
        text: a text, or a mapping from columns to texts.
        window: which window of a long input, counted from 0.

    Raises:
        InputError: the text is empty, has nothing that the tokenizer reads, lacks a column, or has no such window.
    """
    if isinstance(text, str):
        tokens = read_tokens(loaded.tokenizer, [text], loaded.max_length)[0]
        _check_window(window, 1)
        cut = np.array([tokens.truncated])
        return ModelInput(tokens, counted(loaded.tokenizer, [tokens.ids.tolist()], truncated=cut), 1)
    encodings = encode_inputs(loaded, [text])
    _check_window(window, len(encodings))
    ids = encodings.ids[window]
    tokens = name_tokens(loaded.tokenizer, list(text.values()), ids, truncated=bool(encodings.truncated[window]))
    if tokens.special.all():
        raise InputError("The texts have no character that the model's tokenizer reads: give some with words.")
    one = replace(
        encodings,
        ids=[ids],
        truncated=encodings.truncated[window : window + 1],
        unknown=encodings.unknown[window : window + 1],
        plain=encodings.plain[window : window + 1],
        fields={name: values[window : window + 1] for name, values in encodings.fields.items()},
        rows=None,
        notes={},
    )
    return ModelInput(tokens, one, len(encodings))


def encode_inputs(loaded: LoadedModel, texts: Sequence[Input]) -> Encodings:
    """Encode texts, or rows of several texts by column; rows go through the task's own encoding.

    Raises:
        InputError: there is none, one is empty or lacks a column, or plain texts and rows are mixed.
    """
    if isinstance(texts, str) or not len(texts):
        raise InputError("There is no text to analyse: give a list with at least one.")
    plain = [text for text in texts if isinstance(text, str)]
    rows = [dict(text) for text in texts if not isinstance(text, str)]
    if any(not text.strip() for text in plain) or any(not "".join(row.values()).strip() for row in rows):
        raise InputError("The text is empty: give one to analyse.")
    if plain and rows:
        raise InputError("Plain texts and rows of several texts are mixed: give one kind alone.")
    if plain:
        return encode_texts(loaded.tokenizer, plain, loaded.max_length)
    return _encode_rows(loaded, rows)


def name_tokens(tokenizer: Any, texts: Sequence[str], ids: Sequence[int], *, truncated: bool = False) -> TextTokens:
    """Find what each token of an encoded input shows, and where it stands in the texts joined by line breaks.

    Each run of tokens between special ones is looked for among the tokens of the texts; where it is none of them (a
    template stands around the text, say) its tokens are shown as they decode, without a place.
    """
    special_ids = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    special = np.array([token in special_ids for token in ids], dtype=bool)
    offsets = np.zeros((len(ids), 2), dtype=np.int64)
    starts = np.cumsum([0, *[len(text) + 1 for text in texts]])
    columns = [tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False) for text in texts]
    first = 0
    for run in _runs(special):
        wanted = list(ids[run])
        for number in range(first, len(columns)):
            place = _find(columns[number]["input_ids"], wanted)
            if place >= 0:
                found = np.asarray(columns[number]["offset_mapping"][place : place + len(wanted)], dtype=np.int64)
                offsets[run] = found.reshape(-1, 2) + starts[number]
                first = number + 1
                break
    whole = "\n".join(texts)
    names = tokenizer.convert_ids_to_tokens(list(ids))
    shown = [
        whole[start:end] if end > start else name if mark else tokenizer.decode([token])
        for token, name, mark, (start, end) in zip(ids, names, special, offsets.tolist(), strict=True)
    ]
    unknown = np.array([token == tokenizer.unk_token_id for token in ids], dtype=bool)
    return TextTokens(whole, np.asarray(ids, dtype=np.int64), tuple(shown), offsets, special, unknown, truncated)


def _encode_rows(loaded: LoadedModel, rows: Sequence[Mapping[str, str]]) -> Encodings:
    if not loaded.task:
        return _encode_untasked(loaded, rows)
    task = load_task(loaded.task)
    for name in task.required():
        if any(not row.get(name, "").strip() for row in rows):
            raise InputError(f"The input lacks its {name}: {loaded.ref} reads {' and '.join(task.required())}.")
    known = [name for name in task.inputs() if any(name in row for row in rows)]
    frame = pd.DataFrame({name: pd.Series([row.get(name, "") for row in rows], dtype="str") for name in known})
    frame.insert(0, "id", np.arange(len(rows)))
    return task.adapted(loaded.model.config).encode(loaded.tokenizer, frame, loaded.max_length)


def _encode_untasked(loaded: LoadedModel, rows: Sequence[Mapping[str, str]]) -> Encodings:
    widths = {len(row) for row in rows}
    if widths - {1, 2} or len(widths) > 1:
        raise InputError(f"{loaded.ref} has no task that says how more than two texts are read: give one or two.")
    columns = list(zip(*[list(row.values()) for row in rows], strict=True))
    pairs = list(columns[1]) if len(columns) > 1 else None
    return encode_texts(loaded.tokenizer, list(columns[0]), loaded.max_length, pairs)


def _check_window(window: int, windows: int) -> None:
    if not 0 <= window < windows:
        raise InputError(f"There is no window {window}: the input takes {windows}, counted from 0.")


def _runs(special: np.ndarray) -> list[slice]:
    """Return the stretches of tokens that are not special."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], special, [True]]).astype(np.int8)))
    return [slice(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _find(tokens: Sequence[int], wanted: Sequence[int]) -> int:
    """Return where a run of tokens begins among others, or -1."""
    last = len(tokens) - len(wanted)
    return next((at for at in range(last + 1) if list(tokens[at : at + len(wanted)]) == wanted), -1)
