"""Going on with new data on a tiny model: what is forgotten without a hold, and what each hold keeps."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, OptionError, ResourceError
from lmcore.memory import Memory
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Settings, Workspace
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.continual.forgetting import forgetting_of
from lmcore.training.continual.kept_forgetting import kept_forgetting, load_forgetting
from lmcore.training.continual.lineage import continued_config, earlier_data, lineage
from lmcore.training.continual.method import _anchor, fit_continual
from lmcore.training.curve import learning_curve
from lmcore.training.estimate import estimate_training
from lmcore.training.evaluation import evaluate, save_evaluation
from lmcore.training.fit import train
from lmcore.training.rows import run_rows
from lmcore.training.trained import TrainJob
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.run import search
from lmcore.training.tuning.space import Choices
from lmcore.training.weights import load_start
from lmcore.types import SPLITS
from tests.training.conftest import Recorder, Stopper

PLAIN = {"replay": 0.0, "anchor": "none"}
PACE = {"epochs": 6, "learning_rate": 5e-3, "batch_size": 8, "save_steps": 3, "max_length": 64}
TASK = load_task("text-classification")


@pytest.fixture(scope="module")
def store(shared_settings):
    return DatasetStore(shared_settings.workspace)


@pytest.fixture(scope="module")
def old(store, topic_frame):
    known = topic_frame[topic_frame["label"] != "travel"]
    return store.save(split_dataset(TextDataset("old", "text-classification", known), ratios=(5, 2, 3)))


@pytest.fixture(scope="module")
def new(store, topic_frame):
    """A class that is new."""
    travel = topic_frame[topic_frame["label"] == "travel"]
    return store.save(split_dataset(TextDataset("new", "text-classification", travel), ratios=(5, 2, 3)))


@pytest.fixture(scope="module")
def base(old, tiny_folder, shared_settings):
    config = TrainConfig("topics", model=f"folder:{tiny_folder}", method="full", **PACE)
    return train(config, old, settings=shared_settings).version


@pytest.fixture
def go_on(base, new, shared_settings):
    def go_on(data=new, **options):
        return train(continued_config(base.ref, shared_settings, **PACE | options), data, settings=shared_settings)

    return go_on


def accuracy(found, role, when="after"):
    rows = found.figures
    return float(rows[(rows["role"] == role) & (rows["metric"] == "accuracy")][when].iloc[0])


def test_replay_and_earlier_answers_keep_more_of_what_was_known(go_on, base):
    holds = {
        "plain": PLAIN,
        "replay": {"replay": 0.5, "anchor": "none"},
        "lwf": {"replay": 0.0, "anchor": "lwf", "anchor_strength": 4.0},
    }
    found = {name: go_on(**options).forgetting for name, options in holds.items()}
    kept = {name: accuracy(each, "earlier") for name, each in found.items()}
    assert accuracy(found["plain"], "earlier", "before") >= 0.9
    for name in ("replay", "lwf"):
        assert kept[name] >= kept["plain"] + 0.2, kept
    assert min(accuracy(each, "new") for each in found.values()) >= 0.7


def test_the_report_comes_with_the_training(go_on, base, old, new, shared_settings):
    result = go_on(replay=0.3, anchor="lwf", epochs=2)
    workspace, found = shared_settings.workspace, result.forgetting
    assert (found.before, found.after) == (str(base.ref), str(result.version.ref))
    assert found.figures["data"].unique().tolist() == [str(old.ref), str(new.ref)]
    assert found.parameters["unknown_classes"] == ["travel"]
    assert accuracy(found, "new", "before") == 0, "a class that is not known cannot be right"
    assert kept_forgetting(workspace, result.version.ref) == [found.id]
    again = load_forgetting(workspace, found.id)
    assert (again.verdict, again.sentences()) == (found.verdict, found.sentences())
    assert found.verdict.startswith(f"{result.version.ref} ")
    assert "on the earlier data (" in found.verdict
    measured = forgetting_of(result.version.ref, settings=shared_settings)
    pd.testing.assert_frame_equal(measured.figures, found.figures)
    assert measured.id == found.id
    facts = result.version.facts
    assert facts["earlier_data"] == [str(old.ref)]
    assert facts["replayed_rows"] == round(0.3 * len(new.part("train")))
    assert facts["labels"] == ["food", "weather", "travel"]


def test_a_chain_of_versions_replays_the_data_of_all(go_on, base, old, new, topic_frame, store, shared_settings):
    second = go_on(replay=0.2, anchor="none", epochs=1).version
    assert [v.ref for v in lineage(second.ref, shared_settings)] == [second.ref, base.ref]
    assert earlier_data(second.ref, shared_settings).names == [str(new.ref), str(old.ref)]
    third_data = topic_frame.assign(text="so " + topic_frame["text"])
    third = store.save(split_dataset(TextDataset("third", "text-classification", third_data)))
    config = continued_config(second.ref, shared_settings, replay=1.0)
    rows = run_rows(config, TASK, third, shared_settings)
    train_rows = third.part("train").frame
    replayed = rows.train.frame.iloc[len(train_rows) :]
    assert set(replayed["text"]) == set(old.part("train").frame["text"]) | set(new.part("train").frame["text"])
    assert rows.train.frame["id"].is_unique
    assert rows.labels == ("food", "weather", "travel")
    assert rows.facts["earlier_dev_rows"] == len(rows.dev) - len(third.part("dev"))


def test_replay_is_drawn_from_the_seed_in_equal_shares_and_not_from_the_new_texts(
    base, old, new, store, shared_settings
):
    def drawn(data=new, **options):
        config = continued_config(base.ref, shared_settings, **options)
        found = run_rows(config, TASK, data, shared_settings).train.frame
        return found.iloc[len(data.part("train")) :]

    one, same, other = (drawn(replay=0.5, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert set(one["text"]) != set(other["text"])
    assert abs((one["label"] == "food").mean() - 0.5) <= 0.5 / len(one) + 1e-9
    assert drawn(replay=0.0).empty
    mixed = pd.concat([new.frame, old.frame[old.frame["split"] == "train"].assign(split="test")])
    mixed = mixed.assign(id=range(len(mixed)))
    leaking = store.save(TextDataset("leaking", "text-classification", mixed))
    assert drawn(leaking, replay=1.0).empty, "an earlier row that is a new test row is not learnt"


def test_what_is_measured_on_is_neither_replayed_nor_chosen_by(base, old, new, store, topic_frame, shared_settings):
    """A second data set has some of the first one's rows in other splits, and a third is only measured on."""
    parts = {split: old.part(split).frame for split in SPLITS}
    overlap = [
        new.frame,
        parts["train"].head(4).assign(split="test"),
        parts["train"].iloc[4:6].assign(split="dev"),
        parts["dev"].head(2).assign(split="train"),
    ]
    crossed = pd.concat(overlap, ignore_index=True)
    crossed = store.save(TextDataset("crossed", TASK.name, crossed.assign(id=range(len(crossed)))))
    second = train(
        continued_config(base.ref, shared_settings, **PLAIN, **PACE | {"epochs": 1}), crossed, settings=shared_settings
    ).version
    checked = pd.concat([parts["train"].iloc[6:9].assign(split="test"), parts["dev"].assign(split="dev")])
    checked = store.save(TextDataset("checked", TASK.name, checked.reset_index(drop=True)))
    save_evaluation(shared_settings.workspace, evaluate(second.ref, checked, settings=shared_settings))
    splits = ["train"] * 60 + ["dev"] * 40 + ["test"] * 20  # room for all rows that may be drawn
    frame = topic_frame.assign(text="so " + topic_frame["text"], split=splits)
    fresh = store.save(TextDataset("fresh", TASK.name, frame))
    found = run_rows(continued_config(second.ref, shared_settings, replay=1.0), TASK, fresh, shared_settings)
    replayed = set(found.train.frame["text"].iloc[len(fresh.part("train")) :])
    chosen_on = set(found.dev.frame["text"].iloc[len(fresh.part("dev")) :])
    kept_back = parts["train"]["text"].head(9)
    assert not replayed & set(kept_back), "they are test or dev rows of another data set"
    assert set(parts["train"]["text"].iloc[9:]) <= replayed
    assert not replayed & set(parts["dev"]["text"])
    assert not chosen_on & set(parts["dev"]["text"].head(2)), "they were learnt from as rows of the second data set"
    assert not chosen_on & (set(parts["train"]["text"]) | set(parts["test"]["text"]))
    assert set(parts["dev"]["text"].iloc[2:]) <= chosen_on


@pytest.mark.parametrize("anchor", ["lwf", "ewc"])
def test_a_stopped_run_that_is_resumed_equals_an_uninterrupted_one(base, new, shared_settings, tmp_path, anchor):
    def job(name, report, resume=False):
        config = continued_config(base.ref, shared_settings, anchor=anchor, replay=0.5, **PACE | {"epochs": 2})
        rows = run_rows(config, TASK, new, shared_settings)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return TrainJob(config, TASK, rows.train, rows.dev, rows.labels, shared_settings, folder, resume, report)

    whole, first, second = Recorder(), Stopper(5 if anchor == "lwf" else 41), Recorder()
    expected = fit_continual(job("whole", whole))
    with pytest.raises(Cancelled):
        fit_continual(job("stopped", first))
    found = fit_continual(job("stopped", second, resume=True))
    assert second.of("loss").keys() < whole.of("loss").keys(), "it went on from a checkpoint"
    for name, tensor in expected.model.state_dict().items():
        assert torch.allclose(tensor, found.model.state_dict()[name], atol=1e-6), name
    joined = first.of("loss") | second.of("loss")
    assert joined == pytest.approx(whole.of("loss"), abs=1e-6)


@pytest.fixture
def without_earlier(base, shared_settings, tmp_path, tracking_database):
    """Settings of a workspace that has the version and not its data."""
    workspace = Workspace(tmp_path / "moved")
    shutil.copytree(shared_settings.workspace.root, workspace.root)
    shutil.rmtree(workspace.datasets / "old")
    return Settings(workspace=workspace, device="cpu")


def test_earlier_data_that_are_gone_leave_learning_without_forgetting(base, new, without_earlier):
    def config(**options):
        return continued_config(base.ref, without_earlier, **PACE | {"epochs": 1} | options)

    with pytest.raises(
        DataError, match=r"was trained on old@1, which is not stored any more, so that no row .* replay to 0"
    ):
        train(config(replay=0.2), new, settings=without_earlier)
    with pytest.raises(DataError, match="the anchor ewc measures on it which weights matter: choose the anchor lwf"):
        train(config(replay=0.0, anchor="ewc"), new, settings=without_earlier)
    result = train(config(replay=0.0, anchor="lwf"), new, settings=without_earlier)
    assert result.forgetting is None
    assert "old@1 is not stored any more: what was forgotten of it is not known." in result.warnings
    with pytest.raises(DataError, match="what was forgotten of it is not known"):
        forgetting_of(result.version.ref, settings=without_earlier)


def test_what_cannot_go_on_is_refused(base, new, topics, shared_settings, tiny_folder):
    with pytest.raises(OptionError, match="continual begins with a registered version"):
        train(TrainConfig("x", method="continual", model=f"folder:{tiny_folder}"), new, settings=shared_settings)
    with pytest.raises(OptionError, match="continual has no option 'rank'; it takes: seed"):
        continued_config(base.ref, shared_settings, rank=3)
    other = TextDataset("pairs", "text-classification", topics.frame.assign(text_pair="and"))
    config = continued_config(base.ref, shared_settings)
    with pytest.raises(DataError, match="have the columns text, text_pair, label and the earlier ones text, label"):
        run_rows(config, TASK, other, shared_settings)
    with pytest.raises(OptionError, match="has earlier data beside its own"):
        learning_curve(config, new, settings=shared_settings)


def test_an_alias_is_named_by_its_number_and_the_anchor_is_counted_in_the_estimate(base, new, shared_settings):
    ModelRegistry(shared_settings.workspace).promote("topics", base.version)
    config = continued_config("models:/topics@champion", shared_settings, **PACE)
    assert (config.name, config.model, config.max_length) == ("topics", str(base.ref), 64)
    free, lwf, ewc = (
        estimate_training(replace(config, anchor=anchor), new, shared_settings).nbytes
        for anchor in ("none", "lwf", "ewc")
    )
    assert free < lwf < ewc


def test_a_search_gives_each_trial_the_rows_that_its_settings_ask_for(base, new, shared_settings, monkeypatch):
    ModelRegistry(shared_settings.workspace).promote("topics", base.version)
    seen = {}

    def measured(job, metric):
        seen[job.config.replay] = (len(job.train), len(job.dev), job.labels, job.config.model)
        return 0.5

    monkeypatch.setattr("lmcore.training.tuning.run._dev_value", measured)
    config = replace(continued_config(base.ref, shared_settings, **PACE), model="models:/topics@champion")
    space = {"replay": Choices((0.0, 0.5))}
    found = search(SearchConfig(config, space, trials=2, register=False), new, settings=shared_settings)
    rows, dev = len(new.part("train")), len(new.part("dev"))
    assert seen == {
        share: (rows + round(share * rows), 2 * dev, ("food", "weather", "travel"), str(base.ref))
        for share in (0.0, 0.5)
    }
    assert found.config["base"]["model"] == str(base.ref)


@pytest.fixture
def held_job(base, new, shared_settings, tmp_path):
    def job(name, **options):
        config = continued_config(base.ref, shared_settings, replay=0.0, **PACE | {"learning_rate": 1e-3} | options)
        rows = run_rows(config, TASK, new, shared_settings)
        folder = tmp_path / name
        folder.mkdir()
        return TrainJob(
            config, TASK, rows.train, new.part("dev"), rows.labels, shared_settings, folder, False, Recorder()
        )

    return job


def test_the_importance_is_of_the_earlier_task(held_job):
    job = held_job("held", anchor="ewc", anchor_strength=2.0)
    penalty = _anchor(job)
    model = load_start(job).model
    assert penalty(model, {}, None).item() == 0
    with torch.no_grad():
        model.classifier.weight[2] += 10  # the new class, which the earlier data say nothing of
    assert penalty(model, {}, None).item() == 0
    with torch.no_grad():
        model.classifier.weight[0] += 1
    assert penalty(model, {}, None).item() > 0


@pytest.mark.parametrize("anchor", ["lwf", "ewc"])
def test_what_does_not_fit_into_memory_is_refused_before_the_earlier_data_are_measured(held_job, monkeypatch, anchor):
    monkeypatch.setattr("lmcore.training.needs.read_memory", lambda: Memory(10**13, 1 << 10))
    monkeypatch.setattr("lmcore.training.continual.method._anchor", lambda job: pytest.fail("it was measured first"))
    with pytest.raises(ResourceError, match=r"This takes about [\d,]+ MiB of memory and 0 MiB are free"):
        fit_continual(held_job("held", anchor=anchor))


def test_weights_that_the_earlier_data_hang_on_move_less_where_they_are_held(held_job):
    measure = _anchor(held_job("measure", anchor="ewc", anchor_strength=1.0))
    free = fit_continual(held_job("free", anchor="none", epochs=2)).model
    held = fit_continual(held_job("held", anchor="ewc", anchor_strength=1e5, epochs=2)).model
    assert measure(held, {}, None).item() < 0.5 * measure(free, {}, None).item()
