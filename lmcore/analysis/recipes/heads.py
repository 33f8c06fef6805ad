"""Recipes of what attention heads do: their maps, two of them, rollout and flow, roles, and importance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.recipes.stored import Named, Stored
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Input

if TYPE_CHECKING:
    from lmcore.analysis.attention.head_contrast import HeadContrast
    from lmcore.analysis.attention.importance import HeadImportance
    from lmcore.analysis.attention.maps import AttentionMaps
    from lmcore.analysis.attention.roles import HeadRoles
    from lmcore.analysis.attention.run import Kind
    from lmcore.analysis.residual.shares import StreamShares
    from lmcore.data.dataset import TextDataset

MAX_BYTES = 128 << 20


def attention(
    loaded: LoadedModel, stored: Stored, *, text: Input, kind: "Kind", output: str, layer: int, head: int | None
) -> pd.DataFrame:
    """Return a head's map, or with no head the average of the layer's; both count from 0."""
    return _maps(loaded, stored, text, kind, output).to_frame(layer, head)


def two_heads(
    loaded: LoadedModel, stored: Stored, *, text: Input, kind: "Kind", output: str, first: Sequence[int],
    second: Sequence[int],
) -> "HeadContrast":  # fmt: skip
    """Set two heads side by side, each as its layer and head counted from 1."""
    from lmcore.analysis.attention.head_contrast import contrast_heads

    maps = _maps(loaded, stored, text, kind, output)
    return contrast_heads(maps, (first[0], first[1]), (second[0], second[1]))


def rollout(loaded: LoadedModel, stored: Stored, *, text: Input, kind: "Kind", output: str) -> pd.DataFrame:
    """Return the rollout of all layers, of cross-attention that to the source, as ``row``, ``column``, ``weight``."""
    from lmcore.analysis.attention.maps import attention_rollout, cross_rollout, read_attention

    found = read_attention(loaded, text, output=output or None, max_bytes=MAX_BYTES, report=stored.report)
    if kind == "cross":
        maps = (found[name].attentions for name in ("encoder", "decoder", "cross"))
        return map_frame(cross_rollout(*maps)[0])
    return map_frame(attention_rollout(found[kind].attentions))


def contributions(loaded: LoadedModel, stored: Stored, *, text: Input, output: str) -> "StreamShares":
    """Return what each head and MLP adds; see `lmcore.analysis.residual.shares.stream_contributions`."""
    from lmcore.analysis.residual.shares import stream_contributions

    return stream_contributions(loaded, text, output=output or None, report=stored.report)


def flow(
    loaded: LoadedModel, stored: Stored, *, text: Input, kind: "Kind", output: str, token: int | None
) -> pd.DataFrame:
    """Return the flow from one token, counted from 0, or from all where None, as shares of it."""
    from lmcore.analysis.attention.flow import attention_flow

    maps = _maps(loaded, stored, text, kind, output)
    if token is not None and not 0 <= token < len(maps.tokens):
        raise InputError(f"There is no token {token}: the text has {len(maps.tokens)}, counted from 0.")
    return flow_frame(attention_flow(maps.attentions, tokens=None if token is None else [token], report=stored.report))


def roles(
    loaded: LoadedModel, stored: Stored, *, text: Input, data: Named | None, rows: int, kind: "Kind", sequences: int,
    length: int, seed: int,
) -> "HeadRoles":  # fmt: skip
    """Score every role over a text, or over the first test rows of a data set where one is named."""
    from lmcore.analysis.attention.roles import head_roles

    texts = row_inputs(stored.dataset(data).part("test"), loaded.task, rows) if data else [text]
    return head_roles(
        loaded, texts, kind=kind, sequences=sequences, length=length, seed=seed, max_bytes=MAX_BYTES, report=stored.report
    )  # fmt: skip


def importance(
    loaded: LoadedModel, stored: Stored, *, text: Input, kind: "Kind", output: str, method: str,
    options: Mapping[str, Any],
) -> "HeadImportance":  # fmt: skip
    """Say what hangs on each head; see `lmcore.analysis.attention.importance.head_importance`."""
    from lmcore.analysis.attention.importance import head_importance

    return head_importance(
        loaded, text, method=method, kind=kind, output=output or None, report=stored.report, **options
    )


def map_frame(weights: np.ndarray) -> pd.DataFrame:
    """Return a map as ``row``, ``column``, ``weight``."""
    rows, columns = np.indices(weights.shape)
    return pd.DataFrame({"row": rows.ravel(), "column": columns.ravel(), "weight": weights.ravel()})


def flow_frame(found: np.ndarray) -> pd.DataFrame:
    """Return flows, shape (tokens, tokens) or (tokens,), as shares of each token's own."""
    flows = np.atleast_2d(found)
    return map_frame(flows / flows.sum(axis=1, keepdims=True))


def row_inputs(data: "TextDataset", task: str, rows: int) -> list[Input]:
    """Return what a model of a task reads of the first rows of a data set."""
    frame, names = data.frame.head(rows), load_task(task).required()
    if len(names) == 1:
        return [str(text) for text in frame[names[0]]]
    return [{name: str(row[name]) for name in names} for row in frame.to_dict("records")]


def _maps(loaded: LoadedModel, stored: Stored, text: Input, kind: "Kind", output: str) -> "AttentionMaps":
    from lmcore.analysis.attention.maps import attention_maps

    return attention_maps(loaded, text, kind=kind, output=output or None, max_bytes=MAX_BYTES, report=stored.report)
