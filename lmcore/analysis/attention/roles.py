"""What attention heads do: how strongly each plays each of the known roles, over texts."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from lmcore.analysis.attention.role_scores import HEAD_ROLES, TEXTS, RoleTokens, role_sums
from lmcore.analysis.attention.run import BATCH_SIZE, MAX_BYTES, Kind, attention_kinds, stream_attention
from lmcore.analysis.model_input import encode_inputs
from lmcore.analysis.written_output import greedy
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings, counted
from lmcore.models.generate import write_texts
from lmcore.models.load import LoadedModel
from lmcore.models.written import decoder_inputs, start_token
from lmcore.types import Input, Part, Report, Silent

CLEAR = 0.4
NO_ROLE = "no clear role"


@dataclass(frozen=True, eq=False)
class HeadRoles:
    """How strongly each head plays each role.

    Attributes:
        roles: names of the registry HEAD_ROLES.
        scores: float64 of shape (roles, layers, heads), from 0 to 1; not-a-number where no token of the texts can show a
            role, such as the third token of a text of two.
        rows: over how many tokens each role's scores are the mean, int64 of shape (roles,).
        texts: number of texts.
        kind: ``encoder`` or ``decoder``.
        parameters: how the random tokens were drawn.
        fingerprint: hash of weights, tokens and parameters.
    """

    roles: tuple[str, ...]
    scores: np.ndarray
    rows: np.ndarray
    texts: int
    kind: Kind
    parameters: Mapping[str, Any]
    fingerprint: str

    def score(self, role: str) -> np.ndarray:
        """Return the scores of one role, shape (layers, heads).

        Raises:
            UnknownError: there is no such role.
        """
        HEAD_ROLES[role]
        found: np.ndarray = self.scores[self.roles.index(role)]
        return found

    def strongest(self, clear: float = CLEAR) -> pd.DataFrame:
        """Return each head's strongest role: ``layer`` and ``head`` (counted from 1), ``role`` and ``score``.

        Many heads rest on the first token, or look at everything, where they have nothing to do; those two roles are named
        only where no other one is clear.

        Args:
            clear: the score from which a role is named; below it the role is ``no clear role``.
        """
        known = np.nan_to_num(self.scores, nan=0.0)
        resting = np.array([bool(HEAD_ROLES[name].facts.get("rest")) for name in self.roles])
        acting = np.where(resting[:, None, None], -1.0, known)
        best = np.where(acting.max(axis=0) >= clear, acting.argmax(axis=0), known.argmax(axis=0))
        scores = np.take_along_axis(known, best[None], axis=0)[0]
        layers, heads = np.indices(best.shape)
        names = [
            self.roles[role] if score >= clear else NO_ROLE for role, score in zip(best.flat, scores.flat, strict=True)
        ]
        return pd.DataFrame(
            {"layer": layers.ravel() + 1, "head": heads.ravel() + 1, "role": names, "score": scores.ravel()}
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each head and role: ``layer`` and ``head`` (counted from 1), ``role`` and ``score``."""
        roles, layers, heads = (places.ravel() for places in np.indices(self.scores.shape))
        names = [self.roles[role] for role in roles]
        return pd.DataFrame({"layer": layers + 1, "head": heads + 1, "role": names, "score": self.scores.ravel()})


def head_roles(
    loaded: LoadedModel,
    texts: Input | Sequence[Input],
    *,
    kind: Kind | Literal["self"] = "self",
    sequences: int = 4,
    length: int = 25,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    max_bytes: int = MAX_BYTES,
    report: Report | None = None,
) -> HeadRoles:
    """Score every head for every role of the registry HEAD_ROLES, each the mean over all tokens that can show it.

    Texts are read batch by batch, so that memory does not grow with their number. Two of the roles are looked for in random
    tokens that come twice (Olsson et al. 2022), drawn evenly from the vocabulary without the special ones.

    Args:
        loaded: the model.
        texts: a text, or several; of a task that reads several columns mappings from column to text.
        kind: which self-attention: the model's main one, or of an encoder-decoder also ``decoder``, over what it writes.
        sequences: how many random sequences are drawn.
        length: tokens of each of them, which come twice; fewer where the model or its vocabulary has no room for them.
        seed: of the drawing.
        batch_size: texts in one pass, at most.
        max_bytes: how much the maps of one batch may take in float32.
        report: progress and cancellation.

    Raises:
        InputError: a text is empty; the model has no such attention, or does not give its weights.
        OptionError: a number is not positive.
        ResourceError: the maps of one text would take more than the limit; nothing was run.
        Cancelled: the report asked to stop.
    """
    wanted = _self_attention(loaded, kind)
    if sequences < 1 or length < 2:
        raise OptionError("Roles need at least one random sequence of two tokens: set sequences and length higher.")
    report = report or Silent()
    several = [texts] if isinstance(texts, str | Mapping) else list(texts)
    read = _read_texts(loaded, encode_inputs(loaded, several), wanted, Part(report, 0.0, 0.3))
    drawn = _draw_repeats(loaded, wanted, sequences, length, seed)
    options = {"batch_size": batch_size, "max_bytes": max_bytes}
    own_roles = [name for name, role in HEAD_ROLES.items() if role.facts["reads"] == TEXTS]
    others = [name for name in HEAD_ROLES if name not in own_roles]
    found: dict[str, tuple[np.ndarray, int]] = {}
    for names, source, part in ((own_roles, read, (0.3, 0.8)), (others, drawn, (0.8, 1.0))):
        sums, rows = _sum_roles(_stream(loaded, source, wanted, report=Part(report, *part), **options), names)
        found |= {name: (sums[place], int(rows[place])) for place, name in enumerate(names)}
    parameters = {"sequences": sequences, "length": drawn.length, "seed": seed}
    return HeadRoles(
        roles=tuple(HEAD_ROLES),
        scores=np.stack([_mean(*found[name]) for name in HEAD_ROLES]),
        rows=np.array([found[name][1] for name in HEAD_ROLES]),
        texts=len(several),
        kind=wanted,
        parameters=parameters,
        fingerprint=fingerprint(loaded.fingerprint, wanted, read.encodings.ids, read.decoder_ids, parameters),
    )


def _self_attention(loaded: LoadedModel, kind: Kind | Literal["self"]) -> Kind:
    """Return which self-attention is meant.

    Raises:
        InputError: the model has none of that kind.
    """
    kinds = attention_kinds(loaded)
    wanted: Kind = kinds[0] if kind == "self" else kind
    if wanted not in kinds or wanted == "cross":
        own = ", ".join(each for each in kinds if each != "cross")
        raise InputError(f"Roles are those of self-attention, and not {wanted}: {loaded.ref} has {own}.")
    return wanted


@dataclass(frozen=True, eq=False)
class _Reading:
    """Texts as the model reads them, with what the scores need; of an encoder-decoder's decoder with its own input."""

    encodings: Encodings
    tokens: list[RoleTokens]
    decoder_ids: list[list[int]] | None
    length: int = 0


def _read_texts(loaded: LoadedModel, encodings: Encodings, kind: Kind, report: Report) -> _Reading:
    decoder_ids = None
    if kind == "decoder" and len(attention_kinds(loaded)) > 1:
        written = write_texts(loaded, encodings, greedy(loaded), report=report)
        decoder_ids = decoder_inputs(loaded, [list(item.ids) for item in written])
    return _reading(loaded, encodings, decoder_ids, kind)


def _draw_repeats(loaded: LoadedModel, kind: Kind, sequences: int, length: int, seed: int) -> _Reading:
    """Draw tokens without putting them back, twice in a row, between the special tokens that the tokenizer puts around."""
    tokenizer, rng = loaded.tokenizer, np.random.default_rng(seed)
    special = set(tokenizer.all_special_ids)
    before, after = _around(tokenizer)
    known = int(loaded.model.base_model.get_input_embeddings().weight.shape[0])
    plain = np.array([token for token in range(min(len(tokenizer), known)) if token not in special])
    length = min(length, len(plain), (loaded.max_length - len(before) - len(after)) // 2)
    halves = [rng.choice(plain, length, replace=False).tolist() for _ in range(sequences)]
    if kind == "decoder" and len(attention_kinds(loaded)) > 1:
        encodings = counted(tokenizer, [[*before, *half, *after] for half in halves])
        found = _reading(loaded, encodings, [[start_token(loaded.model), *half, *half] for half in halves], kind)
    else:
        whole = counted(tokenizer, [[*before, *half, *half, *after] for half in halves])
        found = _reading(loaded, whole, None, kind)
    return replace(found, length=length)


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special tokens that a tokenizer puts before a text and after it."""
    ids = list(tokenizer("a")["input_ids"])
    plain = [place for place, token in enumerate(ids) if token not in tokenizer.all_special_ids]
    return (ids[: plain[0]], ids[plain[-1] + 1 :]) if plain else ([], [])


def _reading(loaded: LoadedModel, encodings: Encodings, decoder_ids: list[list[int]] | None, kind: Kind) -> _Reading:
    ids = encodings.ids if decoder_ids is None else decoder_ids
    delimiters = _delimiters(loaded.tokenizer, {token for row in ids for token in row})
    tokens = [
        RoleTokens(np.array(row), np.array([token in delimiters for token in row]), kind == "decoder") for row in ids
    ]
    return _Reading(encodings, tokens, decoder_ids)


def _delimiters(tokenizer: Any, ids: set[int]) -> set[int]:
    """Return which tokens are special or show punctuation and white space alone."""
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    shown = {token: tokenizer.decode([token]).strip() for token in ids - special}
    marks = {token for token, text in shown.items() if all(unicodedata.category(char)[0] in "PZ" for char in text)}
    return (special & ids) | marks


def _stream(
    loaded: LoadedModel, source: _Reading, kind: Kind, **options: Any
) -> Iterator[tuple[np.ndarray, RoleTokens]]:
    for number, maps in stream_attention(loaded, source.encodings, [kind], decoder_ids=source.decoder_ids, **options):
        yield maps[kind], source.tokens[number]


def _sum_roles(texts: Iterator[tuple[np.ndarray, RoleTokens]], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    sums, rows = np.zeros(()), np.zeros(len(names), dtype=np.int64)
    for maps, tokens in texts:
        more, count = role_sums(maps, tokens, names)
        sums, rows = sums + more, rows + count
    return sums, rows


def _mean(sums: np.ndarray, rows: int) -> np.ndarray:
    return sums / rows if rows else np.full(sums.shape, np.nan)
