"""What ``lmcore analyse attention --trust`` adds: how far the attention of one token can be trusted as an explanation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcore.cli.why import show_trust, trust_document
from lmcore.types import Input, Part, Report

if TYPE_CHECKING:
    from lmcore.analysis.attention.maps import AttentionMaps
    from lmcore.models.load import LoadedModel


def attention_trust(
    loaded: "LoadedModel", row: Input, maps: "AttentionMaps", given: Mapping[str, Any], report: Report
) -> tuple[dict[str, Any], list[Any]]:
    """Judge the flow to a token, or the row of a token in a head's map, or in a layer's average.

    Args:
        loaded: the model.
        row: what it reads.
        maps: its attention.
        given: ``what`` (maps or flow), ``layer``, ``head``, ``token``, ``target``, ``output`` and ``max_mib`` of the command.
        report: progress and cancellation.

    Returns:
        What to add to the document, and to what is shown.
    """
    from lmcore.analysis import TokenAttention, judged_attention, measure_faithfulness
    from lmcore.settings import MIB

    token = given["token"] - 1 if given["token"] else None
    layer = (given["layer"] or len(maps.attentions)) - 1
    head = given["head"] - 1 if given["head"] else None
    way: Any = "flow" if given["what"] == "flow" else "head"
    attention = TokenAttention(token, way, maps.kind, layer, head, given["max_mib"] * MIB)
    judged = judged_attention(
        loaded,
        row,
        given["target"],
        attention=attention,
        output=given["output"] or maps.output or None,
        report=Part(report, 0.0, 0.2),
    )
    found = measure_faithfulness(loaded, judged, report=Part(report, 0.2, 1.0))
    token = judged.parameters["token"]
    shown = maps.rows[token] if token < len(maps.rows) else ""
    said = f"Whether the answer hangs on what token {token + 1}, {shown!r}, looks at:"
    return {"trust": {"token": token + 1, **trust_document(found)}}, [said, *show_trust(found)]
