"""``lmcore train`` and ``lmcore evaluate``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.forgetting import forgetting_document
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, plain, records, table
from lmcore.errors import Cancelled
from lmcore.models.decoding import DECODING
from lmcore.settings import MIB
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.ray_jobs import RayAccess
from lmcore.training.distributed.workers import Place, Workers, join_workers
from lmcore.training.methods import TRAINING, check_workers
from lmcore.types import SPLITS

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.tasks.figures import Metric
    from lmcore.training.estimate import Estimate
    from lmcore.training.evaluation import Evaluation
    from lmcore.training.fit import TrainResult
    from lmcore.types import Report

_ENDS = ("_low", "_high")
_SHOWN_ERRORS = 5


@click.command(
    "train",
    short_help="Train a model on a split data set, measure it and register it.",
    cls=AnswerCommand,
    epilog="Example: lmcore train feedback-en@3 --method scratch --model config:bert-small --learning-rate 5e-4",
)
@click.argument("data")
@click.option("--name", help="Name under which the version is registered.  [default: the data set's name]")
@click.option(
    "--model",
    help="What is trained: packaged:NAME, config:NAME, models:/NAME@ALIAS, hub:ORG/NAME or a folder.  [default: what suits "
    "the task and its language]",
)
@click.option(
    "--method",
    type=click.Choice(list(TRAINING)),
    help=choices_help(TRAINING) + "  [default: the first that fits]",
)
@method_flags(TRAINING)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="How many processes train together, each on a part of every batch.  [default: 1; on a cluster LMSCOPE_RAY_WORKERS]",
)
@click.option("--cluster", is_flag=True, help="Train on the Ray cluster of LMSCOPE_RAY_ADDRESS; see the README.")
@click.option("--background", is_flag=True, help="Submit it as a job that outlives this command; see lmcore jobs.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint of the same command that was stopped.")
@click.pass_obj
def train_command(
    session: Session,
    /,
    data: str,
    name: str | None,
    model: str | None,
    method: str | None,
    workers: int | None,
    cluster: bool,
    background: bool,
    resume: bool,
    **flags: Any,
) -> Answer:
    """Train a model on DATA (a split data set, as name@version), measure it on the test split and register it.

    Started by torchrun, every process takes a part of each batch, and the first one says what came out.
    """
    if background and resume:
        refuse("--background and --resume don't go together: take up a stopped job with lmcore jobs resume.")
    from lmcore.data.store import DatasetStore
    from lmcore.training.continual.lineage import pinned
    from lmcore.training.defaults import default_config
    from lmcore.training.estimate import estimate_training
    from lmcore.training.fit import train

    dataset = DatasetStore(session.settings.workspace).load(data)
    usual = default_config(dataset, model=model or "", method=method or "")
    given = given_options(flags)
    TRAINING[usual.method].check(given)
    config = pinned(replace(usual, name=name or usual.name, **given).checked(), session.settings)
    place = Place(workers or (session.settings.ray_workers if cluster else 1), cluster)
    if cluster:
        RayAccess.from_environment(session.settings)
    check_workers(config, place.workers)
    with join_workers(session.settings.device) as joined:
        if joined.size > 1 and (background or not place.alone):
            refuse("torchrun has started the workers already: leave --workers, --cluster and --background out.")
        if not joined.leads:
            train(config, dataset, settings=session.settings, resume=resume, workers=joined)
            raise click.exceptions.Exit(0)
        estimate = estimate_training(config, dataset, session.settings)
        for sentence in _describe_estimate(estimate):
            session.note(sentence)
        if background:
            return _submit(session, config, data, estimate, place)
        if not place.cluster:
            estimate.check(place.workers)
        return _train(session, config, dataset, estimate, resume, place, joined)


@click.command(
    "evaluate",
    short_help="Measure a registered version on a data set.",
    cls=AnswerCommand,
    epilog="Example: lmcore evaluate models:/feedback-en@champion feedback-en@3 --split dev",
)
@click.argument("version")
@click.argument("data")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Which rows.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the bootstrap intervals.")
@method_flags({DECODING.name: DECODING}, "decoding_")
@click.option("--slices", is_flag=True, help="Also measure slices: by label, length, language and further columns.")
@click.option("--calibration", is_flag=True, help="Also measure whether the probabilities hold.")
@click.pass_obj
def evaluate_command(
    session: Session,
    /,
    version: str,
    data: str,
    split: str,
    seed: int,
    slices: bool,
    calibration: bool,
    **flags: Any,
) -> Answer:
    """Measure VERSION (models:/NAME@ALIAS) on the rows of DATA (name@version) and keep the result.

    A base model (gguf:PATH, packaged:NAME …) can be measured where DATA's task needs no trained head.
    """
    from lmcore.data.store import DatasetStore
    from lmcore.tasks import load_task
    from lmcore.training.evaluation import evaluate, save_evaluation
    from lmcore.training.verdict import verdict

    dataset = DatasetStore(session.settings.workspace).load(data)
    given = given_options(flags, "decoding_")
    decoding = {item.name: item.check(given[item.name]) for item in DECODING.options if item.name in given}
    with session.report() as report:
        found = evaluate(
            version, dataset, split=split, settings=session.settings, seed=seed, decoding=decoding, report=report
        )
    save_evaluation(session.settings.workspace, found)
    rows = found.parameters["rows"]
    wrong = f": {int((~found.predictions['correct']).sum())} wrong" if load_task(found.task).judged else ""
    shown: list[Any] = [f"{found.version} on {rows} rows of {found.data}{wrong}. {verdict(found).replace('**', '')}"]
    shown.append(_metrics_table(found))
    if "by_class" in found.tables:
        shown += ["By class:", _class_table(found)]
    errors = found.errors(_SHOWN_ERRORS)
    if len(errors):
        listed = [(r["id"] + 1, r["gold"], r["label"], r["score"], r["text"]) for r in records(errors)]
        shown += ["The errors it is surest of:", table(("row", "label", "predicted", "score", "text"), listed)]
    document = _evaluation_document(found)
    if slices:
        document["slices"], more = _slices(found, dataset, seed)
        shown += more
    if calibration:
        document["calibration"], more = _calibration(found, seed)
        shown += more
    return Answer(document, shown)


def _slices(found: "Evaluation", data: "TextDataset", seed: int) -> tuple[dict[str, Any], list[Any]]:
    from lmcore.training.slices import describe, measure_slices

    report = measure_slices(found, data.frame, seed=seed)
    rows = report.slices.itertuples(index=False)
    return describe(report), [*report.sentences(), table(tuple(report.slices.columns), rows)]


def _calibration(found: "Evaluation", seed: int) -> tuple[dict[str, Any], list[Any]]:
    from lmcore.training.calibration import calibration

    measured = calibration(found, seed=seed)
    document = {
        "measures": records(measured.measures),
        "bins": records(measured.bins),
        "by_chance": measured.by_chance,
        "limit": measured.limit,
        "overconfidence": measured.overconfidence,
        "verdict": plain(measured.verdict),
    }
    rows = measured.measures.itertuples(index=False)
    return document, [plain(measured.verdict), table(("measure", "value", "low", "high"), rows)]


def _describe_estimate(estimate: "Estimate") -> list[str]:
    time = f"{estimate.seconds:.0f} seconds" if estimate.seconds < 120 else f"{estimate.seconds / 60:.0f} minutes"
    found = [f"This takes about {time} and {estimate.nbytes / MIB:,.0f} MiB of memory."]
    if not estimate.knows_language:
        found.append(
            f"The model does not know {estimate.unknown_share:.0%} of the tokens: --model config:bert-small --method "
            "scratch --learning-rate 5e-4 --epochs 10 learns your data's own."
        )
    return found


def _submit(session: Session, config: TrainConfig, data: str, estimate: "Estimate", place: Place) -> Answer:
    from lmcore.cli.jobs import job_document
    from lmcore.jobs import JobBoard
    from lmcore.training.job import TARGET, job_config

    board = JobBoard(session.settings.workspace, jobs_at_once=session.settings.jobs_at_once)
    job = board.submit(
        TARGET,
        job_config(config, data, settings=session.settings, workers=place.workers, cluster=place.cluster),
        title=f"Train {config.name} on {data}",
        kind="train",
        needs_bytes=0 if place.cluster else estimate.nbytes * place.workers,
    )
    said = f"The job {job.id} is {job.state}. Follow it with: lmcore jobs show {job.id}"
    return Answer({"job": job_document(job), "estimate": estimate}, [said])


def _train(
    session: Session,
    config: TrainConfig,
    dataset: "TextDataset",
    estimate: "Estimate",
    resume: bool,
    place: Place,
    joined: Workers,
) -> Answer:
    from lmcore.training.fit import train
    from lmcore.training.verdict import verdict

    try:
        with session.report() as report:
            if place.alone:
                result = train(config, dataset, settings=session.settings, report=report, resume=resume, workers=joined)
            else:
                result = _train_together(session, config, dataset, resume, place, report)
    except (Cancelled, KeyboardInterrupt) as error:
        raise Cancelled(
            "Training was stopped and its last checkpoint is kept: run the same command with --resume to go on."
        ) from error
    found = result.evaluation
    ref = str(result.version.ref)
    shown: list[Any] = [
        f"{ref} was trained in {result.seconds:.0f} seconds. {verdict(found).replace('**', '')}",
        _metrics_table(found),
        *_rewards_said(found),
        *([result.forgetting.verdict, *result.forgetting.sentences()] if result.forgetting else []),
        *result.warnings,
        f"Make it the champion with: lmcore models promote {result.version.name} {result.version.version}",
    ]
    return Answer(_training_document(result, estimate), shown)


def _train_together(
    session: Session, config: TrainConfig, dataset: "TextDataset", resume: bool, place: Place, report: "Report"
) -> "TrainResult":
    from lmcore.fingerprint import fingerprint
    from lmcore.training.fit import TrainResult
    from lmcore.training.job import job_config, run

    name = f"command-{fingerprint(config.to_dict(), dataset.fingerprint, place.cluster)}"
    settings, ref = session.settings, str(dataset.ref)
    told = job_config(config, ref, settings=settings, workers=place.workers, cluster=place.cluster, checkpoints=name)
    made = run(told, workspace=settings.workspace, report=report, resume=resume)
    return TrainResult.from_dict(made, session.settings)


def _training_document(result: "TrainResult", estimate: "Estimate") -> dict[str, Any]:
    found = result.evaluation
    return {
        "version": str(result.version.ref),
        "evaluation": found.id,
        "data": found.data,
        "metrics": result.metrics,
        "intervals": found.intervals,
        "baselines": records(found.tables["baselines"]) if "baselines" in found.tables else [],
        **({"rewards": records(found.tables["rewards"])} if "rewards" in found.tables else {}),
        "choices": result.choices,
        "warnings": result.warnings,
        "seconds": result.seconds,
        "estimate": estimate,
        **({"forgetting": forgetting_document(result.forgetting)} if result.forgetting else {}),
    }


def _rewards_said(found: "Evaluation") -> list[str]:
    from lmcore.training.reinforcement.rewarding import reward_verdict

    return [reward_verdict(found.tables["rewards"])] if "rewards" in found.tables else []


def _evaluation_document(found: "Evaluation") -> dict[str, Any]:
    return {
        "id": found.id,
        "version": found.version,
        "data": found.data,
        "task": found.task,
        "metrics": found.metrics,
        "intervals": found.intervals,
        **{name: records(table) for name, table in found.tables.items()},
        "errors": records(found.errors()[["id", "text", "gold", "label", "score"]]),
        "parameters": found.parameters,
    }


def _metrics_table(found: "Evaluation") -> Any:
    own = {"name": "this model", **found.metrics}
    own |= {f"{metric}{end}": x for metric, ends in found.intervals.items() for end, x in zip(_ENDS, ends, strict=True)}
    models = [own, *(records(found.tables["baselines"]) if "baselines" in found.tables else [])]
    rows = [
        [found.metric(name).title, *[_with_interval(model, found.metric(name)) for model in models]]
        for name in found.metrics
    ]
    return table(("", *[str(model["name"]) for model in models]), rows)


def _with_interval(model: Mapping[str, Any], metric: "Metric") -> str:
    if model.get(metric.name) is None or model[metric.name] != model[metric.name]:
        return "–"
    value, low, high = (metric.show(model[metric.name + end]) for end in ("", *_ENDS))
    return f"{value} ({low}–{high})"


def _class_table(found: "Evaluation") -> Any:
    by_class = found.tables["by_class"]
    wide = by_class.pivot(index=["label", "rows"], columns="metric", values="value").reset_index()
    rows = wide[["label", "rows", "precision", "recall", "f1"]].itertuples(index=False)
    return table(("class", "rows", "precision", "recall", "F1"), rows)
