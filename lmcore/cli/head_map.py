"""``lmcore analyse head-map``: which layers or heads are alike, by their parameters or by where they look."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.projection.methods import PROJECTION
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.analysis.attention.head_maps import HeadMap

_SHOWN = 10


@click.command(
    "head-map",
    cls=AnswerCommand,
    short_help="Lay out a model's layers or heads on a map.",
    epilog="Example: lmcore analyse head-map models:/feedback@champion --what attention --data feedback-en@3",
)
@click.argument("model")
@click.option(
    "--what", type=click.Choice(["parameters", "attention"]), default="parameters", show_default=True,
    help="What is compared.",
)  # fmt: skip
@click.option("--unit", type=click.Choice(["head", "layer"]), default="head", show_default=True, help="Of each what.")
@click.option("--data", metavar="DATA", help="With --what attention: the texts, a stored data set (name@version).")
@click.option(
    "--rows", type=click.IntRange(1), default=40, show_default=True, help="With --what attention: texts at most."
)
@click.option(
    "--method", type=click.Choice(list(PROJECTION)), default="pca", show_default=True, help="Which projection."
)
@method_flags(PROJECTION)
@click.pass_obj
def head_map_command(
    session: Session, /, model: str, what: str, unit: str, data: str | None, rows: int, method: str, **flags: Any
) -> Answer:
    """Lay out the heads or layers of MODEL (models:/NAME@ALIAS, or a pre-trained model): those that are alike lie close."""
    if (what == "attention") != (data is not None):
        refuse("Give --data with --what attention, and with it alone.")
    options = PROJECTION[method].check(given_options(flags))
    from lmcore.analysis import map_heads
    from lmcore.models.load import load_model

    texts = _texts(session, data, rows) if data else []
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(model, settings=session.settings)
        found = map_heads(
            loaded, what=what, unit=unit, texts=texts, method=method, options=options,  # type: ignore[arg-type]
            report=Part(report, 0.1, 1.0),
        )  # fmt: skip
    document = {
        "model": str(loaded.ref),
        "what": found.what,
        "unit": unit,
        "method": found.method,
        "parameters": dict(found.parameters),
        "explained_variance": found.explained_variance,
        "points": records(found.points),
        "distances": found.distances,
        "fingerprint": found.fingerprint,
    }
    return Answer(document, _show(found))


def _texts(session: Session, data: str, rows: int) -> list[str]:
    from lmcore.data.store import DatasetStore
    from lmcore.tasks import load_task

    dataset = DatasetStore(session.settings.workspace).load(data)
    frame = dataset.part("test").frame if dataset.is_split else dataset.frame
    return [str(text) for text in load_task(dataset.task).texts(frame).head(rows)]


def _show(found: "HeadMap") -> list[Any]:
    import numpy as np

    names = found.points["id"].tolist()
    first, second = np.triu_indices(len(names), 1)
    order = np.argsort(found.distances[first, second], kind="stable")[:_SHOWN]
    rows = [(names[first[n]], names[second[n]], float(found.distances[first[n], second[n]])) for n in order]
    said = [f"{PROJECTION[found.method].title} of {len(names)} by their {found.what}; the most alike:"]
    if found.explained_variance:
        said.append(f"The axes hold {sum(found.explained_variance):.0%} of the variance.")
    return [*said, table(("one", "other", "distance"), rows)]
