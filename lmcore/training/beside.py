"""The same rows before and after training: what a version is held against, and what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lmcore.data.columns import labelled_columns
from lmcore.data.dataset import TextDataset
from lmcore.errors import InputError, UnknownError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.models.registry import ModelVersion
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.base import Task
from lmcore.tasks.bio import written_spans
from lmcore.tasks.figures import Metric
from lmcore.tasks.tally import like_tallies
from lmcore.tasks.writing import WritingTask
from lmcore.training.comparison import Comparison, compare
from lmcore.training.evaluation import Evaluation
from lmcore.types import Input, ModelRef, Prediction

Kind = Literal["version", "model", "rival"]
JUDGED = ("fixed", "broken", "still wrong", "still right")
MEASURED = ("better", "worse", "as before")
SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a version can be set beside.

    Attributes:
        name: a version's or model's reference, or a baseline's name.
        kind: ``version`` (registered), ``model`` (a base model that does the task as it is) or ``rival`` (a baseline).
        reason: what it is to the version, as the rest of a sentence.
    """

    name: str
    kind: Kind
    reason: str


@dataclass(frozen=True, eq=False)
class Beside:
    """A version beside what was before it, on the same rows.

    Attributes:
        before: what was before.
        after: the version.
        data: the rows, as a data set with its split in text form.
        metric: the figure of a single row by which its change is told.
        rows: ``id``, ``text``, ``gold``, ``before``, ``after`` (the answers), ``before_score``, ``after_score`` (how sure, 0
            to 1), ``before_figure``, ``after_figure`` (of the row alone) and ``change``: one of `JUDGED` where a row is right
            or wrong, else one of `MEASURED`.
        probabilities: ``id``, ``label``, ``before`` and ``after``: of each class, NaN where a model does not know it; no rows
            where the task has none.
        comparison: the paired figures.
    """

    before: str
    after: str
    data: str
    metric: Metric
    rows: pd.DataFrame
    probabilities: pd.DataFrame
    comparison: Comparison

    @property
    def changes(self) -> dict[str, int]:
        """How many rows each change has, in a fixed order."""
        counts = self.rows["change"].value_counts()
        kinds = JUDGED if set(self.rows["change"]) <= set(JUDGED) else MEASURED
        return {kind: int(counts.get(kind, 0)) for kind in kinds}

    def sentences(self) -> list[str]:
        """Say what changed, and whether the figures differ clearly."""
        listed = ", ".join(f"{count:,} {kind}" for kind, count in self.changes.items())
        by = "" if set(self.changes) == set(JUDGED) else f" by {self.metric.title} of the row"
        return [f"Of {len(self.rows):,} rows{by}: {listed}.", *self.comparison.verdicts()]

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.rows


def earlier_models(
    version: ModelVersion, versions: Sequence[ModelVersion], baselines: Sequence[str] = ()
) -> tuple[list[Earlier], str]:
    """Return what a version can be set beside, what it was made from first.

    Args:
        version: the version.
        versions: all that are registered.
        baselines: names of the baselines that were measured beside it.

    Returns:
        The choices, and a sentence that says why the model that it began as is not among them; empty where it is.
    """
    known = {str(v.ref): v for v in versions if v.available and v.task == version.task and v.ref != version.ref}
    found, reason = [], ""
    calibrated, base = str(version.facts.get("calibrated_from", "")), str(version.facts.get("base", ""))
    began = calibrated or _numbered(base, versions)
    title = TASKS[version.task].title.lower()
    if began in known:
        found.append(Earlier(began, "version", "which it was made from"))
    elif not began:
        reason = f"What {version.ref} was made from is not known."
    elif began == str(version.ref):
        reason = (
            f"{version.ref} was made from {base}, an alias that is its own by now: which version that was is not known."
        )
    elif began.startswith("models:/"):
        reason = f"{version.ref} was made from {began}, which is gone or does another task: it says nothing about these rows."
    elif began.startswith("config:"):
        reason = f"{version.ref} began as {began} with random weights: there is nothing before it to compare with."
    elif labelled_columns(load_task(version.task)):
        reason = f"{version.ref} began as {began}, which has no trained head for {title}: its answers would be random."
    else:
        found.append(Earlier(began, "model", "which it was trained from"))
    older = [v for v in known.values() if v.name == version.name and v.version < version.version]
    for other in sorted(older, key=lambda v: -v.version):
        if str(other.ref) != began:
            found.append(Earlier(str(other.ref), "version", "an earlier version of the same name"))
    found += [Earlier(name, "rival", "a simple rival") for name in baselines if _predicts_rows(load_task(version.task))]
    return found, reason


def rival_evaluation(after: Evaluation, data: TextDataset, name: str, *, seed: int = 0) -> Evaluation:
    """Measure one of a task's baselines on the rows of an evaluation, row by row; nothing is kept.

    Args:
        after: the evaluation whose rows are taken.
        data: the whole data set that these rows are of, split.
        name: the baseline's.
        seed: of what is random in it, and of its intervals.

    Raises:
        DataError: the data set is not split.
        UnknownError: the task has no such baseline.
    """
    task, part = load_task(after.task), data.part(str(after.parameters["split"]))
    train, dev = data.part("train"), data.part("dev")
    labels = task.labels(train.frame)
    rivals = task.baselines(train.frame, dev.frame, part.frame, labels, seed=seed)
    if name not in rivals:
        raise UnknownError("baseline", name, rivals)
    scores = task.score(part.frame, rivals[name], labels, seed=seed)
    parameters = {"seed": seed, "split": after.parameters["split"], "rows": len(part)}
    return Evaluation(
        id=fingerprint("rival", name, after.data, part.fingerprint, seed),
        version=name,
        data=after.data,
        task=after.task,
        metrics=scores.metrics,
        intervals=scores.intervals,
        predictions=task.table(part.frame, rivals[name]),
        tables=scores.tables,
        parameters=parameters,
    )


def set_beside(before: Evaluation, after: Evaluation, *, seed: int = 0) -> Beside:
    """Set two evaluations of the same rows beside each other.

    Args:
        before: of what was before.
        after: of the version.
        seed: of the paired bootstrap.

    Raises:
        InputError: they are of different rows, or of one version.
    """
    comparison = compare([before, after], seed=seed)
    first, second = (e.predictions.sort_values("id", kind="stable").reset_index(drop=True) for e in (before, after))
    task = load_task(after.task)
    metric, old, new = _row_figures(task, [first, second])
    rows = first[["id", "text", "gold"]].assign(
        before=first["label"],
        after=second["label"],
        before_score=first["score"],
        after_score=second["score"],
        before_figure=old,
        after_figure=new,
        change=_changes(metric, old, new),
    )
    return Beside(before.version, after.version, after.data, metric, rows, _probabilities(first, second), comparison)


def ask(loaded: LoadedModel, inputs: Sequence[Input]) -> pd.DataFrame:
    """Ask a model with a task's head about inputs that nobody has judged.

    Returns:
        ``answer`` (the class, text or stretches) and ``score`` (how sure, 0 to 1), a row for each input, and
        ``probabilities``, label to probability.
    """
    if not inputs:
        raise InputError("There is no text to ask about: give one.")
    with loaded.lock:
        said = predict_texts(loaded, inputs)
    rows = [(written_answer(text, p), p.score, dict(p.probabilities)) for text, p in zip(inputs, said, strict=True)]
    return pd.DataFrame(rows, columns=["answer", "score", "probabilities"])


def written_answer(text: Input, prediction: Prediction) -> str:
    """Return what a model said, for people: the text that it wrote, else the class with the stretches it found."""
    if prediction.text:
        return prediction.text
    read = text if isinstance(text, str) else list(text.values())[-1]
    parts = [prediction.label, written_spans(read, [span for span in prediction.spans if span.label])]
    return " | ".join(part for part in parts if part) or "nothing"


def _numbered(base: str, versions: Sequence[ModelVersion]) -> str:
    """Return a version that is named by an alias by its number; other references stay."""
    if not base.startswith("models:/") or "@" not in base:
        return base
    ref = ModelRef.parse(base)
    holder = next((v for v in versions if v.name == ref.name and ref.version in v.aliases), None)
    return str(holder.ref) if holder else base


def _predicts_rows(task: Task) -> bool:
    """Say whether a task's baselines need no model, so that they can be made again for each row."""
    return type(task).token_baselines is Task.token_baselines


def _row_figures(task: Task, tables: Sequence[pd.DataFrame]) -> tuple[Metric, np.ndarray, np.ndarray]:
    """Return a figure of each row of two tables: of a task that writes its own, else the first of the tally.

    A row with nothing to be found, in which nothing was found, is as right as one can be.
    """
    if isinstance(task, WritingTask):
        old, new = (table[task.row_metric].to_numpy(dtype=float) for table in tables)
        return task.metric(task.row_metric), old, new
    tallies = like_tallies(task, tables)
    name = next(iter(tallies[0].figures()))
    alone = [np.asarray(tally.read(tally.rows)[name], dtype=float) for tally in tallies]
    old, new = (
        np.where(np.isnan(each) & table["correct"].to_numpy(dtype=bool), 1.0, each)
        for each, table in zip(alone, tables, strict=True)
    )
    return task.metric(name), old, new


def _changes(metric: Metric, old: np.ndarray, new: np.ndarray) -> list[str]:
    if np.isin(old, (0.0, 1.0)).all() and np.isin(new, (0.0, 1.0)).all():
        names: Mapping[tuple[bool, bool], str] = {
            (False, True): "fixed", (True, False): "broken", (False, False): "still wrong", (True, True): "still right",
        }  # fmt: skip
        return [names[bool(a), bool(b)] for a, b in zip(old, new, strict=True)]
    return [
        "as before" if abs(a - b) <= SAME else "better" if metric.better(b, a) else "worse"
        for a, b in zip(old, new, strict=True)
    ]


def _probabilities(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in dict.fromkeys([*second.columns, *first.columns]) if name.startswith("p:")]
    parts = [
        pd.DataFrame(
            {
                "id": first["id"],
                "label": name.removeprefix("p:"),
                "before": first.get(name, np.nan),
                "after": second.get(name, np.nan),
            }
        )
        for name in names
    ]
    if not parts:
        return pd.DataFrame({"id": [], "label": [], "before": [], "after": []})
    return pd.concat(parts, ignore_index=True).sort_values("id", kind="stable", ignore_index=True)
