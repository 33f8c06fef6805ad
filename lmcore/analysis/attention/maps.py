"""Attention maps of every layer and head, and their rollout."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lmcore.analysis.attention.run import MAX_BYTES, AttentionShape, Kind, attention_kinds, stream_attention
from lmcore.analysis.model_input import read_input
from lmcore.analysis.written_output import WrittenOutput, read_output
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens
from lmcore.types import Input, Part, Report, Silent, count_of

WRITING = 0.8  # of the way, where an output is written first


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Where each head looks.

    Attributes:
        text_tokens: the tokens that are looked at, one a column: the text's, or of a decoder's self-attention what it reads
            of its own output, the start token first.
        attentions: float32 of shape (layers, heads, rows, columns); row = the token that looks; rows sum to 1. In
            self-attention rows and columns are the same tokens.
        fingerprint: hash of weights and tokens.
        kind: ``encoder`` or ``decoder`` for self-attention, ``cross`` for that of a decoder to its source.
        row_tokens: of cross-attention the output's tokens, one a row: the one that is written there; else None.
        output: what an encoder-decoder wrote, or was given to have written; empty where its decoder was not run.
    """

    text_tokens: TextTokens
    attentions: np.ndarray
    fingerprint: str
    kind: Kind = "encoder"
    row_tokens: TextTokens | None = None
    output: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that are looked at, as they are shown."""
        return self.text_tokens.tokens

    @property
    def rows(self) -> tuple[str, ...]:
        """The tokens that look, as they are shown."""
        return (self.row_tokens or self.text_tokens).tokens

    @property
    def truncated(self) -> bool:
        """Whether the end of what was given was not read, since it is too long."""
        return self.text_tokens.truncated

    @property
    def entropies(self) -> np.ndarray:
        """How widely each head looks: mean entropy of its rows in nats, from 0 to ln(columns), shape (layers, heads)."""
        logs = np.log(np.clip(self.attentions, 1e-12, None))
        spread: np.ndarray = -(self.attentions * logs).sum(axis=-1).mean(axis=-1)
        return spread

    @property
    def distances(self) -> np.ndarray:
        """How far each head looks: mean distance in tokens, weighted by attention, shape (layers, heads); from 0.

        Raises:
            InputError: it is cross-attention, whose rows and columns are of two texts.
        """
        if self.kind == "cross":
            raise InputError("Cross-attention goes from one text to another and has no distance: take self-attention.")
        rows, columns = np.indices(self.attentions.shape[2:])
        far: np.ndarray = (self.attentions * np.abs(rows - columns)).sum(axis=-1).mean(axis=-1)
        return far

    def head(self, layer: int, head: int | None = None) -> np.ndarray:
        """Return one head's map, or the mean of a layer's heads, shape (rows, columns); both count from 0.

        Raises:
            InputError: there is no such layer or head.
        """
        layers, heads = self.attentions.shape[:2]
        if not 0 <= layer < layers or not (head is None or 0 <= head < heads):
            raise InputError(
                f"There is no such head: the model has {AttentionShape(layers, heads).said}, counted from 0."
            )
        found: np.ndarray = self.attentions[layer].mean(axis=0) if head is None else self.attentions[layer, head]
        return found

    def to_frame(self, layer: int, head: int | None = None) -> pd.DataFrame:
        """Return one head's map, or the mean of a layer's, as ``row``, ``column``, ``weight``; both count from 0."""
        weights = self.head(layer, head)
        rows, columns = np.indices(weights.shape)
        return pd.DataFrame({"row": rows.ravel(), "column": columns.ravel(), "weight": weights.ravel()})


def attention_maps(
    loaded: LoadedModel,
    text: Input,
    *,
    kind: Kind | Literal["self"] = "self",
    output: str | None = None,
    max_bytes: int = MAX_BYTES,
    report: Report | None = None,
) -> AttentionMaps:
    """Read the attention of every head over one text.

    The model runs with eager attention for it (others don't return their weights), and its outputs are compared with the
    plain run.

    Args:
        loaded: the model.
        text: a text, or, for a task that reads several, a mapping from its columns to texts.
        kind: ``self`` for the model's main self-attention (of an encoder-decoder the encoder's); of an encoder-decoder
            also ``decoder`` (over the output) and ``cross`` (from the output to the source).
        output: what an encoder-decoder is to have written; None takes what it writes by itself, greedily.
        max_bytes: how much the maps may take in float32.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty; the model has no such attention or does not give its weights; or the eager run gives
            other outputs than the plain one by more than 1e-4.
        ResourceError: the maps would take more than the limit; nothing was run.
        Cancelled: the report asked to stop.
    """
    wanted = wanted_kind(loaded, kind)
    return read_attention(loaded, text, [wanted], output=output, max_bytes=max_bytes, report=report)[wanted]


def wanted_kind(loaded: LoadedModel, kind: Kind | Literal["self"] = "self", *, output: str | None = None) -> Kind:
    """Return which of its attentions a model is asked for; ``self`` is its main self-attention.

    Raises:
        InputError: the model has no such attention, or no output apart from its text.
    """
    kinds = attention_kinds(loaded)
    wanted = kinds[0] if kind == "self" else kind
    if wanted not in kinds:
        raise InputError(f"{loaded.ref} has no {wanted} attention; it has: {', '.join(kinds)}.")
    if output is not None and len(kinds) == 1:
        raise InputError(
            f"{loaded.ref} is no encoder-decoder and has no output apart from its text: write it behind it."
        )
    return wanted


def read_attention(
    loaded: LoadedModel,
    text: Input,
    kinds: Sequence[Kind] | None = None,
    *,
    output: str | None = None,
    max_bytes: int = MAX_BYTES,
    report: Report | None = None,
) -> dict[Kind, AttentionMaps]:
    """Read several kinds of a model's attention in one run; all that it has where ``kinds`` is None.

    Arguments and errors are those of `attention_maps`.
    """
    own = attention_kinds(loaded)
    kinds = own if kinds is None else kinds
    wanted_kind(loaded, output=output)
    tokens, encodings = read_input(loaded, text)
    report, side, written = report or Silent(), None, 0.0
    if {"decoder", "cross"} & set(kinds) and len(own) > 1:
        written = WRITING if output is None else 0.0
        side = read_output(loaded, encodings, output, report=Part(report, 0.0, written))
    decoder_ids = None if side is None else [side.read.ids.tolist()]
    run = stream_attention(
        loaded, encodings, kinds, decoder_ids=decoder_ids, max_bytes=max_bytes, report=Part(report, written, 1.0)
    )
    (maps,) = (found for _, found in run)
    return {kind: _named(loaded, kind, maps[kind], tokens, side) for kind in kinds}


def attention_rollout(attentions: np.ndarray, *, report: Report | None = None) -> np.ndarray:
    """Follow attention through all layers: add the identity, halve, multiply (Abnar & Zuidema 2020).

    Args:
        attentions: shape (layers, heads, tokens, tokens) or, with heads averaged already, (layers, tokens, tokens).
        report: progress and cancellation, layer by layer.

    Returns:
        Shape (tokens, tokens): row = output token, column = input token; rows sum to 1.

    Raises:
        InputError: the shape is another.
        Cancelled: the report asked to stop.
    """
    maps, report = mean_heads(attentions), report or Silent()
    identity = np.eye(maps.shape[1])
    rolled = identity
    for number, layer in enumerate(maps, 1):
        report.check()
        rolled = (layer + identity) / 2 @ rolled
        report.progress(number / len(maps), f"Rollout: {number} of {count_of(len(maps), 'layer')} followed")
    return rolled


def cross_rollout(
    encoder: np.ndarray, decoder: np.ndarray, cross: np.ndarray, *, report: Report | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Follow attention through an encoder-decoder: how much of each output token comes from where.

    The same rule as `attention_rollout`, for both sublayers of each layer of the decoder: half stays, and half comes from
    where self-attention looks, and then half stays, and half comes through cross-attention from the rollout of the encoder.

    Args:
        encoder: the encoder's self-attention, shape (layers, heads, source, source).
        decoder: the decoder's, shape (layers, heads, output, output).
        cross: shape (layers, heads, output, source).
        report: progress and cancellation, layer by layer.

    Returns:
        What comes from the source, shape (output, source), and from the output read so far, shape (output, output); the
        rows of both together sum to 1.

    Raises:
        InputError: the shapes do not fit each other.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    source, own = attention_rollout(encoder, report=Part(report, 0.0, 0.5)), mean_heads(decoder)
    across = np.asarray(cross, dtype=np.float64)
    across = across.mean(axis=1) if across.ndim == 4 else across
    if across.shape != (len(own), own.shape[1], len(source)):
        raise InputError(
            f"The cross-attention has the shape {np.shape(cross)}: give (layers, heads, output, source) that fits the "
            "self-attention of encoder and decoder."
        )
    read, prefix = np.zeros(across.shape[1:]), np.eye(own.shape[1])
    for number, (looks, crosses) in enumerate(zip(own, across, strict=True), 1):
        report.check()
        read, prefix = (read + looks @ read) / 2, (prefix + looks @ prefix) / 2
        read, prefix = (read + crosses @ source) / 2, prefix / 2
        report.progress(
            0.5 + number / len(own) / 2, f"Rollout: {number} of {count_of(len(own), 'layer')} of the decoder followed"
        )
    return read, prefix


def mean_heads(attentions: np.ndarray) -> np.ndarray:
    """Return self-attention with its heads averaged, float64 of shape (layers, tokens, tokens).

    Raises:
        InputError: the shape is neither (layers, heads, tokens, tokens) nor this.
    """
    maps = np.asarray(attentions)
    maps = maps.mean(axis=1, dtype=np.float64) if maps.ndim == 4 else maps.astype(np.float64)
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not len(maps):
        raise InputError(f"The attention has the shape {np.shape(attentions)}: give (layers, heads, tokens, tokens).")
    return maps


def _named(
    loaded: LoadedModel, kind: Kind, maps: np.ndarray, tokens: TextTokens, side: WrittenOutput | None
) -> AttentionMaps:
    written = [] if side is None else side.written.ids.tolist()
    return AttentionMaps(
        text_tokens=side.read if side is not None and kind == "decoder" else tokens,
        attentions=maps,
        fingerprint=fingerprint(
            loaded.fingerprint, tokens.ids.tolist(), *([kind, written] if side is not None else [])
        ),
        kind=kind,
        row_tokens=side.written if side is not None and kind == "cross" else None,
        output="" if side is None else side.text,
    )
