"""What is in a workspace, stage by stage, with a verdict and the next sensible step."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lmcore.data.store import DatasetInfo, DatasetStore
from lmcore.errors import StorageError, UnknownError
from lmcore.jobs import JobBoard, JobState
from lmcore.models.registry import ModelRegistry, ModelVersion
from lmcore.projection.methods import PROJECTION
from lmcore.serving.server import server_state
from lmcore.settings import Settings, Workspace
from lmcore.storage import FINISHED
from lmcore.tasks import reads_task
from lmcore.training.evaluation import load_evaluation
from lmcore.training.kept import chief_evaluation
from lmcore.training.verdict import headline
from lmcore.types import count_of

if TYPE_CHECKING:
    from lmcore.training.evaluation import Evaluation

Condition = Literal["empty", "ready", "running", "attention"]


@dataclass(frozen=True)
class StageState:
    """One stage of the way.

    Attributes:
        stage: Data, Train, Analyse, Visualise or Operate.
        condition: ``empty`` (nothing yet), ``ready``, ``running`` or ``attention`` (something should be looked at).
        verdict: what there is, in one or two sentences.
        next_step: what to do next.
        choices: what a link to the stage's page takes along.
    """

    stage: str
    condition: Condition
    verdict: str
    next_step: str
    choices: dict[str, str]


@dataclass(frozen=True)
class Overview:
    """The five stages, and whether there is nothing at all yet."""

    stages: tuple[StageState, ...]
    empty: bool


def overview(settings: Settings, board: JobBoard) -> Overview:
    """Read the state of a workspace; no model is loaded.

    Raises:
        StorageError: a database or file of the workspace is damaged.
    """
    workspace = settings.workspace
    datasets = DatasetStore(workspace).list()
    versions = [v for v in ModelRegistry(workspace, tracking_uri=settings.tracking_uri).list() if v.available]
    best = _best(versions)
    evaluation = _evaluation(workspace, best)
    running = {job.kind for job in board.list(limit=50) if job.state in {JobState.QUEUED, JobState.RUNNING}}
    stages = (
        _data(datasets),
        _train(datasets, best, evaluation, "train" in running),
        _analyse(workspace, versions),
        _visualise(workspace, best, evaluation, "map" in running),
        _operate(workspace, best),
    )
    return Overview(stages, empty=not datasets and not versions and not running)


def _evaluation(workspace: Workspace, version: ModelVersion | None) -> "Evaluation | None":
    kept = chief_evaluation(workspace, version.ref) if version else None
    return load_evaluation(workspace, kept) if kept else None


def _data(datasets: Sequence[DatasetInfo]) -> StageState:
    if not datasets:
        return StageState("Data", "empty", "No data set yet.", "Upload a file or take a sample.", {})
    newest = datasets[0]
    names = {info.ref.name for info in datasets}
    said = (
        f"{count_of(len(names), 'data set')} in {count_of(len(datasets), 'version')}; the newest, {newest.ref}, has "
        f"{count_of(newest.rows, 'row')}{' and is split' if newest.is_split else ''}."
    )
    choices = {"dataset": str(newest.ref)}
    if any(info.is_split for info in datasets):
        return StageState("Data", "ready", said, "Train on a split data set, or bring in more data.", choices)
    return StageState("Data", "attention", said, "Clean it, then split it into train, dev and test.", choices)


def _train(
    datasets: Sequence[DatasetInfo], best: ModelVersion | None, evaluation: "Evaluation | None", running: bool
) -> StageState:
    if best is None:
        if running:
            return StageState("Train", "running", "A model is being trained.", "Watch it.", {})
        ready = any(info.is_split for info in datasets)
        step = "Train a first model." if ready else "First split a data set on the Data page."
        return StageState("Train", "empty", "No model yet.", step, {})
    choices = {"version": str(best.ref)}
    condition: Condition = "running" if running else "ready"
    if evaluation is None:
        return StageState("Train", condition, f"{best.ref} is registered, not evaluated.", "Evaluate it.", choices)
    said = f"{best.ref} on the test split: {headline(evaluation)}."
    if evaluation.rival is not None and evaluation.rival.beats:
        said += " A plain baseline does as well."
        return StageState("Train", "attention", said, "Try another model or method, or more data.", choices)
    return StageState("Train", condition, said, "Read its surest errors, or train a stronger one.", choices)


def _best(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """Return the newest champion, else the newest version."""
    return next((v for v in versions if "champion" in v.aliases), versions[0] if versions else None)


def _analyse(workspace: Workspace, versions: Sequence[ModelVersion]) -> StageState:
    best = _best([version for version in versions if reads_task(version.task)])
    evaluation = _evaluation(workspace, best)
    if best is None:
        return StageState("Analyse", "empty", "Nothing to look into yet.", "Train a model first.", {})
    choices = {"version": str(best.ref)}
    if evaluation is None:
        return StageState("Analyse", "ready", f"{best.ref} can be looked into.", "Type a text.", choices)
    errors = evaluation.errors(1)
    rows = evaluation.parameters["rows"]
    if errors.empty:
        return StageState("Analyse", "ready", f"{best.ref} is right on all {rows} test rows.", "Type a text.", choices)
    wrong = int((~evaluation.predictions["correct"]).sum())
    row = errors.iloc[0]
    said = (
        f"{best.ref} is wrong on {wrong} of {rows} test rows; the surest error takes {row['gold']!r} for {row['label']!r} "
        f"with {row['score']:.0%}."
    )
    choices |= {"dataset": evaluation.data.partition(":")[0], "row": str(row["id"])}
    return StageState("Analyse", "attention", said, "Look at why the surest error happens.", choices)


def _visualise(
    workspace: Workspace, best: ModelVersion | None, evaluation: "Evaluation | None", running: bool
) -> StageState:
    if best is None:
        return StageState("Visualise", "empty", "No map yet.", "Train a model first.", {})
    choices = {"version": str(best.ref)}
    maps = sorted(workspace.results.glob(f"maps/{FINISHED}/map.json"), key=lambda path: path.stat().st_mtime)
    if evaluation is not None:
        choices["dataset"] = evaluation.data.partition(":")[0]
    if not maps:
        said = "A map is being drawn." if running else "No map has been drawn yet."
        return StageState("Visualise", "running" if running else "empty", said, "Draw the map of a layer.", choices)
    description, shown = _describe_map(maps[-1])
    said, choices = f"{len(maps)} map{'s' if len(maps) > 1 else ''}; the newest is {description}.", choices | shown
    step = "Look at the outliers and at what lies in the wrong place."
    return StageState("Visualise", "running" if running else "ready", said, step, choices)


def _describe_map(path: Path) -> tuple[str, dict[str, str]]:
    """Return what a map is in a few words, and the choices that open it."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        parameters, quality = facts["parameters"], facts["quality"].get("trustworthiness")
        method = PROJECTION[parameters["method"]].title
        kept = f", neighbourhoods kept to {quality:.2f}" if quality is not None else ""
        data, _, split = parameters["data"].partition(":")
        choices = {"version": parameters["version"], "dataset": data, "layer": str(facts["layer"])}
        choices |= {"visualise_method": method, "visualise_split": split or "all"}
        return f"{method} of layer {facts['layer']} over {parameters['data']}{kept}", choices
    except (OSError, ValueError, KeyError, UnknownError) as error:
        raise StorageError(f"The map {path.parent.name} is damaged: delete {path.parent}.") from error


def _operate(workspace: Workspace, best: ModelVersion | None) -> StageState:
    state = server_state(workspace)
    if state.state in {"running", "starting"}:
        said = f"The prediction server is {state.state} with {state.version} at {state.url}."
        return StageState("Operate", "running", said, "Send it a text; watch its latency.", {"version": state.version})
    if state.state in {"died", "failed"}:
        return StageState("Operate", "attention", state.message, "Start it again.", {"version": state.version})
    if best is None:
        return StageState("Operate", "empty", "Nothing to serve yet.", "Train a model first.", {})
    champion = "champion" in best.aliases
    said = f"{best.ref} is the champion; no server is running." if champion else "No version is the champion yet."
    step = "Start the prediction server." if champion else f"Promote {best.ref} and start the prediction server."
    return StageState("Operate", "ready", said, step, {"version": str(best.ref)})
