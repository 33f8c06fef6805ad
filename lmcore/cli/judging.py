"""``lmcore compare`` and ``lmcore curve``."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.types import SPLITS, Part

if TYPE_CHECKING:
    from lmcore.training.comparison import Comparison
    from lmcore.training.curve import LearningCurve

_SHOWN = 10


@click.command(
    "compare",
    short_help="Say which of two or more versions is better on the same rows.",
    cls=AnswerCommand,
    epilog="Example: lmcore compare models:/feedback-en/1 models:/feedback-en/2 feedback-en@3",
)
@click.argument("versions", nargs=-1, required=True, metavar="VERSION VERSION...")
@click.argument("data")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Which rows.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the paired bootstrap.")
@click.option(
    "--before",
    help="Show row by row what changed since: base (what the one VERSION was made from), a version, a base model or the name "
    "of a baseline.",
)
@click.option("--text", "texts", multiple=True, help="With --before: a text to ask both about; may be repeated.")
@click.pass_obj
def compare_command(
    session: Session,
    versions: tuple[str, ...],
    data: str,
    split: str,
    seed: int,
    before: str | None,
    texts: tuple[str, ...],
) -> Answer:
    """Compare each VERSION (models:/NAME@ALIAS) on the rows of DATA (name@version) by a paired bootstrap.

    What was not evaluated on these rows yet is evaluated now and kept.
    """
    if before is not None:
        from lmcore.cli.beside import beside_answer

        if len(versions) != 1:
            refuse("Give one version, then the data set: --before names the other.")
        return beside_answer(session, versions[0], data, split, before, texts, seed)
    if texts:
        refuse("--text needs --before.")
    if len(versions) < 2:
        refuse("Give two versions or more, then the data set.")
    from lmcore.data.store import DatasetStore
    from lmcore.training.comparison import compare
    from lmcore.training.kept import ensure_evaluation

    settings = session.settings
    dataset = DatasetStore(settings.workspace).load(data)
    with session.report() as report:
        found = [
            ensure_evaluation(
                version,
                dataset,
                split=split,
                settings=settings,
                report=Part(report, number / len(versions), (number + 1) / len(versions)),
            )
            for number, version in enumerate(versions)
        ]
    return _comparison_answer(compare(found, seed=seed))


def _comparison_answer(result: "Comparison") -> Answer:
    document = {
        "versions": result.versions,
        "data": result.data,
        "task": result.task,
        "verdicts": result.verdicts(),
        "figures": records(result.figures),
        "differences": records(result.differences),
        "disagreements": records(result.disagreements),
        "parameters": result.parameters,
    }
    shown: list[Any] = [
        *result.verdicts(),
        table(tuple(result.differences.columns), result.differences.itertuples(index=False)),
    ]
    rows = result.disagreements
    if len(rows):
        head = ("row", "label", *result.versions, "text")
        listed = [
            (r["id"] + 1, r["gold"], *(r[v] for v in result.versions), r["text"]) for r in records(rows.head(_SHOWN))
        ]
        shown += [f"Rows that one gets right and another wrong: {len(rows)}.", table(head, listed)]
    return Answer(document, shown)


@click.command(
    "curve",
    short_help="Draw the learning curve of a version: what more data would bring.",
    cls=AnswerCommand,
    epilog="Example: lmcore curve models:/feedback-en/1 --share 0.1 --share 0.5 --share 1",
)
@click.argument("version")
@click.option(
    "--share",
    "shares",
    type=float,
    multiple=True,
    help="Share of the training split; give two or more.  [default: 0.1, 0.25, 0.5 and 1]",
)
@click.option("--background", is_flag=True, help="Submit it as a job that outlives this command; see lmcore jobs.")
@click.pass_obj
def curve_command(session: Session, version: str, shares: tuple[float, ...], background: bool) -> Answer:
    """Train as VERSION was trained on growing parts of its data, and measure each on the test split."""
    from lmcore.data.store import DatasetStore
    from lmcore.models.registry import ModelRegistry
    from lmcore.training.config import TrainConfig
    from lmcore.training.curve import SHARES, learning_curve
    from lmcore.training.estimate import estimate_training
    from lmcore.training.judging import CURVE, curve_config

    settings = session.settings
    known = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(version)
    if not known.facts.get("config"):
        raise InputError(
            f"{known.ref} was not trained here, so that its configuration is not known: choose another version."
        )
    config, data = TrainConfig.from_dict(known.facts["config"]), str(known.facts["data"])
    dataset, chosen = DatasetStore(settings.workspace).load(data), shares or SHARES
    if background:
        told = curve_config(config, data, chosen, settings=settings)
        needs = estimate_training(config, dataset, settings).nbytes
        return _submit(session, CURVE, told, f"Learning curve of {known.ref}", needs)
    with session.report() as report:
        found = learning_curve(config, dataset, shares=chosen, settings=settings, report=report)
    return Answer(_curve_document(found), [found.verdict, _curve_table(found)])


def _submit(session: Session, target: str, config: dict[str, Any], title: str, needs_bytes: int) -> Answer:
    from lmcore.cli.jobs import job_document
    from lmcore.jobs import JobBoard

    board = JobBoard(session.settings.workspace, jobs_at_once=session.settings.jobs_at_once)
    job = board.submit(target, config, title=title, kind="curve", needs_bytes=needs_bytes)
    said = f"The job {job.id} is {job.state}. Follow it with: lmcore jobs show {job.id}"
    return Answer({"job": job_document(job)}, [said])


def _curve_document(found: "LearningCurve") -> dict[str, Any]:
    return {
        "id": found.id,
        "data": found.data,
        "points": records(found.points),
        "gain": found.gain,
        "verdict": found.verdict,
        "config": found.config,
    }


def _curve_table(found: "LearningCurve") -> Any:
    metric = found.main
    rows = found.points[found.points["metric"] == metric.name]
    listed = [
        (
            f"{r['share']:.0%}",
            r["rows"],
            r["model"],
            f"{metric.show(r['value'])} ({metric.show(r['low'])}–{metric.show(r['high'])})",
        )
        for r in records(rows)
    ]
    return table(("share", "rows", "model", metric.title), listed)
