"""``lmcore analyse attention``: where the heads of a model look, what they do, and what hangs on them."""

from typing import TYPE_CHECKING, Any

import click
import numpy as np

from lmcore.analysis.attention.importance_methods import IMPORTANCE
from lmcore.analysis.attention.role_scores import HEAD_ROLES
from lmcore.cli.asked import max_tokens_flag
from lmcore.cli.attention_trust import attention_trust
from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.cli.stream import shares_answer
from lmcore.errors import InputError, OptionError
from lmcore.settings import MIB
from lmcore.types import Input, Part, count_of

if TYPE_CHECKING:
    from lmcore.analysis.attention.maps import AttentionMaps
    from lmcore.models.load import LoadedModel

_SHOWN = 12
_PARTS = ("maps", "roles", "flow", "contributions", "importance")
_JUDGED = ("maps", "flow", "contributions")
_NO_CROSS_FLOW = "Flow goes through one stack: take --kind encoder or --kind decoder."
_KINDS = ("self", "encoder", "decoder", "cross")


@click.command(
    "attention",
    cls=AnswerCommand,
    short_help="Where heads look, what they do, and what hangs on them.",
    epilog="Example: lmcore analyse attention models:/feedback-en@champion 'It broke.' --what roles. "
    "Another: lmcore analyse attention models:/qa@champion 'Who wrote it?' --field context 'Ada wrote it.'",
)
@click.argument("version")
@click.argument("text")
@click.option(
    "--field", type=(str, str), multiple=True, metavar="COLUMN TEXT", help="Another text that the task reads."
)
@click.option("--task", help="With a base model or a GGUF file: load it with this task's head.")
@click.option("--what", type=click.Choice(_PARTS), default="maps", show_default=True, help="What to say of the heads.")
@click.option("--kind", type=click.Choice(_KINDS), default="self", show_default=True, help="Which attention.")
@click.option("--output", metavar="TEXT", help="What an encoder-decoder is to have written.  [default: what it writes]")
@click.option(
    "--layer", type=click.IntRange(1), help="Of maps and contributions: the layer that is printed.  [default: the last]"
)
@click.option("--head", type=click.IntRange(1), help="Of maps: the head.  [default: all averaged]")
@click.option("--token", type=click.IntRange(1), help="Of flow and contributions: the token.  [default: all of them]")
@click.option(
    "--trust",
    is_flag=True,
    help="Measure besides how far the map can be trusted; of maps and flow that of one --token "
    "(where the target is predicted), and contributions.",
)
@click.option(
    "--target",
    metavar="TEXT",
    help="With --trust: the class, token or phrase that maps are held against.  [default: what is predicted]",
)
@click.option(
    "--method",
    type=click.Choice(list(IMPORTANCE)),
    default=next(iter(IMPORTANCE)),
    show_default=True,
    help="Of importance: " + choices_help(IMPORTANCE),
)
@method_flags(IMPORTANCE)
@click.option(
    "--max-mib", type=click.IntRange(1), default=1024, show_default=True, help="The most MiB that maps may take."
)
@max_tokens_flag
@click.pass_obj
def attention_command(session: Session, /, version: str, text: str, **given: Any) -> Answer:
    """Say where the heads of VERSION look over TEXT, what they do, how attention flows, what each adds, or which heads matter.

    VERSION is a registered version or a base model. Attention is no explanation of an answer by itself.
    """
    from lmcore.models.load import load_model

    if given["trust"] and given["what"] not in _JUDGED:
        refuse(f"--trust goes with --what {', '.join(_JUDGED)}.")
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(version, task=given["task"], settings=session.settings, max_tokens=given["max_tokens"])
        row = _row(loaded, text, given["field"])
        part = Part(report, 0.2, 1.0)
        _note_cost(session, loaded, row, given)
        if given["what"] == "roles":
            document, shown = _roles(loaded, row, given, part)
        elif given["what"] == "importance":
            document, shown = _importance(loaded, row, given, part)
        elif given["what"] == "contributions":
            document, shown = shares_answer(loaded, row, given, part)
        else:
            document, shown = _maps(loaded, row, given, part)
    return Answer({"version": str(loaded.ref), "what": given["what"], **document}, shown)


def _note_cost(session: Session, loaded: "LoadedModel", row: Input, given: dict[str, Any]) -> None:
    """Say what reading the text will cost, for what reads it once, and what is found and measured besides.

    Raises:
        InputError: the model has no such attention, or no output apart from its text; or flow is to go through two stacks.
    """
    from lmcore.analysis.attention.maps import wanted_kind
    from lmcore.analysis.reading_cost import attention_cost, contributions_cost, flow_cost
    from lmcore.analysis.trust_cost import CONTRIBUTIONS_COST, WORDS_COST, asked_besides

    what, output = given["what"], given["output"]
    if what not in _JUDGED:
        return
    if what == "contributions":
        session.note(contributions_cost(loaded, row, output=output).sentence())
    else:
        kind = wanted_kind(loaded, given["kind"], output=output)
        if what == "flow" and kind == "cross":
            raise InputError(_NO_CROSS_FLOW)
        session.note(attention_cost(loaded, row, [kind], output=output, max_bytes=given["max_mib"] * MIB).sentence())
        if what == "flow":
            session.note(flow_cost(loaded, row, kind, output=output, one=bool(given["token"]), judged=given["trust"]))
    if given["trust"]:
        session.note(asked_besides(CONTRIBUTIONS_COST if what == "contributions" else WORDS_COST))


def _row(loaded: "LoadedModel", text: str, fields: tuple[tuple[str, str], ...]) -> Input:
    """Return what is read: the text, or with further fields the row that it is the first column of."""
    from lmcore.tasks import load_task

    text = text.encode(errors="replace").decode()
    if not fields:
        return text
    first = load_task(loaded.task).required()[0] if loaded.task else "text"
    return {first: text, **dict(fields)}


def _maps(loaded: "LoadedModel", row: Input, given: dict[str, Any], report: Part) -> tuple[dict[str, Any], list[Any]]:
    from lmcore.analysis import attention_maps

    limit = given["max_mib"] * MIB
    flow = given["what"] == "flow"
    maps = attention_maps(
        loaded, row, kind=given["kind"], output=given["output"], max_bytes=limit,
        report=Part(report, 0.0, 0.3 if flow or given["trust"] else 1.0),
    )  # fmt: skip
    document: dict[str, Any] = {
        "kind": maps.kind,
        "tokens": maps.tokens,
        "rows": maps.rows,
        "truncated": maps.truncated,
    }
    document |= {"output": maps.output} if maps.output else {}
    if flow:
        more, shown = _flow(maps, given["token"], Part(report, 0.3, 0.6 if given["trust"] else 1.0))
    else:
        more, shown = _one_map(maps, given["layer"], given["head"])
    cut = [maps.text_tokens.cut_note] if maps.truncated else []
    judged, told = attention_trust(loaded, row, maps, given, Part(report, 0.6, 1.0)) if given["trust"] else ({}, [])
    return document | more | judged, [*shown, *cut, *told]


def _one_map(maps: "AttentionMaps", layer: int | None, head: int | None) -> tuple[dict[str, Any], list[Any]]:
    layers, heads = maps.attentions.shape[:2]
    layer = layers if layer is None else layer
    if layer > layers or (head or 1) > heads:
        raise OptionError(
            f"The model has {count_of(layers, 'layer')} of {count_of(heads, 'head')}: give --layer and --head among them."
        )
    weights = maps.head(layer - 1, head - 1 if head else None)
    looked = [
        (maps.rows[i], *[item for j in np.argsort(-weights[i])[:2] for item in (maps.tokens[j], float(weights[i, j]))])
        for i in range(len(weights))
    ]
    wide = [(*row, *[None] * (5 - len(row))) for row in looked]
    name = f"head {head}" if head else "all heads averaged"
    document: dict[str, Any] = {"layer": layer, "head": head, "weights": weights, "entropies": maps.entropies}
    if maps.kind != "cross":
        document["distances"] = maps.distances
    focused = np.unravel_index(maps.entropies.argmin(), maps.entropies.shape)
    return document, [
        f"{maps.kind.capitalize()} attention in layer {layer} of {layers}, {name}: the two tokens that each looks at most",
        table(("token", "looks at", "weight", "and at", "its weight"), wide),
        f"The most focused head is head {focused[1] + 1} of layer {focused[0] + 1}, with {maps.entropies.min():.2f} nats.",
    ]


def _flow(maps: "AttentionMaps", token: int | None, report: Part) -> tuple[dict[str, Any], list[Any]]:
    from lmcore.analysis import attention_flow, attention_rollout

    size = len(maps.tokens)
    if token is not None and token > size:
        raise OptionError(f"The text has {count_of(size, 'token')}: give --token among them.")
    starts = list(range(size)) if token is None else [token - 1]
    flow = attention_flow(maps.attentions, tokens=starts, report=report)
    rollout = attention_rollout(maps.attentions)[starts]
    rows = []
    for place, start in enumerate(starts):
        top = int(flow[place].argmax())
        near = int(rollout[place].argmax())
        rows.append((maps.tokens[start], maps.tokens[top], flow[place, top], maps.tokens[near], rollout[place, near]))
    document = {"from": [start + 1 for start in starts], "flow": flow, "rollout": rollout}
    said = "Where most can flow to each token from, and where most comes from by rollout"
    return document, [said, table(("token", "flow from", "flow", "rollout from", "rollout"), rows)]


def _roles(loaded: "LoadedModel", row: Input, given: dict[str, Any], report: Part) -> tuple[dict[str, Any], list[Any]]:
    from lmcore.analysis import head_roles

    found = head_roles(loaded, row, kind=given["kind"], max_bytes=given["max_mib"] * MIB, report=report)
    strongest = found.strongest()
    best = strongest.sort_values("score", ascending=False, kind="stable")
    document = {
        "kind": found.kind,
        "parameters": found.parameters,
        "strongest": records(strongest),
        "scores": {name: found.score(name) for name in found.roles},
    }
    tops = []
    for name in found.roles:
        scores = np.nan_to_num(found.score(name))
        layer, head = np.unravel_index(scores.argmax(), scores.shape)
        tops.append((HEAD_ROLES[name].title, f"{layer + 1}.{head + 1}", float(scores.max())))
    return document, [
        "The head that scores highest for each role, as layer.head",
        table(("role", "head", "score"), tops),
        "The clearest heads",
        table(("layer", "head", "role", "score"), best.head(_SHOWN).itertuples(index=False, name=None)),
    ]


def _importance(
    loaded: "LoadedModel", row: Input, given: dict[str, Any], report: Part
) -> tuple[dict[str, Any], list[Any]]:
    from lmcore.analysis import head_importance

    method = given["method"]
    options = given_options({name: given[name] for each in IMPORTANCE.values() for name in _names(each.options)})
    found = head_importance(
        loaded, row, method=method, kind=given["kind"], output=given["output"], report=report, **options
    )
    frame = found.to_frame()
    document = {
        "kind": found.kind,
        "method": method,
        "options": found.parameters,
        "judged_by": found.said,
        "unit": found.unit,
        "importance": found.values,
    }
    rows = frame.head(_SHOWN).itertuples(index=False, name=None)
    said = f"What {found.said} hangs on most, in {found.unit}"
    return document, [said, table(("layer", "head", "importance"), rows)]


def _names(options: Any) -> list[str]:
    return [option.name for option in options]
