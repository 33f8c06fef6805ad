"""The Train page's view that makes a version smaller."""

import pytest

from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard
from lmcore.training import CompressConfig, compress
from lmcore.training.compression import speed
from lmcore.training.compression.job import TARGET
from tests.pages.test_judging import stop
from tests.pages.test_train import PAGE, press, said


@pytest.fixture
def smaller(filled, home, monkeypatch):
    """A version in eight bits, made from the one that there is."""
    monkeypatch.setattr(speed.measure_speed, "__kwdefaults__", {"singles": 4, "batches": 2, "report": None})
    data = DatasetStore(home.workspace).load(filled.split)
    return compress(CompressConfig(filled.version, "int8"), data, settings=home)


def choose(app, label, value):
    return next(box for box in app.selectbox if box.label == label).set_value(value).run()


def test_nothing_was_made_yet_and_a_job_starts(open_app, filled, home):
    app = open_app(PAGE, judging_view="Compression")
    assert not app.exception
    assert "Nothing was made from this version yet" in said(app)
    app = choose(app, "Make it smaller by", "magnitude")
    next(field for field in app.number_input if field.label == "Share").set_value(0.6).run()
    app = press(app, "Make it smaller")
    assert not app.exception
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "compress")
    assert job.target == TARGET
    assert job.config["data"] == filled.split
    assert (job.config["compress"]["method"], job.config["compress"]["share"]) == ("magnitude", 0.6)


def test_the_family_is_drawn_and_listed(open_app, filled, smaller):
    app = open_app(PAGE, judging_view="Compression", version=filled.version)
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 1
    listed = next(table.value for table in app.dataframe if "how" in table.value)
    assert listed["how"].tolist() == ["original", "int8"]
    assert listed["version"].tolist() == [filled.version, str(smaller.version.ref)]
    assert "all versions in turn" in said(app)


def test_a_smaller_version_says_where_it_comes_from(open_app, filled, smaller):
    app = open_app(PAGE, judging_view="Compression", version=str(smaller.version.ref))
    assert not app.exception
    assert f"Made from {filled.version}" in said(app)


def test_it_is_said_what_an_export_is_for(open_app, filled):
    app = choose(open_app(PAGE, judging_view="Compression"), "Make it smaller by", "onnx")
    assert "for programs of your own" in said(app)
