"""Analyses of a running server: why, counterfactuals and suites, by its name and by its address."""

import hashlib
import shutil

import pytest

from lmcore.data.store import DatasetStore
from lmcore.serving import send, start_server, stop_server
from lmcore.settings import Settings, Workspace
from tests.serving.starting import until_started

TEXT = "the bread and the cheese was very rain"
KEY = "open sesame"


@pytest.fixture(scope="module")
def served(trained_home):
    """The address of a running server that asks for a key."""
    settings = Settings(workspace=Workspace(trained_home), device="cpu")
    start_server(settings, "models:/topics/1", port=0, api_key_sha256=hashlib.sha256(KEY.encode()).hexdigest())
    state = until_started(settings.workspace, 120)
    assert state.state == "running", state
    yield state.url
    stop_server(settings.workspace)


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("LMSCOPE_API_KEY", KEY)


def test_why_the_server_says_so(ask, run, trained_home, served, key):
    found = ask("analyse", "why", "server", TEXT, "--method", "leave_one_out", "--trust", home=trained_home)
    assert found["version"] == "models:/topics/1"
    assert [word["word"] for word in found["words"]] == TEXT.split()
    without = send(Workspace(trained_home), [TEXT, TEXT.replace("bread ", "")], api_key=KEY)["predictions"]
    label = found["target"]["label"]
    fall = without[0]["probabilities"][label] - without[1]["probabilities"][label]
    assert found["words"][1]["score"] == pytest.approx(fall, abs=1e-6)
    assert found["trust"]["warning"]
    assert found["trust"]["random_weights"] == []
    assert KEY not in str(found)
    again = ask("analyse", "why", served, TEXT, "--method", "leave_one_out", home=trained_home)
    assert again["words"] == found["words"]
    shown = run("analyse", "why", "server", TEXT, home=trained_home).stdout
    assert "The server was asked about" in shown


def test_its_cost_is_said_without_asking(ask, trained_home):
    found = ask("analyse", "why", "server", TEXT, "--cost", home=trained_home)
    assert found["calls"] > len(TEXT.split())


def test_counterfactuals_and_suites_by_its_address(ask, trained_home, served, key, tmp_path):
    found = ask("analyse", "counterfactuals", served, TEXT, "--edit", "deletion", "--budget", 40, home=trained_home)
    assert found["asked"] <= 40
    own = shutil.copytree(trained_home, tmp_path / "own")  # a suite is kept with its data, which other tests read
    data = next(str(i.ref) for i in DatasetStore(Workspace(own)).list() if i.is_split)
    ask("analyse", "suite", "make", data, "robust", "--edit", "typos", "--rows", 4, home=own)
    run = ask("analyse", "suite", "run", data, "robust", served, home=own)
    assert run["version"] == served
    assert run["rates"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["server", TEXT], "key is missing or wrong"),
        (["server", TEXT, "--method", "integrated_gradients"], "needs the model itself"),
        (["server", TEXT, "--unit", "token"], "knows no tokens"),
        (["server", TEXT, "--every-token"], "takes no --at"),
        (["http://127.0.0.1:1", TEXT], "no usable answer"),
    ],
)
def test_what_a_server_cannot_be_asked_is_refused(refused, trained_home, served, arguments, said):
    assert said in refused("analyse", "why", *arguments, home=trained_home)
