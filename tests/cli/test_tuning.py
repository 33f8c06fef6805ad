"""``lmcore search``."""

import shutil

import pytest

from lmcore.jobs import JobBoard
from lmcore.settings import Workspace
from lmcore.training.tuning.job import SEARCH
from lmcore.training.tuning.result import load_search


@pytest.fixture(scope="module")
def home(tmp_path_factory, trained_home):
    place = tmp_path_factory.mktemp("searched") / "home"
    shutil.copytree(trained_home, place)
    return place


@pytest.fixture
def flags(tiny_folder):
    return ["search", "topics@1", "--model", str(tiny_folder), "--layer", "2", "--strength", "0.001", "--no-register"]


def test_a_search_is_run_extended_and_told(ask, run, home, flags):
    found = ask(*flags, "--trials", "2", "--range", "strength=1e-3:100:log", home=home)
    assert [row["state"] for row in found["trials"]] == ["finished", "finished"]
    assert found["trials"][0]["strength"] == 0.001
    assert found["metric"] == "loss"
    assert found["best"]["strength"] == min(found["trials"], key=lambda row: row["value"])["strength"]
    assert found["importance"] == []
    assert found["registered"] == {}
    more = ask(*flags, "--extend", "1", "--range", "strength=1e-3:100:log", home=home)
    assert more["id"] == found["id"]
    assert more["trials"][:2] == found["trials"]
    assert len(more["trials"]) == 3
    shown = run(*flags, "--trials", "3", "--range", "strength=1e-3:100:log", home=home)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(more["verdict"])
    assert "The importance of settings is told from 6 finished trials on; so far: 3." in shown.stdout
    assert "3 trials take" in shown.stderr
    assert load_search(Workspace(home), found["id"]).ended == 3


def test_the_best_is_registered(ask, home, tiny_folder):
    found = ask(
        "search", "topics@1", "--name", "best", "--model", tiny_folder, "--layer", "2", "--trials", "2",
        "--choices", "strength=0.01,1", home=home,
    )  # fmt: skip
    assert found["registered"]["version"] == "models:/best/1"
    shown = ask("models", "list", home=home)
    assert "models:/best/1" in str(shown)


def test_in_the_background_it_is_a_job(ask, home, flags):
    found = ask(*flags, "--trials", "2", "--choices", "strength=0.1,1", "--background", home=home)
    board = JobBoard(Workspace(home), grace_seconds=0.1)
    job = board.get(found["job"]["id"])
    board.cancel(job.id)
    assert board.wait(job.id, 60).state.ended
    assert job.needs_bytes > 0
    assert (job.kind, job.target, job.config["id"]) == ("search", SEARCH, found["id"])
    assert job.config["search"]["space"] == {"strength": [0.1, 1.0]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--range", "strength"], "write the setting, an equals sign and what to search"),
        (["--range", "strength=1"], "write low:high or low:high:log"),
        (["--range", "learning_rate=1e-5:1e-3"], "learning_rate cannot be searched for head"),
        (["--choices", "strength=1,2", "--range", "strength=1:2"], "strength is given twice"),
        (["--trials", "2", "--extend", "2"], "--extend and --trials don't go together"),
        (["--fresh", "--extend", "2"], "--fresh goes with neither"),
        (["--trials", "0"], "The option trials is '0'"),
        (["--extend", "2", "--search-seed", "77"], "There is no search"),
        (["--epochs", "2"], "head has no option 'epochs'"),
    ],
)
def test_what_cannot_be_searched(run, home, flags, arguments, said):
    result = run(*flags, *arguments, home=home)
    assert result.exit_code == 2
    assert said in result.stderr
