import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, OptionError, StorageError, UnknownError
from lmcore.models import ModelRegistry
from lmcore.tasks import load_task
from lmcore.training.config import TrainConfig
from lmcore.training.curve import MODEL, curve_id, learning_curve, load_curve, nested_order, part_of
from lmcore.training.judging import curve_config, run_curve
from lmcore.types import Silent
from tests.training.conftest import Recorder, Stopper

TASK = load_task("text-classification")


@pytest.fixture(scope="module")
def config(tiny_folder):
    return TrainConfig("topics", model=f"folder:{tiny_folder}", layer=2, strength=1.0)


@pytest.fixture(scope="module")
def drawn(config, topics, shared_settings):
    report = Recorder()
    return learning_curve(config, topics, settings=shared_settings, report=report), report


def rows(number=200):
    labels = np.where(np.arange(number) % 10 == 0, "rare", np.where(np.arange(number) % 2, "one", "other"))
    return pd.DataFrame({"id": range(number), "text": "x", "label": labels})


def test_parts_are_nested_and_hold_each_class_in_its_share():
    frame = rows()
    joins = nested_order(TASK, frame, seed=0)
    parts = [part_of(joins, share) for share in (0.05, 0.1, 0.25, 0.5, 1.0)]
    for smaller, larger in pairwise(parts):
        assert set(smaller) < set(larger)
    assert len(parts[-1]) == 200
    for share, part in zip((0.25, 0.5), parts[2:4], strict=True):
        counts = frame["label"].iloc[part].value_counts()
        for name, total in frame["label"].value_counts().items():
            assert counts[name] == pytest.approx(share * total, abs=1)
    assert "rare" in set(frame["label"].iloc[part_of(joins, 0.001)]), "every class is there from the beginning"


def test_the_seed_decides_the_parts_and_a_task_without_classes_has_parts_too(monkeypatch):
    frame = rows()
    assert np.array_equal(nested_order(TASK, frame, seed=1), nested_order(TASK, frame, seed=1))
    assert not np.array_equal(nested_order(TASK, frame, seed=1), nested_order(TASK, frame, seed=2))
    monkeypatch.setattr(type(TASK), "strata", lambda task, frame: None)
    assert len(part_of(nested_order(TASK, frame, seed=0), 0.5)) == pytest.approx(100, abs=1)


def test_every_size_is_measured_on_the_same_test_rows_beside_the_baselines(drawn, topics, trained):
    curve, report = drawn
    points = curve.points
    own = points[(points["model"] == MODEL) & (points["metric"] == "accuracy")]
    assert own["share"].tolist() == [0.1, 0.25, 0.5, 1.0]
    assert own["rows"].is_monotonic_increasing
    assert own["rows"].iloc[-1] == len(topics.part("train"))
    assert ((own["low"] <= own["value"]) & (own["value"] <= own["high"])).all()
    assert set(points["model"]) == {MODEL, "majority class", "TF-IDF + logistic regression"}
    assert report.of("test_accuracy") == dict(zip(own["rows"], own["value"], strict=True))
    assert report.fractions == sorted(report.fractions)


def test_the_last_point_is_the_ordinary_training(drawn, config, topics, shared_settings):
    from lmcore.training import train

    whole = train(replace(config, name="whole"), topics, settings=shared_settings)
    points = drawn[0].points
    last = points[(points["model"] == MODEL) & (points["share"] == 1.0)].set_index("metric")["value"]
    assert last.to_dict() == pytest.approx(dict(whole.evaluation.metrics))


def test_no_version_is_registered_and_no_checkpoint_stays(config, topics, tracked, settings):
    learning_curve(config, topics, shares=(0.5, 1.0), settings=settings)
    assert ModelRegistry(tracked).list() == []
    assert list(tracked.checkpoints.iterdir()) == []


def test_the_verdict_is_about_the_last_step(drawn):
    curve = drawn[0]
    own = curve.points[(curve.points["model"] == MODEL) & (curve.points["metric"] == "f1_macro")]
    steps = own["value"].diff().iloc[-1]
    assert curve.gain["difference"] == pytest.approx(steps)
    said = f"changed Macro F1 by {100 * steps:+.1f} points"
    assert curve.verdict.startswith(f"The last {curve.gain['rows']} training rows {said}")
    helped = replace(curve, gain={**curve.gain, "difference": 0.1, "low": 0.05, "high": 0.2, "clear": True})
    assert helped.verdict.endswith("(95 % interval +5.0 to +20.0). More rows of this kind are likely to help.")
    worse = replace(curve, gain={**curve.gain, "difference": -0.1, "low": -0.2, "high": -0.05, "clear": True})
    assert worse.verdict.endswith("That is no clear gain from more rows.")


def test_it_is_kept_and_comes_back(drawn, config, topics, shared_settings):
    curve = drawn[0]
    assert curve.id == curve_id(config, topics)
    kept = load_curve(shared_settings.workspace, curve.id)
    pd.testing.assert_frame_equal(kept.points, curve.points)
    assert (kept.gain, kept.config, kept.verdict) == (curve.gain, curve.config, curve.verdict)
    with pytest.raises(UnknownError, match="no learning curve 'x'"):
        load_curve(shared_settings.workspace, "x")


def test_a_damaged_one_is_one_sentence(drawn, settings):
    from lmcore.training.curve import save_curve

    save_curve(settings.workspace, drawn[0])
    (settings.workspace.results / "curves" / drawn[0].id / "points.parquet").write_bytes(b"no")
    with pytest.raises(StorageError, match="is damaged: draw it again"):
        load_curve(settings.workspace, drawn[0].id)


def test_it_is_stopped_and_taken_up_again_where_it_was(config, topics, settings, tmp_path, monkeypatch, drawn):
    from lmcore.training import head

    sizes = []
    real = head.fit_head
    monkeypatch.setattr(head, "fit_head", lambda job: (sizes.append(len(job.train)), real(job))[1])
    with pytest.raises(Cancelled):
        learning_curve(config, topics, settings=settings, scratch=tmp_path / "run", report=Stopper(12))
    stopped = list(sizes)
    assert 1 < len(stopped) < 4
    sizes.clear()
    curve = learning_curve(config, topics, settings=settings, scratch=tmp_path / "run", resume=True)
    assert sizes[0] == stopped[-1], "the size that was under way is trained, those before it are not"
    assert len(sizes) == 4 - len(stopped) + 1
    pd.testing.assert_frame_equal(curve.points, drawn[0].points)
    assert curve.gain == drawn[0].gain


def test_as_a_job(config, topics, tracked, monkeypatch):
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    stored = DatasetStore(tracked).save(topics)
    asked = json.loads(json.dumps(curve_config(config, str(stored.ref), (0.5, 1.0))))
    answer = run_curve(asked, workspace=tracked, report=Silent(), resume=False)
    assert load_curve(tracked, answer["curve"]).verdict == answer["verdict"]


@pytest.mark.parametrize("shares", [(), (1.0,), (0.5, 0.2), (0.0, 1.0), (0.5, 1.1), (0.5, 0.5)])
def test_shares_that_cannot_be_used(config, topics, settings, shares):
    with pytest.raises(OptionError, match="give two or more rising ones above 0 and up to 1"):
        learning_curve(config, topics, shares=shares, settings=settings)


def test_shares_that_are_too_close_and_data_without_splits(config, topics, settings):
    with pytest.raises(OptionError, match="Two of the shares hold the same 96 rows"):
        learning_curve(config, topics, shares=(0.9999, 1.0), settings=settings)
    with pytest.raises(DataError, match="is not split yet"):
        learning_curve(config, replace(topics, frame=topics.frame.drop(columns="split")), settings=settings)
