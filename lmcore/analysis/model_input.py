"""What a model reads of one text, or of the several texts of a row, token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lmcore.errors import InputError
from lmcore.models.encode import Encodings, counted, encode_texts
from lmcore.models.load import LoadedModel
from lmcore.models.reading import read_row
from lmcore.models.text_tokens import TextTokens, read_tokens
from lmcore.types import Input


def read_input(loaded: LoadedModel, text: Input) -> tuple[TextTokens, Encodings]:
    """Read one text as it stands, or the texts of a row by column as the model's task reads them, as far as its window goes.

    Args:
        loaded: the model; one without a task reads a text, or two as a pair.
        text: a text, or a mapping from columns to texts.

    Returns:
        The tokens, and the same as the model takes them, with every further field; of a row that the task reads in windows
        the first one.

    Raises:
        InputError: the text is empty, has nothing that the tokenizer reads, or lacks a column.
    """
    loaded = loaded.widest
    if isinstance(text, str):
        tokens = read_tokens(loaded.tokenizer, [text], loaded.max_length)[0]
        return tokens, counted(loaded.tokenizer, [tokens.ids.tolist()], truncated=np.array([tokens.truncated]))
    if not loaded.task:
        encodings = _encode_pair(loaded, text)
        ids, over = encodings.ids[0], bool(encodings.truncated[0])
        tokens = name_tokens(loaded.tokenizer, list(text.values()), ids, truncated=over)
        if tokens.special.all():
            raise InputError("The texts have no character that the model's tokenizer reads: give some with words.")
        return tokens, encodings
    reading = read_row(loaded, text)
    fields = {name: [values.tolist()] for name, values in reading.fields.items()}
    tokens = reading.tokens
    whole = int(tokens.offsets[:, 1].max()) >= len(tokens.text.rstrip())  # else this is the first of several windows
    tokens = replace(tokens, truncated=tokens.truncated or not whole)
    cut = np.array([tokens.truncated])
    return tokens, counted(loaded.tokenizer, [tokens.ids.tolist()], truncated=cut, fields=fields)


def encode_inputs(loaded: LoadedModel, texts: Sequence[Input]) -> Encodings:
    """Encode texts as they stand, or rows of several texts by column, each as `read_input` reads it.

    A text by itself is read as far as the model's window goes, texts among others as far as it takes them.

    Raises:
        InputError: there is none, one is empty or lacks a column, or plain texts and rows are mixed.
    """
    if isinstance(texts, str) or not len(texts):
        raise InputError("There is no text to analyse: give a list with at least one.")
    plain = [text for text in texts if isinstance(text, str)]
    if any(not text.strip() for text in plain):
        raise InputError("The text is empty: give one to analyse.")
    if plain and len(plain) < len(texts):
        raise InputError("Plain texts and rows of several texts are mixed: give one kind alone.")
    loaded = loaded.widest if len(texts) == 1 else replace(loaded, window=0)
    if plain:
        return encode_texts(loaded.tokenizer, plain, loaded.max_length)
    read = [read_input(loaded, text)[1] for text in texts]
    names = read[0].fields
    return counted(
        loaded.tokenizer,
        [one.ids[0] for one in read],
        truncated=np.array([bool(one.truncated[0]) for one in read]),
        fields={name: [one.fields[name][0] for one in read] for name in names},
    )


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


def _encode_pair(loaded: LoadedModel, row: Mapping[str, str]) -> Encodings:
    first, *rest = row.values()
    if len(rest) > 1:
        raise InputError(f"{loaded.ref} has no task that says how more than two texts are read: give one or two.")
    if not first.strip() or (rest and not rest[0].strip()):
        raise InputError("The text is empty: give one to analyse.")
    return encode_texts(loaded.tokenizer, [first], loaded.max_length, list(rest) or None)


def _runs(special: np.ndarray) -> list[slice]:
    """Return the stretches of tokens that are not special."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], special, [True]]).astype(np.int8)))
    return [slice(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _find(tokens: Sequence[int], wanted: Sequence[int]) -> int:
    """Return where a run of tokens begins among others, or -1."""
    last = len(tokens) - len(wanted)
    return next((at for at in range(last + 1) if list(tokens[at : at + len(wanted)]) == wanted), -1)
