"""``lmcore data label``: the queue as a file, labels out of a file, status, undo and keeping."""

import shutil

import pandas as pd
import pytest

from lmcore.data.load import load_dataset
from lmcore.data.store import DatasetStore
from lmcore.settings import Workspace


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_text("text\nThe tea was warm.\nIt rained.\n茶很香。\n", encoding="utf-8")
    return path


def test_an_unlabelled_file_is_labelled_in_a_spreadsheet(ask, run, refused, file, tmp_path):
    home, out = tmp_path / "home", tmp_path / "queue.csv"
    assert "has no column that is called label" in refused("data", "label", "queue", file, home=home)
    found = ask("data", "label", "queue", file, "--unlabelled", "--out", out, home=home)
    assert (found["data"], found["rows"], found["by"]) == ("notes@1", 3, None)
    assert [row["row"] for row in found["queue"]] == [1, 2, 3]
    table = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert list(table) == ["row", "text", "label"]
    table.loc[[0, 2], "label"] = ["tea", "tea"]
    table.to_csv(out, index=False)
    assert ask("data", "label", "give", "notes@1", out, "--author", "ann", home=home)["labels"] == 2
    table["label"] = ["tea", "rain", "茶"]
    table.to_csv(out, index=False)
    ask("data", "label", "give", "notes@1", out, "--author", "bo", home=home)
    status = ask("data", "label", "status", "notes@1", home=home)
    assert status["authors"] == {"ann": 2, "bo": 3}
    assert (status["unlabelled"], status["labelled"], status["shared"], status["agreed"]) == (3, 3, 2, 1)
    assert ask("data", "label", "undo", "notes@1", "--author", "ann", home=home)["row"] == 3
    kept = ask("data", "label", "keep", "notes@1", home=home)
    assert (kept["ref"], kept["parent"], kept["rows"]) == ("notes@2", "notes@1", 3)
    assert kept["operation"]["authors"] == {"ann": 1, "bo": 3}
    rows = DatasetStore(Workspace(home)).load("notes@2").frame
    assert rows["label"].tolist() == ["tea", "rain", "茶"]
    alone = ask("data", "label", "keep", "notes@1", "--author", "ann", home=home)
    assert (alone["ref"], alone["rows"]) == ("notes@3", 1)
    rest = ask("data", "label", "keep", "notes@1", "--author", "ann", "--with-unlabelled", home=home)
    assert rest["rows"] == 3
    assert ask("data", "label", "queue", "notes@1", home=home)["queue"] == []
    assert (
        "Several people labelled 1 row, and agree on 1." in run("data", "label", "status", "notes@1", home=home).stdout
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory, trained_home):
    """The trained workspace with a data set that has nothing to label."""
    place = tmp_path_factory.mktemp("labels") / "home"
    shutil.copytree(trained_home, place)
    data = load_dataset("sample:kitchen-en", task="text-generation", name="kitchen")
    DatasetStore(Workspace(place)).save(data)
    return place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("queue", "topics@1", "--by", "margin"), "--by and --against need --version."),
        (("keep", "topics@1"), "Nobody of those chosen has labelled a row of topics@1 yet"),
        (("status", "gone@1"), "There is no stored data set 'gone@1'"),
        (("undo", "topics@1", "--author", " "), "The author '' is not a usable name"),
        (("status", "kitchen@1"), "Text generation has no classes, tags or answers to label"),
    ],
)
def test_what_cannot_be_done_is_refused(run, home, arguments, said):
    result = run("data", "label", *arguments, home=home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_the_queue_comes_in_the_order_of_a_versions_doubt(ask, home):
    found = ask(
        "data", "label", "queue", "topics@1", "--rows", "all", "--split", "test", "--version", "models:/topics/1",
        "--by", "entropy", home=home,
    )  # fmt: skip
    doubts = [row["doubt"] for row in found["queue"]]
    assert found["by"] == "entropy"
    assert doubts == sorted(doubts, reverse=True)
    assert 0 <= min(doubts) < max(doubts) <= 1
    assert len(list((home / "results" / "rankings").iterdir())) == 1
