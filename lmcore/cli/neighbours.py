"""``lmcore analyse neighbours``."""

from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.counterfactuals import model_of, read_input
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.types import SPLITS

if TYPE_CHECKING:
    from lmcore.analysis.examples.influence import Checkpoint, Influences
    from lmcore.analysis.examples.nearest import Neighbours
    from lmcore.data.dataset import TextDataset
    from lmcore.models.load import LoadedModel
    from lmcore.types import Input

_WHOLE = "all"
_SHOWN_ANSWER = 60


@click.command(
    "neighbours",
    cls=AnswerCommand,
    short_help="Find the training rows nearest to a text, or those that its answer hangs on.",
    epilog="Example: lmcore analyse neighbours models:/feedback-en@champion 'It broke after a day.' --data feedback-en@3. "
    "Another: lmcore analyse neighbours models:/feedback-en@champion --row 17 --data feedback-en@3 --by influence",
)
@click.argument("version")
@click.argument("text", required=False)
@click.option("--data", required=True, metavar="DATA", help="The data set (name@version) whose rows are searched.")
@click.option(
    "--row", type=click.IntRange(1), metavar="N", help="Take row N of the data set as the text, and leave it out."
)
@click.option(
    "--by",
    type=click.Choice(["nearest", "influence"]),
    default="nearest",
    show_default=True,
    help="nearest: by the cosine of mean token vectors. influence: by TracIn on the last layer.",
)
@click.option("--split", type=click.Choice([*SPLITS, _WHOLE]), default="train", show_default=True, help="Whose rows.")
@click.option(
    "--layer", type=click.IntRange(-1), default=-1, show_default=True, help="nearest: which layer; -1 is the last."
)
@click.option(
    "-k", "--count", type=click.IntRange(1), default=10, show_default=True, help="How many rows; of each sign."
)
@click.option(
    "--label",
    default="",
    metavar="ANSWER",
    help="influence: the answer that it is about, written as the data has it: a label, a tag for each word, a stretch of the "
    "context, a text.  [default: what the model says]",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="MODEL[=RATE]",
    help="influence: a moment of the training, such as folder:PATH=5e-5, with its learning rate. Can be given several times.  "
    "[default: the final weights alone]",
)
@click.pass_obj
def neighbours_command(
    session: Session,
    /,
    version: str,
    text: str | None,
    data: str,
    row: int | None,
    by: str,
    split: str,
    layer: int,
    count: int,
    label: str,
    checkpoints: tuple[str, ...],
) -> Answer:
    """Find the rows of DATA that VERSION holds most alike to TEXT, or that made it answer as it does; - reads it."""
    from lmcore.analysis import influential_examples, nearest_examples
    from lmcore.data.store import DatasetStore
    from lmcore.models.load import LoadedModel, load_model

    if (text is None) == (row is None):
        refuse("Give either TEXT or --row.")
    dataset = DatasetStore(session.settings.workspace).load(data)
    given = _row_input(dataset, row) if row is not None else read_input(str(text))
    options: dict[str, Any] = {
        "k": count,
        "split": "" if split == _WHOLE else split,
        "row": None if row is None else row - 1,
    }
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        if by == "nearest":
            loaded = load_model(version, settings=session.settings)
            stores = session.settings.workspace.stores
            near = nearest_examples(loaded, given, dataset, layer=layer, stores=stores, report=report, **options)
            return Answer(_nearest_document(version, near), _shown_nearest(near))
        model = model_of(session, version)
        if not isinstance(model, LoadedModel):
            raise InputError("The influence of rows needs a model's weights: give a registered version.")
        moments = [_checkpoint(session, item, model) for item in checkpoints]
        found = influential_examples(model, given, dataset, label=label, checkpoints=moments, report=report, **options)
    return Answer(_influence_document(version, found), _shown_influences(found))


def _row_input(data: "TextDataset", row: int) -> "Input":
    from lmcore.tasks import load_task

    found = data.frame[data.frame["id"] == row - 1]
    if found.empty:
        raise InputError(f"{data.called} has no row {row}: it was dropped, or the file had fewer.")
    names = load_task(data.task).inputs(found)
    cells = {name: str(found[name].iloc[0]) for name in names}
    return cells[names[0]] if len(names) == 1 else cells


def _checkpoint(session: Session, item: str, model: "LoadedModel") -> "Checkpoint":
    from lmcore.analysis import Checkpoint
    from lmcore.models.load import load_model

    ref, _, rate = item.rpartition("=") if "=" in item else (item, "", "1")
    try:
        learning_rate = float(rate)
    except ValueError as error:
        raise InputError(f"{rate[:40]!r} is no learning rate: write --checkpoint folder:PATH=5e-5.") from error
    return Checkpoint(load_model(ref, task=model.task, settings=session.settings), learning_rate)


def _nearest_document(version: str, found: "Neighbours") -> dict[str, Any]:
    return {
        "version": version,
        "data": found.data,
        "label": found.label,
        "agreement": found.agreement,
        "layer": found.layer,
        "searched": found.searched,
        "rows": records(found.rows),
        "parameters": found.parameters,
        "fingerprint": found.fingerprint,
    }


def _shown_nearest(found: "Neighbours") -> list[Any]:
    rows = [
        (
            item["id"] + 1,
            item["similarity"],
            item["label"],
            "yes" if item["duplicate"] else "",
            item["text"],
        )
        for item in records(found.rows)
    ]
    agreed = (
        f"{found.agreement:.0%} of them have the label {found.label}." if found.agreement == found.agreement else ""
    )
    said = f"The nearest of {found.searched:,} rows of {found.data} at layer {found.layer}. {agreed}".rstrip()
    return [said, table(("row", "cosine", "label", "duplicate", "text"), rows)]


def _influence_document(version: str, found: "Influences") -> dict[str, Any]:
    return {
        "version": version,
        "data": found.data,
        "label": found.label,
        "method": found.method,
        "checkpoints": found.checkpoints,
        "searched": found.searched,
        "rows": records(found.rows),
        "parameters": found.parameters,
        "fingerprint": found.fingerprint,
    }


def _shown_influences(found: "Influences") -> list[Any]:
    rows = [
        (
            item["id"] + 1,
            f"{item['influence']:+.3g}",
            item["label"],
            "yes" if item["duplicate"] else "",
            item["text"],
        )
        for item in records(found.rows)
    ]
    answer = shorten(found.label, _SHOWN_ANSWER)
    return [
        f"What speaks for (+) and against (-) {answer} most, among {found.searched:,} rows of {found.data}.",
        table(("row", "influence", "label", "duplicate", "text"), rows),
        found.method,
    ]
