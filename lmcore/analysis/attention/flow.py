"""Attention flow: how much can pass from one token to another through all layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lmcore.analysis.attention.maps import mean_heads
from lmcore.errors import InputError
from lmcore.types import Report, Silent, count_of

SCALE = 1 << 30
_FLOW_SECONDS, _EDGE_SECONDS = 3e-4, 3e-8


def attention_flow(
    attentions: np.ndarray, *, tokens: Sequence[int] | None = None, report: Report | None = None
) -> np.ndarray:
    """Return the maximum flow from tokens of the last layer to every input token (Abnar & Zuidema 2020).

    Each token at each layer is a node. From a token of one layer an edge leads to each token of the layer below, as wide
    as the first looks at the second: attention averaged over heads, half of it kept for the token itself. What a route
    carries is bounded by its narrowest edge, where rollout multiplies; a flow and a rollout agree for one layer alone.

    Every flow is exact for capacities in multiples of 2^-30, to which the weights are rounded; from that of the weights
    themselves it differs by at most 2^-31 times the edges of a cut, tokens² at the most and near ``tokens`` as a rule.
    Each pair of tokens is one flow through layers × tokens² edges, a millisecond or so for 64 tokens of 6 layers: see
    `flow_seconds`.

    Args:
        attentions: shape (layers, heads, tokens, tokens) or, with heads averaged already, (layers, tokens, tokens).
        tokens: the output tokens to begin from, counted from 0; all where None.
        report: progress and cancellation.

    Returns:
        float64 of shape (output tokens, input tokens), each from 0 to 1. A row sums to 1 or more, since each of its flows is
        found as if there were no other.

    Raises:
        InputError: the shape is another, or there is no such token.
        Cancelled: the report asked to stop.
    """
    from scipy.sparse.csgraph import maximum_flow

    maps = mean_heads(attentions)
    layers, size = maps.shape[:2]
    starts = list(range(size)) if tokens is None else list(tokens)
    missing = next((token for token in starts if not 0 <= token < size), None)
    if missing is not None:
        raise InputError(f"There is no token {missing}: the text has {size}, counted from 0.")
    report = report or Silent()
    graph = _graph(maps)
    flows = np.zeros((len(starts), size))
    for row, start in enumerate(starts):
        for sink in range(size):
            report.check()
            flows[row, sink] = maximum_flow(graph, layers * size + start, sink).flow_value
            done = row * size + sink + 1
            report.progress(done / flows.size, f"{done:,} of {count_of(flows.size, 'flow')} found")
    return flows / SCALE


def flow_seconds(layers: int, tokens: int, flows: int) -> float:
    """Return how long so many flows through a text take, about: most of it goes with the edges, layers × tokens²."""
    return flows * (_FLOW_SECONDS + _EDGE_SECONDS * layers * tokens**2)


def said_flows(layers: int, tokens: int, flows: int) -> str:
    """Say how many flows are to be found through a text, and how long it takes: ``4,096 flows, about 12 s``."""
    seconds = flow_seconds(layers, tokens, flows)
    lasting = "less than a second" if seconds < 1 else f"about {seconds:,.0f} s"
    return f"{count_of(flows, 'flow')}, {lasting}"


def _graph(maps: np.ndarray) -> Any:
    """Return the capacities as a sparse matrix of int32: node = layer × tokens + token, layer 0 being the input."""
    from scipy.sparse import csr_array

    layers, size = maps.shape[:2]
    upper, lower = np.indices((size, size)).reshape(2, -1)
    above = np.arange(1, layers + 1)[:, None] * size
    widths = np.rint((maps + np.eye(size)) / 2 * SCALE).astype(np.int32).reshape(layers, -1)
    open_edges = widths > 0
    places = (above + upper)[open_edges], (above - size + lower)[open_edges]
    nodes = (layers + 1) * size
    return csr_array((widths[open_edges], places), shape=(nodes, nodes))
