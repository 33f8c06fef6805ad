"""Measuring a registered version on rows that it did not learn from, and keeping the result."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lmcore.audit import audited
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.data.text import comparison_key
from lmcore.errors import DataError, InputError, StorageError, UnknownError
from lmcore.fingerprint import fingerprint
from lmcore.models.catalogue import resolve_model
from lmcore.models.decoding import Decoding
from lmcore.models.exported import is_exported, load_exported
from lmcore.models.load import LoadedModel, load_model, model_folder
from lmcore.settings import Settings, Workspace
from lmcore.storage import FINISHED, whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.tasks.figures import Metric
from lmcore.tasks.predicted import Predicted
from lmcore.training.baseline import score_baselines
from lmcore.training.continual.lineage import lineage
from lmcore.types import ModelRef, Report, Silent

OTHER_WAY = "other_way"


@dataclass(frozen=True, slots=True)
class Rival:
    """A baseline beside a model.

    Attributes:
        name: of the baseline.
        metric: by which they are compared.
        value: the baseline's.
        model: the model's.
    """

    name: str
    metric: Metric
    value: float
    model: float

    @property
    def beats(self) -> bool:
        """Whether the baseline is as good as the model or better."""
        return not self.metric.better(self.model, self.value)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a version did on some rows.

    Attributes:
        id: names the stored evaluation; made from version, data and parameters.
        version: the registered version.
        data: the data set, with its split, in text form.
        task: the task.
        metrics: name to value.
        intervals: name to the ends of its 95 % bootstrap interval.
        predictions: ``id``, ``text``, ``gold``, ``label``, ``score``, ``correct`` and what the task adds (the
            probability of each class as ``p:<class>``).
        tables: the task's own (``by_class``, ``confusion`` …) and, after training, ``baselines``.
        parameters: seed, split, rows, share of cut texts, share of unknown tokens, share of the rows whose text stands in the
            split that the version was trained on (None where that is not known), and of a task that writes how it decodes,
            whether that is another way than the model's own (``other_way``), and the share of the texts that reached the limit
            of length.
    """

    id: str
    version: str
    data: str
    task: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    predictions: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    parameters: Mapping[str, Any]

    def errors(self, count: int = 20) -> pd.DataFrame:
        """Return the wrong predictions, the surest first."""
        wrong = self.predictions[~self.predictions["correct"]]
        return wrong.sort_values("score", ascending=False, kind="stable").head(count)

    @property
    def own_way(self) -> bool:
        """Whether texts were written in the model's own way."""
        return not self.parameters.get(OTHER_WAY, False)

    @property
    def main(self) -> Metric:
        """The figure that verdicts are about."""
        return self.metric(load_task(self.task).main_metric)

    @property
    def rival(self) -> "Rival | None":
        """The baseline that does best by the main figure; None where none was measured."""
        table, metric = self.tables.get("baselines"), self.main
        if table is None or table.empty:
            return None
        best = table.sort_values(metric.name, ascending=metric.higher).iloc[-1]
        return Rival(str(best["name"]), metric, float(best[metric.name]), self.metrics[metric.name])

    def metric(self, name: str) -> Metric:
        """Return what is known about one of the metrics."""
        return load_task(self.task).metric(name)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a metric: ``metric``, ``value``, ``low``, ``high``."""
        rows = [(name, value, *self.intervals[name]) for name, value in self.metrics.items()]
        return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])


def evaluate(
    version: "str | ModelRef | LoadedModel",
    data: TextDataset,
    *,
    split: str = "test",
    settings: Settings | None = None,
    seed: int = 0,
    tables: Mapping[str, pd.DataFrame] | None = None,
    decoding: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> Evaluation:
    """Predict the rows of a split and compare them with their labels.

    A base model can be measured too, where the data's task needs nothing else of it: what the task chooses is then chosen
    on dev, and the baselines are measured beside it, where the data set is split.

    Args:
        version: a registered version, a base model, or a model that is loaded already.
        data: the data set; its ``split`` is taken where it is split, else all its rows.
        split: train, dev or test.
        settings: the workspace; from the environment where None.
        seed: of the bootstrap.
        tables: further tables to keep with the result.
        decoding: settings of `lmcore.models.decoding.Decoding` that differ from the model's own way of writing.
        report: progress and cancellation.

    Raises:
        InputError: no such version, or its task is another than the data's.
        DataError: rows without labels, or with classes that the model does not know.
        OptionError: a setting of decoding is out of range, or the task writes no text.
    """
    settings = settings or Settings.from_environment()
    loaded = version if isinstance(version, LoadedModel) else _load(version, data, settings)
    part, split = _part(data, split)
    task = _decoded(load_task(loaded.task), loaded, decoding or {})
    task.check(part.frame, f"The {split} split of {data.name!r}" if split else repr(data.name), loaded.labels)
    choices, rivals = _beside(loaded, task, data, part, seed)
    with _chosen(loaded, choices):
        predicted = task.examine(loaded, part.frame, report=report or Silent())
        read = task.settings(loaded)
    known = {
        "seed": seed,
        "split": split,
        **({"choices": choices} if choices else {}),
        **({OTHER_WAY: True} if decoding and _is_other_way(task, loaded) else {}),
        "seen_share": _seen_share(loaded.ref, part, settings),
        **read,
    }
    return _scored(loaded, task, part, predicted, known, {**rivals, **(tables or {})})


def _scored(
    loaded: LoadedModel,
    task: Task,
    part: TextDataset,
    predicted: Predicted,
    known: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
) -> Evaluation:
    """Compare predictions with what the rows say.

    Args:
        loaded: what predicted.
        task: as it predicted.
        part: the rows.
        predicted: what was said about them.
        known: how it was done; the seed among it is that of the bootstrap.
        tables: what is kept beside the task's own tables.
    """
    name = str(part.ref or part.name)
    scores = task.score(part.frame, predicted.predictions, loaded.labels, seed=known["seed"])
    parameters = {**_as_seen(predicted), **known}
    return Evaluation(
        id=fingerprint(str(loaded.ref), loaded.fingerprint, name, part.fingerprint, parameters),
        version=str(loaded.ref),
        data=name,
        task=task.name,
        metrics=scores.metrics,
        intervals=scores.intervals,
        predictions=task.table(part.frame, predicted.predictions),
        tables={**scores.tables, **tables},
        parameters=parameters,
    )


def _as_seen(predicted: Predicted) -> dict[str, Any]:
    """Return how many rows were predicted, and how much of them the model did not see or write to the end."""
    encodings = predicted.encodings
    seen = {
        "rows": len(predicted.predictions),
        "truncated_share": encodings.truncated_share,
        "unknown_share": encodings.unknown_share,
    }
    return seen if encodings.cut_outputs is None else {**seen, "cut_output_share": encodings.cut_output_share}


def _is_other_way(task: Task, loaded: LoadedModel) -> bool:
    """Say whether a task writes in another way than a model's own."""
    return task.settings(loaded) != load_task(loaded.task).settings(loaded)


def _decoded(task: Task, loaded: LoadedModel, given: Mapping[str, Any]) -> Task:
    """Return the task as one that writes as asked, the rest in the model's own way."""
    if not given:
        return task
    usual = task.decoding(loaded) or Decoding()
    return task.decoded(replace(usual, **given).checked())


def _load(version: "str | ModelRef", data: TextDataset, settings: Settings) -> LoadedModel:
    """Load a version with the head that it was trained with (its export where it has one), or a base model with the task's."""
    ref = resolve_model(version, settings)
    if ref.kind == "registry" and is_exported(model_folder(ref, settings)[0]):
        return load_exported(ref, settings)
    return load_model(ref, task=None if ref.kind == "registry" else data.task, settings=settings)


def _beside(
    loaded: LoadedModel, task: Task, data: TextDataset, part: TextDataset, seed: int
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Return what a base model's task chooses on dev, and the table of baselines; neither for a trained version."""
    if loaded.ref.kind == "registry" or not data.is_split:
        return {}, {}
    train, dev = data.part("train"), data.part("dev")
    choices = task.tune(loaded, dev.frame) if len(dev) else {}
    found = score_baselines(
        task,
        train,
        dev,
        part,
        loaded.labels,
        seed=seed,
        tokenizer=loaded.tokenizer,
        max_length=loaded.max_length,
    )
    return choices, {} if found.empty else {"baselines": found}


@contextmanager
def _chosen(loaded: LoadedModel, choices: Mapping[str, float]) -> Iterator[None]:
    """Let a model's configuration hold what was chosen, and be as it was afterwards."""
    config = loaded.model.config
    before = {name: getattr(config, name) for name in choices if hasattr(config, name)}
    try:
        for name, value in choices.items():
            setattr(config, name, value)
        yield
    finally:
        for name in choices:
            if name in before:
                setattr(config, name, before[name])
            else:
                delattr(config, name)


def _part(data: TextDataset, split: str) -> tuple[TextDataset, str]:
    """Return the rows to predict and the split they are, empty where the data set has none."""
    if data.ref and data.ref.split:
        return data, data.ref.split
    return (data.part(split), split) if data.is_split else (data, "")


def _seen_share(ref: ModelRef, part: TextDataset, settings: Settings) -> float | None:
    """Return the share of rows whose text the version, or one that it goes back to, was trained on.

    None where its own data are not stored; of those before it, the stored ones count.
    """
    if ref.kind != "registry" or part.frame.empty:
        return None
    try:
        own, *before = lineage(ref, settings)
        seen = _learnt_texts(str(own.facts.get("data", "")), settings)
    except (InputError, DataError):
        return None
    for name in dict.fromkeys(str(version.facts.get("data", "")) for version in before):
        with suppress(InputError, DataError, StorageError):
            seen |= _learnt_texts(name, settings)
    task = load_task(part.task)
    return float(task.texts(part.frame).map(comparison_key).isin(seen).mean())


def _learnt_texts(name: str, settings: Settings) -> set[str]:
    train = DatasetStore(settings.workspace).load(name).part("train")
    return set(load_task(train.task).texts(train.frame).map(comparison_key))


def save_evaluation(workspace: Workspace, evaluation: Evaluation) -> None:
    """Keep an evaluation under its id; one that is kept already stays as it is.

    Raises:
        AccessError: the workspace's actor may not evaluate.
        StorageError: the disk is full or refuses.
    """
    target = _folder(workspace) / evaluation.id
    if target.exists():
        return
    with audited(workspace, "evaluate", evaluation.version, data=evaluation.data, evaluation=evaluation.id):
        _write(target, evaluation)


def _write(target: Path, evaluation: Evaluation) -> None:
    facts = {
        "id": evaluation.id,
        "version": evaluation.version,
        "data": evaluation.data,
        "task": evaluation.task,
        "metrics": dict(evaluation.metrics),
        "intervals": {name: list(ends) for name, ends in evaluation.intervals.items()},
        "parameters": dict(evaluation.parameters),
        "tables": sorted(evaluation.tables),
    }
    with suppress(FileExistsError), whole_folder(target) as folder:
        evaluation.predictions.to_parquet(folder / "predictions.parquet", index=False)
        for name, table in evaluation.tables.items():
            table.to_parquet(folder / f"table-{name}.parquet", index=False)
        write_json(folder / "evaluation.json", facts)


def load_evaluation(workspace: Workspace, identifier: str) -> Evaluation:
    """Return a kept evaluation.

    Raises:
        UnknownError: there is none with this id.
        StorageError: its files are damaged.
    """
    known = {path.name: path for path in _folder(workspace).glob(FINISHED) if (path / "evaluation.json").is_file()}
    if identifier not in known:
        raise UnknownError("evaluation", identifier, known)
    folder = known[identifier]
    try:
        facts = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        return Evaluation(
            id=identifier,
            version=facts["version"],
            data=facts["data"],
            task=facts["task"],
            metrics=facts["metrics"],
            intervals={name: (low, high) for name, (low, high) in facts["intervals"].items()},
            predictions=pd.read_parquet(folder / "predictions.parquet"),
            tables={name: pd.read_parquet(folder / f"table-{name}.parquet") for name in facts["tables"]},
            parameters=facts["parameters"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"The evaluation {identifier} is damaged ({type(error).__name__}): run it again.") from error


def evaluations_of(workspace: Workspace, version: "str | ModelRef") -> list[str]:
    """Return the ids of a version's kept evaluations, the newest first."""
    found = []
    for path in _folder(workspace).glob(f"{FINISHED}/evaluation.json"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if facts.get("version") == str(version):
            found.append((path.stat().st_mtime, facts["id"]))
    return [identifier for _, identifier in sorted(found, reverse=True)]


def _folder(workspace: Workspace) -> Path:
    return workspace.results / "evaluations"
