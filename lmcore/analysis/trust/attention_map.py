"""What one token takes from the others by attention, as a map of a text whose trust can be measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from lmcore.analysis.asked import Asked, ask
from lmcore.analysis.attention.flow import attention_flow
from lmcore.analysis.attention.maps import AttentionMaps, attention_rollout, cross_rollout, wanted_kind
from lmcore.analysis.attention.run import MAX_BYTES, Kind, attention_kinds, stream_attention
from lmcore.analysis.trust.judged import Judged
from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import counted
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.types import Input, Part, Report, Silent, Target

Way = Literal["rollout", "flow", "head"]
CAVEAT = "Attention says where a model looks; it is no explanation of the answer by itself."
_WAYS = ("rollout", "flow", "head")
_SHOWS = "what this token looks at may be what the output hangs on, right or wrong"


@dataclass(frozen=True, slots=True)
class TokenAttention:
    """Which attention stands for a map of a text: that of one token.

    Attributes:
        token: the one that looks, counted from 0 among the tokens of its stack; of ``cross`` among what is written. None
            for the one at which the target is predicted.
        way: ``rollout`` through all layers, ``flow`` through all layers, or one ``head``.
        kind: ``encoder``, ``decoder`` or ``cross``; ``self`` for the model's main self-attention.
        layer: of a head, from 0.
        head: of a head, from 0; None for the mean of the layer's heads.
        max_bytes: how much the maps may take in float32.
    """

    token: int | None = None
    way: Way = "rollout"
    kind: Kind | Literal["self"] = "self"
    layer: int = 0
    head: int | None = None
    max_bytes: int = MAX_BYTES


def judged_attention(
    loaded: LoadedModel,
    text: Input,
    target: Target | str | None = None,
    *,
    attention: TokenAttention,
    output: str | None = None,
    report: Report | None = None,
) -> Judged:
    """Return what one token takes from the others, as a map that `measure_faithfulness` takes.

    The scores are shares of what the token looks at, and compared with other maps by size. Of tokens of the other stack, and
    of those behind the token that a decoder does not see, the map says nothing: they are neither ranked nor taken away.

    Args:
        loaded: a model with a head.
        text: what it reads: a text, or each of the columns that its task reads.
        target: the output that the map is held against; what the model predicts where None.
        attention: which attention.
        output: for a model that writes, what it is taken to have written; its own where None.
        report: progress and cancellation.

    Raises:
        InputError: the text is empty, the model has no such attention, or the token is not among those that are read for
            the target, or comes after what is explained.
        OptionError: there is no such way, layer or head.
        ResourceError: the maps would take more than the limit.
        Cancelled: the report asked to stop.
    """
    _check(loaded, attention)
    report = report or Silent()
    asked = ask(loaded, [text], [target], None if output is None else [output], report=Part(report, 0.0, 0.3))[0]
    token = _checked_token(loaded, asked, attention)
    attention = replace(attention, token=token)
    scores = token_scores(loaded, asked.reading, attention, report=Part(report, 0.3, 1.0))

    def again(other: LoadedModel, also: Asked, _: Mapping[str, Any], told: Report) -> np.ndarray:
        place = _same_place(asked.reading, also.reading, attention, token)
        return token_scores(other, also.reading, replace(attention, token=place), report=told)

    digits = fingerprint(loaded.fingerprint, asked.reading.tokens.ids.tolist(), str(asked.target), str(attention))
    return Judged(asked, scores, again, digits, parameters={"token": token}, signed=False, shows=_SHOWS, caveat=CAVEAT)


def predicting_token(loaded: LoadedModel, asked: Asked, kind: Kind) -> int:
    """Return the token of a stack at which the target is predicted, counted from 0: whose attention may matter most.

    That is the place before the first token of a written target, the first token of a tag or a span, the last token of a
    decoder that names a class, else the first token.
    """
    reading, target = asked.reading, asked.target
    if kind == "encoder" and _joined(loaded):
        return 0
    at = _predicted_at(reading, target)
    if len(at):
        return int(at[0])
    if target.kind in ("tag", "span"):
        return int(reading.within(target.start, target.end)[0])
    return reading.first - 1 if kind == "decoder" else 0


def token_scores(
    loaded: LoadedModel, reading: Reading, attention: TokenAttention, *, report: Report | None = None
) -> np.ndarray:
    """Return what the token takes from every token of a reading, float64 of shape (tokens,); 0 to 1, of a flow from 0.

    Not a number for tokens that it cannot see.

    Raises:
        InputError: the token is not among those of the reading.
        Cancelled: the report asked to stop.
    """
    report, token = report or Silent(), attention.token
    kind = wanted_kind(loaded, attention.kind)
    rows = reading.first if kind == "encoder" or not _joined(loaded) else len(reading) - reading.first
    if token is None or not 0 <= token < rows:
        raise InputError(
            f"There is no such token among the {rows} that are read for what is explained: take one from 1 to {rows}."
        )
    maps = _maps(loaded, reading, attention, Part(report, 0.0, 0.5))
    part, scores = Part(report, 0.5, 1.0), np.full(len(reading), np.nan)
    if kind == "cross":
        source, prefix = _cross(maps, attention, token, part)
        scores[: reading.first] = source
        scores[reading.first :][: len(prefix)] = prefix
        return scores
    start = reading.first if kind == "decoder" and _joined(loaded) else 0
    seen = token + 1 if kind == "decoder" else rows
    scores[start : start + seen] = _row(maps[kind], attention, token, part)[:seen]
    return scores


def is_shown(reading: Reading, maps: AttentionMaps, token: int) -> bool:
    """Say whether maps are those of a reading as far as the token looks that is judged: the same tokens are read.

    Args:
        reading: what is read for the output that is explained, its own tokens up to that included.
        maps: the attention that is shown, over a text as it stands.
        token: the one that looks, counted from 0.
    """
    shown, own = maps.text_tokens.ids, reading.tokens.ids[: reading.first]
    written = reading.tokens.ids[reading.first :]
    if maps.kind == "cross":
        return token < len(written) and np.array_equal(own, shown)
    if maps.kind == "encoder":
        return np.array_equal(own, shown)
    read = written if len(written) else own
    return token < len(read) and np.array_equal(read[: token + 1], shown[: token + 1])


def _check(loaded: LoadedModel, attention: TokenAttention) -> None:
    if attention.way not in _WAYS:
        raise OptionError(f"There is no way {attention.way!r}: choose {', '.join(_WAYS)}.")
    if wanted_kind(loaded, attention.kind) == "cross" and attention.way == "flow":
        raise InputError("Flow goes through one stack: take the encoder's or the decoder's attention.")


def _checked_token(loaded: LoadedModel, asked: Asked, attention: TokenAttention) -> int:
    """Return the token that looks, which must not come after what is explained."""
    kind = wanted_kind(loaded, attention.kind)
    if attention.token is None:
        return predicting_token(loaded, asked, kind)
    at = _predicted_at(asked.reading, asked.target)
    if kind != "encoder" and len(at) and attention.token > at[-1]:
        raise InputError(f"Token {attention.token + 1} stands behind what is explained: take one up to {at[-1] + 1}.")
    return attention.token


def _predicted_at(reading: Reading, target: Target) -> np.ndarray:
    """Return the places at which a written target is predicted; none where nothing is written."""
    written = reading.written
    found: np.ndarray = written.at[written.within(target.start, target.end)]
    return found


def _joined(loaded: LoadedModel) -> bool:
    return len(attention_kinds(loaded)) > 1


def _maps(loaded: LoadedModel, reading: Reading, attention: TokenAttention, report: Report) -> dict[Kind, np.ndarray]:
    """Read the attention over a reading: the kind that is asked for, for a rollout of ``cross`` all of them."""
    kind = wanted_kind(loaded, attention.kind)
    kinds = attention_kinds(loaded) if kind == "cross" and attention.way == "rollout" else (kind,)
    ids = reading.tokens.ids.tolist()
    fields = {name: [values.tolist()] for name, values in reading.fields.items()}
    read = counted(loaded.tokenizer, [ids[: reading.first]], fields=fields)
    decoder = [ids[reading.first :]] if _joined(loaded) and set(kinds) != {"encoder"} else None
    run = stream_attention(loaded, read, kinds, decoder_ids=decoder, max_bytes=attention.max_bytes, report=report)
    ((_, maps),) = run
    return maps


def _row(maps: np.ndarray, attention: TokenAttention, token: int, report: Report) -> np.ndarray:
    if attention.way == "flow":
        flow: np.ndarray = attention_flow(maps, tokens=[token], report=report)[0]
        return flow
    whole = _head(maps, attention) if attention.way == "head" else attention_rollout(maps, report=report)
    row: np.ndarray = whole[token]
    return row


def _cross(
    maps: Mapping[Kind, np.ndarray], attention: TokenAttention, token: int, report: Report
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a written token takes from the source, and from what was written up to it; of a head from the source."""
    if attention.way == "head":
        return _head(maps["cross"], attention)[token], np.empty(0)
    source, prefix = cross_rollout(maps["encoder"], maps["decoder"], maps["cross"], report=report)
    return source[token], prefix[token, : token + 1]


def _head(maps: np.ndarray, attention: TokenAttention) -> np.ndarray:
    layers, heads = maps.shape[:2]
    if not 0 <= attention.layer < layers or not (attention.head is None or 0 <= attention.head < heads):
        raise OptionError(f"There is no such head: the model has {layers} layers of {heads} heads, counted from 0.")
    found: np.ndarray = maps[attention.layer]
    one: np.ndarray = found.mean(axis=0) if attention.head is None else found[attention.head]
    return one


def _same_place(before: Reading, after: Reading, attention: TokenAttention, token: int) -> int:
    """Return where the token stands in an edited text: at the same character, or as far from the nearest end that was left."""
    if attention.kind in ("decoder", "cross") and before.first < len(before):
        return token  # what was written is not edited
    old, new = before.tokens, after.tokens
    if old.special[token]:
        shared = min(before.first, after.first)
        differ = np.flatnonzero(old.ids[:shared] != new.ids[:shared])
        first = int(differ[0]) if len(differ) else shared
        return token if token < first else max(token + after.first - before.first, 0)
    place = _same_character(old.text, new.text, int(old.begins[token]))
    own = np.flatnonzero(~new.special[: after.first])
    return int(own[np.searchsorted(new.offsets[own, 1], place, side="right").clip(0, len(own) - 1)])


def _same_character(old: str, new: str, place: int) -> int:
    """Return where a character of a text stands in the edited one; one within what was edited keeps its place."""
    shared = min(len(old), len(new))
    before = next((n for n in range(shared) if old[n] != new[n]), shared)
    after = next((n for n in range(shared - before) if old[-1 - n] != new[-1 - n]), shared - before)
    return place + len(new) - len(old) if place >= len(old) - after and place >= before else place
