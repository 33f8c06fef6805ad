"""All five stages on the bundled English sample with the packaged base model."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lmcore.settings import Settings, Workspace
from lmcore.types import Part, Report, Silent, Target

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.models.load import LoadedModel
    from lmcore.training.evaluation import Evaluation

TARGET = "lmcore.demo:run"
NAME = "feedback-en"
PROBED_ROWS = 1000


@dataclass(frozen=True)
class DemoResult:
    """What the demo made and found.

    Attributes:
        dataset: the split data set.
        version: the registered version, now the champion.
        evaluation: id of its evaluation.
        map: id of its map.
        sentences: what was found, one plain sentence a stage.
        seconds: how long each stage took.
    """

    dataset: str
    version: str
    evaluation: str
    map: str
    sentences: tuple[str, ...]
    seconds: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        return {**asdict(self), "sentences": list(self.sentences), "seconds": dict(self.seconds)}


def run_demo(settings: Settings, report: Report | None = None) -> DemoResult:
    """Profile, clean, split, train, evaluate, analyse, project and promote; what is stored can be opened in the pages.

    Raises:
        InputError: the packaged base model is not installed.
        StorageError: the disk is full.
        Cancelled: the report asked to stop.
    """
    from lmcore.models import ModelRegistry, load_model
    from lmcore.training import TrainConfig, train

    report = report or Silent()
    clock, seconds = time.perf_counter(), {}

    def lap(stage: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[stage], clock = round(now - clock, 1), now

    data, about_data = _prepare_data(settings.workspace, report)
    lap("data")
    trained = train(TrainConfig(name=NAME), data, settings=settings, report=Part(report, 0.1, 0.6))
    ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).promote(NAME, trained.version.version)
    lap("train")
    loaded = load_model(trained.version.ref, settings=settings)
    about_model = _analyse(loaded, data, trained.evaluation, Part(report, 0.6, 0.75))
    lap("analyse")
    map_id, about_map = _project(loaded, data, settings.workspace, Part(report, 0.75, 1.0))
    lap("visualise")
    report.progress(1.0, "Done")
    sentences = (
        about_data,
        f"Train: {_about_training(trained.evaluation, trained.choices)}",
        about_model,
        about_map,
        f"Operate: {trained.version.ref} is the champion; start its server on the Operate page or with "
        f"lmcore serve models:/{NAME}@champion.",
    )
    return DemoResult(str(data.ref), str(trained.version.ref), trained.evaluation.id, map_id, sentences, dict(seconds))


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Run the demo as a job in a workspace."""
    return run_demo(replace(Settings.from_environment(), workspace=workspace), report).to_dict()


def _prepare_data(workspace: Workspace, report: Report) -> "tuple[TextDataset, str]":
    from lmcore.data import DatasetStore, clean_dataset, find_issues, load_dataset, split_dataset

    report.progress(0.0, "Reading and cleaning the sample")
    store = DatasetStore(workspace)
    raw = store.save(load_dataset(f"sample:{NAME}", task="text-classification", name=NAME))
    found = {kind: count for kind, count in find_issues(raw).counts.items() if count}
    clean = store.save(clean_dataset(raw).data)
    data = store.save(split_dataset(clean))
    sizes = [len(data.part(split)) for split in ("train", "dev", "test")]
    listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in found.items())
    return data, (
        f"Data: {len(raw)} rows with defects among them ({listed}); the {len(clean)} left after cleaning are {data.ref}, "
        f"split {sizes[0]} : {sizes[1]} : {sizes[2]}."
    )


def _about_training(evaluation: "Evaluation", choices: Mapping[str, Any]) -> str:
    low, high = evaluation.intervals["accuracy"]
    baseline = evaluation.tables["baselines"].sort_values("accuracy").iloc[-1]
    return (
        f"a linear head on layer {choices['layer']} is right on {evaluation.metrics['accuracy']:.1%} of the test rows "
        f"(95 % interval {low:.1%} to {high:.1%}); {baseline['name']} on {baseline['accuracy']:.1%}."
    )


def _analyse(loaded: "LoadedModel", data: "TextDataset", evaluation: "Evaluation", report: Report) -> str:
    from lmcore.analysis import attribute, layer_similarity, probe_layers

    report.progress(0.0, "Explaining a prediction")
    errors = evaluation.errors(1)
    row = (errors if len(errors) else evaluation.predictions).iloc[0]
    target = Target("class", str(row["label"]))
    attribution = attribute(loaded, str(row["text"]), target)
    words = attribution.by_word().sort_values("score", ascending=False)["word"].head(3)
    report.progress(0.3, "Comparing the layers")
    similarity = layer_similarity(loaded, data.part("test").frame["text"].tolist())
    report.progress(0.6, "Probing the layers")
    probe = probe_layers(loaded, data.part("train").frame.head(PROBED_ROWS), data.part("dev").frame, seed=0)
    right = "rightly" if row["correct"] else "wrongly"
    return (
        f"Analyse: a text that is {right} taken for {row['label']!r} is so most of all for {', '.join(map(repr, words))} "
        f"(completeness error {attribution.completeness_error:.1%}); the first and the last layer are alike to "
        f"{similarity.matrix[0, -1]:.2f} (linear CKA); a probe does best on layer {probe.best_layer}."
    )


def _project(loaded: "LoadedModel", data: "TextDataset", workspace: Workspace, report: Report) -> tuple[str, str]:
    from lmcore.projection.representations import MapConfig, map_representations, save_map

    config = MapConfig(version=str(loaded.ref), data=str(data.ref), method="umap").resolved(loaded.layers)
    result = map_representations(loaded, data, config, report=report)
    save_map(workspace, config.id, result)
    outliers = result.points[result.points["is_outlier"]]
    wrong = int((outliers["correct"] == "wrong").sum())
    return config.id, (
        f"Visualise: the UMAP map of {len(result.points)} texts keeps neighbourhoods to "
        f"{result.quality['trustworthiness']:.2f}; {len(outliers)} texts lie far out, {wrong} of them predicted wrongly."
    )
