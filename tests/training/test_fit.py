import json
from dataclasses import replace

import pytest

from lmcore.errors import Cancelled, DataError, OptionError, StorageError
from lmcore.models import ModelRegistry, load_model
from lmcore.models.predict import predict_rows
from lmcore.training import fit
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import evaluations_of, load_evaluation
from lmcore.training.fit import train
from lmcore.training.tracking import list_runs, run_metrics
from tests.training.conftest import FULL, Recorder, Stopper

CHINESE = {"food": "饭菜很好吃", "travel": "火车票很贵", "weather": "今天下大雨"}


@pytest.fixture
def config(tiny_ref):
    return TrainConfig("topics", model=str(tiny_ref), strength=1.0)


def stored(workspace):
    return sorted(str(path.relative_to(workspace.models)) for path in workspace.models.glob("*/*"))


def test_the_version_that_is_registered_is_the_model_that_was_measured(trained, topics, shared_settings):
    assert str(trained.version.ref) == "models:/topics/1"
    loaded = load_model("models:/topics/1", settings=shared_settings)
    assert loaded.labels == ("food", "travel", "weather")
    rows = topics.part("test").frame
    again = predict_rows(loaded, rows)
    frame = trained.evaluation.predictions
    assert [p.label for p in again] == frame["label"].tolist()
    assert [p.score for p in again] == pytest.approx(frame["score"].tolist(), abs=1e-6)
    assert trained.metrics["accuracy"] >= 0.8
    assert trained.metrics["accuracy"] == (frame["gold"] == frame["label"]).mean()


def test_the_version_says_where_it_comes_from(trained, topics, tiny_folder, shared_settings):
    version = ModelRegistry(shared_settings.workspace).get("models:/topics/1")
    facts = version.facts
    assert facts["method"] == "head"
    assert facts["base"] == f"folder:{tiny_folder}"
    assert facts["data"] == "topics"
    assert facts["data_fingerprint"] == topics.fingerprint
    assert facts["labels"] == ["food", "travel", "weather"]
    assert facts["choices"] == trained.choices
    assert facts["config"]["strength"] == 1.0
    assert facts["truncated_share"] == 0
    assert version.metrics == {k: v for k, v in trained.metrics.items() if k.startswith("dev_")}
    assert json.loads((version.folder / "training.json").read_text(encoding="utf-8")) == facts
    assert not list(version.folder.glob("*.bin"))


def test_the_run_is_tracked_and_its_scratch_is_gone(trained, shared_settings):
    workspace = shared_settings.workspace
    (run,) = list_runs(workspace)
    assert (run.name, run.status, run.run_id) == ("topics", "FINISHED", trained.version.run_id)
    assert run.parameters["strength"] == "1.0"
    assert run.metrics["test_accuracy"] == trained.metrics["accuracy"]
    assert set(run_metrics(workspace, run.run_id)["name"]) >= {"dev_accuracy", "dev_loss"}
    assert list(workspace.checkpoints.iterdir()) == []


def test_the_evaluation_is_kept_beside_the_baselines(trained, shared_settings):
    assert evaluations_of(shared_settings.workspace, trained.version.ref) == [trained.evaluation.id]
    kept = load_evaluation(shared_settings.workspace, trained.evaluation.id)
    assert kept.tables["baselines"]["name"].tolist() == ["majority class", "TF-IDF + logistic regression"]


def test_training_twice_gives_two_versions(config, topics, settings, tracked):
    one, other = (train(config, topics, settings=settings) for _ in range(2))
    assert (one.version.version, other.version.version) == (1, 2)
    assert one.version.folder != other.version.folder
    assert one.metrics == other.metrics


def test_a_run_that_was_lost_while_it_was_measured_is_registered_once(config, topics, settings, tracked, monkeypatch):
    whole = fit.evaluate

    def lost(*given, **named):
        raise OSError("lost")

    monkeypatch.setattr(fit, "evaluate", lost)
    with pytest.raises(OSError, match="lost"):
        train(config, topics, settings=settings)
    monkeypatch.setattr(fit, "evaluate", whole)
    assert str(train(config, topics, settings=settings, resume=True).version.ref) == "models:/topics/1"
    assert len(ModelRegistry(tracked).list("topics")) == 1
    assert train(config, topics, settings=settings, resume=True).version.version == 2, "that run had come to its end"


def test_full_is_measured_and_registered_too(topics, tiny_ref, settings, tracked):
    report = Recorder()
    result = train(
        TrainConfig("all", model=str(tiny_ref), **FULL | {"epochs": 5}), topics, settings=settings, report=report
    )
    assert result.metrics["accuracy"] >= 0.8
    assert result.choices["epoch"] in range(1, 6)
    assert result.version.facts["method"] == "full"
    assert report.fractions == sorted(report.fractions)
    assert report.fractions[-1] == pytest.approx(1)
    assert set(run_metrics(settings.workspace, result.version.run_id)["name"]) >= {"loss", "learning_rate", "dev_loss"}


@pytest.mark.parametrize("method", ["head", "full"])
def test_a_trained_version_can_be_trained_further(config, method, topics, relabelled, settings, tracked):
    train(config, topics, settings=settings)
    further = replace(config, model="models:/topics/1", method=method, epochs=1)
    result = train(further, topics, settings=settings)
    assert result.version.version == 2
    assert result.metrics["accuracy"] >= 0.8
    fewer = relabelled(lambda frame: frame["label"] == "travel", label="food")
    assert train(further, fewer, settings=settings).version.facts["labels"] == ["food", "weather"]


def test_the_longest_text_of_training_is_kept_in_the_model(config, topics, settings, tracked):
    result = train(replace(config, max_length=8), topics, settings=settings)
    assert load_model(result.version.ref, settings=settings).max_length == 8
    assert result.version.facts["truncated_share"] > 0.5
    assert result.evaluation.parameters["truncated_share"] > 0.5
    assert any("of the training texts were cut at the longest length" in sentence for sentence in result.warnings)


@pytest.fixture
def chinese(topics):
    frame = topics.frame
    texts = [f"{CHINESE[label]}{number}" for number, label in zip(frame["id"], frame["label"], strict=True)]
    return replace(topics, frame=frame.assign(text=texts))


def test_a_model_that_does_not_know_the_language_is_flagged(config, chinese, settings, tracked):
    result = train(config, chinese, settings=settings)
    assert result.version.facts["unknown_share"] > 0.5
    assert result.warnings[0].startswith(
        f"The model does not know {result.version.facts['unknown_share']:.0%} of the tok"
    )
    assert "The baseline TF-IDF + logistic regression is as good or better: Macro F1 1.000" in result.warnings[-1]


def test_a_model_from_a_configuration_knows_its_data(chinese, settings, tracked):
    options = FULL | {"method": "scratch", "layers": 1, "width": 32, "heads": 2, "epochs": 6}
    result = train(TrainConfig("zh", model="config:bert-small", **options), chinese, settings=settings)
    assert result.version.facts["unknown_share"] < 0.05
    assert result.metrics["accuracy"] > 0.6, "chance is a third"
    assert not any("does not know" in sentence for sentence in result.warnings)


@pytest.mark.parametrize(
    ("rows", "changes", "sentence"),
    [
        (lambda f: f["label"] != "", {"label": "food"}, "The train split of 'topics' has only the class 'food'"),
        (lambda f: f["split"] == "train", {"split": "test"}, "The train split of 'topics' has no rows"),
        (lambda f: f["split"] == "dev", {"split": "train"}, "The dev split of 'topics' has no rows"),
        (lambda f: f["split"] == "test", {"split": "train"}, "The test split of 'topics' has no rows"),
        (
            lambda f: f.index[f["split"] == "train"][:1],
            {"text": " "},
            "The train split of 'topics' has 1 row without a text",
        ),
        (lambda f: f.index[f["split"] == "train"][:1], {"label": ""}, "has 1 row without a label"),
        (
            lambda f: f.index[f["split"] == "dev"][:1],
            {"label": "new"},
            "has the class 'new', which the model does not know",
        ),
        (
            lambda f: f.index[f["split"] == "test"][:1],
            {"label": "new"},
            "has the class 'new', which the model does not",
        ),
    ],
)
@pytest.mark.parametrize("method", ["head"])
def test_data_that_cannot_be_trained_on_is_refused_before_anything_is_made(
    rows, changes, sentence, method, config, relabelled, settings
):
    with pytest.raises(DataError) as caught:
        train(replace(config, method=method), relabelled(rows, **changes), settings=settings)
    assert sentence in str(caught.value)
    assert not settings.workspace.models.exists()
    assert not settings.workspace.tracking.exists()


def test_what_is_not_split_or_not_valid_is_refused(config, topics, topic_frame, settings):
    with pytest.raises(DataError, match="not split yet"):
        train(config, replace(topics, frame=topic_frame), settings=settings)
    with pytest.raises(OptionError, match="The option epochs is 0"):
        train(replace(config, epochs=0), topics, settings=settings)


def test_a_cancelled_run_keeps_its_scratch_and_goes_on_from_there(topics, tiny_ref, settings, tracked):
    config = TrainConfig("topics", model=str(tiny_ref), **FULL)
    with pytest.raises(Cancelled):
        train(config, topics, settings=settings, report=Stopper(8))
    (scratch,) = settings.workspace.checkpoints.iterdir()
    assert (scratch / "checkpoint-8").is_dir()
    assert stored(settings.workspace) == []
    assert list_runs(settings.workspace)[0].status == "KILLED"
    report = Recorder()
    result = train(config, topics, settings=settings, report=report, resume=True)
    assert min(report.of("loss")) == 9
    assert not scratch.exists()
    assert result.version.version == 1


def test_a_model_that_cannot_be_saved_is_not_registered(config, topics, settings, tracked, monkeypatch):
    train(config, topics, settings=settings)
    before = stored(settings.workspace)

    def refuse(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit, "write_json", refuse)
    with pytest.raises(StorageError, match="The disk is full"):
        train(config, topics, settings=settings)
    assert stored(settings.workspace) == before
    assert [version.version for version in ModelRegistry(settings.workspace).list()] == [1]
    assert [run.status for run in list_runs(settings.workspace)] == ["FAILED", "FINISHED"]
