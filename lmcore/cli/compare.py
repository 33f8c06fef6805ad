"""``lmcore analyse compare``: two texts, two versions, two methods or two heads side by side, with the difference."""

import re
from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.attribution.methods import ATTRIBUTION, UNITS
from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import choices_help
from lmcore.cli.output import Answer, records, table
from lmcore.errors import OptionError
from lmcore.types import Input, Part

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.models.load import LoadedModel
    from lmcore.types import Report

_KINDS = ("self", "encoder", "decoder", "cross")
_SHOWN = 12


@click.command(
    "compare",
    cls=AnswerCommand,
    short_help="Two texts, versions, methods or heads side by side.",
    epilog="Example: lmcore analyse compare models:/feedback/1 'It came late.' --with-text 'It came early.' "
    "Another: lmcore analyse compare models:/feedback/1 'It came late.' --heads 1.2 2.3",
)
@click.argument("version")
@click.argument("text")
@click.option("--column", "columns", type=(str, str), multiple=True, metavar="NAME TEXT", help="A further column "
    "that the model reads.")  # fmt: skip
@click.option("--with-text", metavar="TEXT", help="Compare with another text in the first one's place.")
@click.option("--with-version", metavar="VERSION", help="Compare with another version of the same task.")
@click.option("--with-method", type=click.Choice(list(ATTRIBUTION)), help="Compare with another method.")
@click.option("--heads", nargs=2, metavar="A B", help="Compare two attention heads, each as layer.head, from 1.1.")
@click.option("--kind", type=click.Choice(_KINDS), default="self", show_default=True, help="Of heads: which attention.")
@click.option("--output", metavar="TEXT", help="What a model that writes is taken to have written.")
@click.option("--target", metavar="WHAT", help="What is explained.  [default: what the model says]")
@click.option("--against", metavar="WHAT", help="Explain why the target rather than this.")
@click.option("--by", type=click.Choice(UNITS), default="word", show_default=True, help="Units that are compared.")
@click.option(
    "--method", type=click.Choice(list(ATTRIBUTION)), default=next(iter(ATTRIBUTION)), show_default=True,
    help=choices_help(ATTRIBUTION),
)  # fmt: skip
@click.pass_obj
def compare_command(session: Session, /, version: str, text: str, **given: Any) -> Answer:
    """Set TEXT, as VERSION reads it, beside another text, version, method or head: give one of them."""
    sides = [name for name in ("with_text", "with_version", "with_method", "heads") if given[name]]
    if len(sides) != 1:
        refuse("Give one of --with-text, --with-version, --with-method and --heads.")
    heads = [_head(name) for name in given["heads"] or ()]
    from lmcore.models.load import load_model

    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(version, settings=session.settings)
        part = Part(report, 0.2, 1.0)
        if heads:
            return _heads(loaded, _row(loaded, text, given["columns"]), heads, given, part)
        return _attributions(session, loaded, text, given, part)


def _row(loaded: "LoadedModel", text: str, columns: tuple[tuple[str, str], ...]) -> Input:
    """Return what is read: the text, or with further columns the row that it is the first column of."""
    from lmcore.tasks import load_task

    text = text.encode(errors="replace").decode()
    return {load_task(loaded.task).required()[0]: text, **dict(columns)} if columns else text


def _head(name: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{1,4}\.\d{1,4}", name):
        raise OptionError(f"{name!r} is no head: give its layer and its place in it, such as 2.7.")
    layer, place = name.split(".")
    return int(layer), int(place)


def _heads(
    loaded: "LoadedModel", row: Input, heads: list[tuple[int, int]], given: dict[str, Any], report: "Report"
) -> Answer:
    from lmcore.analysis import attention_maps, contrast_heads

    maps = attention_maps(loaded, row, kind=given["kind"], output=given["output"], report=report)
    found = contrast_heads(maps, heads[0], heads[1])
    names = ["{}.{}".format(*head) for head in heads]
    document = {
        "version": str(loaded.ref), "heads": names, "kind": maps.kind, "tokens": maps.tokens, "rows": maps.rows,
        "first": found.weights[0], "second": found.weights[1], "distances": found.distances,
        "correlation": found.correlation, "truncated": maps.truncated,
    }  # fmt: skip
    rows = found.by_row().sort_values("distance", ascending=False, kind="stable").head(_SHOWN)
    return Answer(document, [
        f"Heads {names[0]} and {names[1]}: their rows are {found.distances.mean():.3f} apart on the mean (Jensen-Shannon "
        f"distance, 0 to 1), and their maps correlate with {found.correlation:+.2f}",
        table(("token that looks", "distance"), rows[["token", "distance"]].to_numpy().tolist()),
    ])  # fmt: skip


def _attributions(
    session: Session, loaded: "LoadedModel", text: str, given: dict[str, Any], report: "Report"
) -> Answer:
    from lmcore.analysis import contrast
    from lmcore.models.load import load_model

    row = _row(loaded, text, given["columns"])
    other_row = _row(loaded, given["with_text"], given["columns"]) if given["with_text"] else row
    first = _explained(loaded, row, given, given["method"], None, Part(report, 0.0, 0.5))
    other = load_model(given["with_version"], settings=session.settings) if given["with_version"] else loaded
    method = given["with_method"] or given["method"]
    second = _explained(other, other_row, given, method, first, Part(report, 0.5, 1.0))
    found = contrast(first, second, unit=given["by"])
    document = {
        "versions": [str(loaded.ref), str(other.ref)], "methods": [first.method, second.method],
        "target": {"label": first.target.label, "against": first.target.against or None},
        "values": [first.value, second.value], "agreement": found.agreement, "units": records(found.units),
    }  # fmt: skip
    units = found.units.loc[found.units["difference"].abs().sort_values(ascending=False).index].head(_SHOWN)
    against = f" rather than {first.target.against}" if first.target.against else ""
    return Answer(document, [
        f"Why {first.target.label or 'all of it'}{against}: {first.value:+.3f} and {second.value:+.3f}; the units that "
        "differ most",
        table(("unit", "other", "first", "second", "difference"), units.to_numpy().tolist()),
    ])  # fmt: skip


def _explained(
    loaded: "LoadedModel", row: Input, given: dict[str, Any], method: str, first: "Attribution | None", report: "Report"
) -> "Attribution":
    """Explain one side; the second explains what the first does."""
    from lmcore.analysis import attribute
    from lmcore.cli.targets import target_of
    from lmcore.models.predict import predict_texts
    from lmcore.tasks import load_task
    from lmcore.types import Prediction

    if first is not None:
        return attribute(loaded, row, first.target, output=first.output or None, method=method, report=report)
    task = load_task(loaded.task).adapted(loaded.model.config)
    said = given["output"]
    prediction = predict_texts(loaded, [row])[0] if said is None else Prediction(0, text=said)
    target = target_of(task, prediction, given["target"], given["against"], (0, 0))
    written = prediction.text if task.decoding(loaded) is not None else said
    return attribute(loaded, row, target, output=written or None, method=method, report=report)
