"""What ``lmcore analyse attention --what contributions`` answers: of what the residual stream consists after each block."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from lmcore.cli.output import table
from lmcore.cli.why import show_trust, trust_document
from lmcore.errors import OptionError
from lmcore.types import Input, Part, Report, count_of

if TYPE_CHECKING:
    from lmcore.models.load import LoadedModel

_BLOCKS = {"attention": "attention", "cross_attention": "cross-attention", "mlp": "MLP"}
_STRONGEST = 3


def shares_answer(
    loaded: "LoadedModel", row: Input, given: Mapping[str, Any], report: Report
) -> tuple[dict[str, Any], list[Any]]:
    """Return the shares of every block, and a table of the parts that add most after each.

    Args:
        loaded: the model.
        row: what it reads.
        given: ``output``, ``layer`` (every one where None) ``token`` (from 1; all, and their mean printed, where None),
            and ``trust``: whether it is measured how far the shares can be trusted.
        report: progress and cancellation.

    Raises:
        OptionError: there is no such layer or token.
        Cancelled: the report asked to stop.
    """
    from lmcore.analysis import measure_faithfulness, stream_contributions

    part = Part(report, 0.0, 0.5 if given["trust"] else 1.0)
    found = stream_contributions(loaded, row, output=given["output"], report=part)
    frame = found.to_frame()
    layers, size = int(frame["layer"].max()), int(frame["position"].max()) + 1
    layer, token = given["layer"], given["token"]
    if layer is not None and layer > layers:
        raise OptionError(f"The model has {count_of(layers, 'layer')}: give --layer among them.")
    if token is not None and token > size:
        raise OptionError(f"The text has {count_of(size, 'token')}: give --token among them.")
    tokens = list(frame.drop_duplicates("position")["token"])
    own = frame if token is None else frame[frame["position"] == token - 1]
    own = own if layer is None else own[own["layer"] == layer]
    of = f"token {token}, {tokens[token - 1]!r}," if token else "all tokens, on the mean,"
    document: dict[str, Any] = {"tokens": tokens, "token": token, "blocks": _blocks(own)}
    document |= {"output": found.output} if found.output else {}
    said = f"Of what the stream of {of} consists after each block"
    columns = (
        "layer",
        "block",
        "what came in",
        *(name for n in range(_STRONGEST) for name in (f"part {n + 1}", "share")),
    )
    cut = [found.text_tokens.cut_note] if found.text_tokens.truncated else []
    judged = measure_faithfulness(loaded, found, report=Part(report, 0.5, 1.0)) if given["trust"] else None
    document |= {"trust": trust_document(judged)} if judged else {}
    return document, [said, table(columns, _rows(own)), *cut, *show_trust(judged)]


def _blocks(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each block's parts with their shares, one a token."""
    found = []
    for (layer, block), rows in frame.groupby(["layer", "block"], sort=False):
        shares = {part: each["share"].tolist() for part, each in rows.groupby("part", sort=False)}
        found.append({"layer": layer, "block": block, "shares": shares})
    return found


def _rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    found = []
    for (layer, block), rows in frame.groupby(["layer", "block"], sort=False):
        means = rows.groupby("part", sort=False)["share"].mean()
        added = means.drop("stream").sort_values(ascending=False, kind="stable").head(_STRONGEST)
        cells = [item for part, share in added.items() for item in (part, float(share))]
        cells += [None] * (2 * _STRONGEST - len(cells))
        found.append((layer, _BLOCKS[str(block)], float(means["stream"]), *cells))
    return found
