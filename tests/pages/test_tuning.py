"""The Train page's search."""

import json
import shutil
from dataclasses import replace

import pytest

from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs.selftest import TARGET as COUNTING
from lmcore.jobs.store import JobStore
from lmcore.settings import Settings, Workspace
from lmcore.storage import write_json
from lmcore.training.config import TrainConfig
from lmcore.training.tuning.config import SearchConfig
from lmcore.training.tuning.job import SEARCH
from lmcore.training.tuning.result import load_search, search_folder
from lmcore.training.tuning.run import search
from lmcore.training.tuning.runs import RUNS
from lmcore.training.tuning.space import Choices, Range
from tests.pages.test_judging import stop
from tests.pages.test_train import PAGE, choose_tiny, labels, press, said, words

SPACE = {"strength": Range(1e-4, 100.0, log=True), "batch_size": Choices((8, 32))}


@pytest.fixture(scope="module")
def config(tiny_folder):
    base = TrainConfig("topics", model=f"folder:{tiny_folder}", layer=2, strength=1e-4)
    return SearchConfig(base, SPACE, trials=7, register=False)


@pytest.fixture(scope="module")
def made(config, prepared, tmp_path_factory):
    """A search in a workspace of its own, with the data of the prepared one."""
    root = tmp_path_factory.mktemp("searched") / "workspace"
    shutil.copytree(prepared.root, root)
    workspace = Workspace(root)
    data = DatasetStore(workspace).load(prepared.split)
    return search(config, data, settings=Settings(workspace=workspace, device="cpu")), root


@pytest.fixture
def searched(made, filled, home):
    """The workspace of the test has that search."""
    result, root = made
    shutil.copytree(root / "results" / "searches", home.workspace.results / "searches")
    return result


def test_a_search_is_started_from_the_page(open_app, filled, home, tiny_folder):
    app = choose_tiny(open_app(PAGE, train_mode="search"), filled.split, tiny_folder)
    assert not app.exception
    assert not app.error
    assert "No search has been started yet." in said(app)
    assert "At most about" in said(app)
    assert {head.value for head in app.header} == {"Searches"}, "runs and evaluations stay on the other side"
    key = "search_text-classification_head"
    assert app.multiselect(key=f"{key}_names").value == ["strength"]
    assert app.text_input(key=f"{key}_strength").value == "0.0001:1000:log"
    app.text_input(key=f"{key}_strength").set_value("0.01:10:log")
    app.number_input(key="search_trials").set_value(3).run()
    app = press(app, "Start the search")
    assert not app.exception
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "search")
    assert job.target == SEARCH
    assert job.config["search"]["space"] == {"strength": {"low": 0.01, "high": 10.0, "log": True}}
    assert job.config["search"]["trials"] == 3
    assert app.query_params["search"] == job.config["id"]
    app.run()
    assert not app.exception
    assert job.state is JobState.DONE or "Resume" in labels(app)


def test_what_cannot_be_searched_is_told_in_one_sentence(open_app, filled, tiny_folder):
    app = choose_tiny(open_app(PAGE, train_mode="search"), filled.split, tiny_folder)
    key = "search_text-classification_head"
    app = app.text_input(key=f"{key}_strength").set_value("10:1").run()
    assert not app.exception
    assert "the first has to be the smaller one" in app.error[0].value
    assert "Start the search" not in labels(app)
    app.text_input(key=f"{key}_strength").set_value("1:10").run()
    app = app.multiselect(key=f"{key}_names").set_value([]).run()
    assert "Start the search" in labels(app), "nothing chosen is the usual space"


def test_more_settings_have_an_example_to_begin_with(open_app, filled, tiny_folder):
    app = choose_tiny(open_app(PAGE, train_mode="search"), filled.split, tiny_folder)
    app.selectbox(key="train_method").set_value("full").run()
    key = "search_text-classification_full"
    names = app.multiselect(key=f"{key}_names")
    app = names.set_value([*names.value, "schedule", "epochs", "class_weights", "warmup", "patience"]).run()
    assert not app.exception
    assert not app.error
    assert app.text_input(key=f"{key}_schedule").value == "linear, cosine, constant"
    assert app.text_input(key=f"{key}_class_weights").value == "true, false"
    assert app.text_input(key=f"{key}_epochs").value == "1:4"


def test_what_was_found_is_shown_and_taken_over(open_app, searched, filled, tiny_folder):
    app = open_app(PAGE, train_mode="search", search=searched.id)
    assert not app.exception
    assert not app.error
    assert "The best of 7 trials is trial" in said(app)
    alts = words(app)
    assert alts[0] == searched.verdict
    assert alts[1].startswith("What explains the differences: Strength ")
    assert alts[2].startswith("7 trials over 2 settings.")
    table = next(frame.value for frame in app.dataframe if "strength" in frame.value)
    assert table["trial"].tolist() == [7, 6, 5, 4, 3, 2, 1]
    app = press(app, "Use these settings")
    assert not app.exception
    assert not app.warning
    assert app.segmented_control(key="train_mode").value == "train"
    assert "Start training" in labels(app)
    strength = next(field for field in app.number_input if field.label == "Strength")
    assert strength.value == pytest.approx(searched.best.strength)
    assert next(field for field in app.number_input if field.label == "Layer").value == 2
    assert next(box for box in app.selectbox if box.label == "Model").value == f"folder:{tiny_folder}"


def test_a_search_is_extended(open_app, searched, home):
    app = open_app(PAGE, train_mode="search", search=searched.id)
    app.number_input(key=f"search_more_{searched.id}").set_value(5).run()
    app = press(app, "Extend the search")
    assert not app.exception
    job = stop(JobBoard(home.workspace, grace_seconds=0.1), "search")
    assert job.config["id"] == searched.id
    assert job.config["search"]["trials"] == 12
    assert load_search(home.workspace, searched.id).trials.head(7)["state"].eq("finished").all()


def test_a_registered_best_is_one_click_away_and_one_trial_has_no_importance(open_app, config, filled, home):
    found = search(
        replace(config, trials=1, register=True, base=replace(config.base, name="found")),
        DatasetStore(home.workspace).load(filled.split),
        settings=home,
    )
    app = open_app(PAGE, train_mode="search", search=found.id)
    assert "is told from 6 finished trials on; so far: 1." in app.info[0].value
    assert len(words(app)) == 2
    app = press(app, "See how models:/found/1 did")
    assert not app.exception
    assert not app.warning
    assert app.selectbox(key="pick_version").value == "models:/found/1"
    assert "rows it is right in" in said(app)


def test_a_search_that_waits_is_watched(open_app, filled, home):
    board = JobBoard(home.workspace)
    job = board.submit(COUNTING, {"to": 1000, "pause": 0.05, "id": "feed"}, title="Search slowly", kind="search")
    app = open_app(PAGE, train_mode="search")
    assert not app.exception
    assert not app.error
    assert "**Search slowly**" in said(app)
    assert "Cancel" in labels(app)
    assert board.get(job.id).state is not JobState.FAILED


def cancelled(home, number, **changes):
    """Put a job into the queue that searched, as far as the notes of the search say so, and was cancelled."""
    columns = {"id": f"20260101-000000-00000{number}", "kind": "search", "title": "Search slowly", "target": SEARCH}
    columns |= {"needs_bytes": 0, "resumable": 1, "state": "cancelled", "created": 1.0, "queued": 1.0, "ended": 3.0}
    store = JobStore(home.workspace)
    with store.writing() as db:
        store.add(db, columns | changes)
    return columns["id"]


def test_how_many_trials_go_with_a_job_is_told_before_it_is_deleted(open_app, searched, home):
    board, config = JobBoard(home.workspace), json.dumps({"id": searched.id})
    folder = search_folder(home.workspace, searched.id)
    other = cancelled(home, 1, config=config)
    app = open_app(PAGE, train_mode="search", job=other)
    assert "The 7 trials of its search stay: they are not this job's alone." in said(app)
    app = press(app, "Delete this job")
    assert not app.exception
    assert load_search(home.workspace, searched.id).ended == 7
    maker = cancelled(home, 2, config=config)
    write_json(folder / RUNS, [maker])
    app = open_app(PAGE, train_mode="search", job=maker)
    assert "7 trials will go with it." in said(app)
    app = press(app, "Delete this job")
    assert not app.exception
    assert not app.error
    assert board.list() == []
    assert not folder.exists()


def test_a_deletion_that_was_broken_off_is_ended_on_the_page(open_app, filled, home):
    job = cancelled(home, 1, config='{"id": "feed"}', deleting=1)
    app = open_app(PAGE, train_mode="search", job=job)
    assert "Its deletion has begun." in app.info[-1].value
    assert "Resume" not in labels(app)
    app = press(app, "Delete this job")
    assert not app.exception
    assert JobBoard(home.workspace).list() == []


def test_a_link_to_a_search_that_is_not_there_and_a_damaged_one(open_app, searched, home):
    app = open_app(PAGE, train_mode="search", search="gone")
    assert not app.exception
    assert "'gone'" in app.warning[0].value
    (home.workspace.results / "searches" / searched.id / "study.db").unlink()
    app = open_app(PAGE, train_mode="search", search=searched.id)
    assert not app.exception
    assert "are gone: run it again" in app.error[0].value
