"""``lmcore analyse counterfactuals``, ``neighbours`` and ``suite``."""

import json

import pytest

from lmcore.analysis.counterfactual.methods import EDITS
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Workspace
from tests.analysis.examples.test_last_layer import CASES
from tests.pages.test_analyse_tasks import keep
from tests.tasks.speakers import speaker

MODEL = "models:/topics@champion"
TEXT = "the bread and the cheese was very rain"


@pytest.fixture
def data(trained_home):
    return next(str(i.ref) for i in DatasetStore(Workspace(trained_home)).list() if i.is_split)


def test_edits_of_a_text(ask, trained_home):
    found = ask(
        "analyse",
        "counterfactuals",
        MODEL,
        TEXT,
        "--edit",
        "deletion",
        "--edit",
        "typos",
        "--budget",
        60,
        home=trained_home,
    )
    assert found["prediction"]["label"] in {"food", "travel", "weather"}
    assert {edit["kind"] for item in found["tried"] for edit in item["edits"]} == {"deletion", "typos"}
    assert found["asked"] <= found["budget"] == 60
    for item in found["tried"]:
        assert item["flips"] == (item["prediction"]["label"] != found["prediction"]["label"])
    again = ask(
        "analyse",
        "counterfactuals",
        MODEL,
        "-",
        "--edit",
        "deletion",
        "--edit",
        "typos",
        "--budget",
        60,
        home=trained_home,
        input=TEXT,
    )
    assert again == found


def test_options_go_to_the_edits_that_take_them(ask, refused, trained_home):
    found = ask("analyse", "counterfactuals", MODEL, TEXT, "--edit", "typos", "--edit-most", 1, home=trained_home)
    assert found["parameters"]["edits"] == {"typos": {"most": 1}}
    said = refused("analyse", "counterfactuals", MODEL, TEXT, "--edit", "deletion", "--edit-most", 1, home=trained_home)
    assert "None of deletion has the option most" in said


def test_for_people(run, trained_home):
    shown = run("analyse", "counterfactuals", MODEL, TEXT, "--edit", "deletion", home=trained_home).stdout
    assert "The model says" in shown
    assert "without 'bread'" in shown
    assert "of at most 400 texts were asked" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([MODEL, " "], "text is empty"),
        ([MODEL, TEXT, "--towards", "sport"], "no class 'sport'"),
        ([MODEL, TEXT, "--budget", "1"], "budget is 1"),
        (["server", TEXT], "prediction server is not running"),
    ],
)
def test_what_cannot_be_edited_is_refused(refused, trained_home, arguments, said):
    assert said in refused("analyse", "counterfactuals", *arguments, home=trained_home)


def test_every_edit_is_named_in_the_help(run):
    shown = " ".join(run("analyse", "counterfactuals", "--help").stdout.split())
    for name in EDITS:
        assert name in shown


def test_nearest_and_influential_rows(ask, run, refused, trained_home, data):
    near = ask("analyse", "neighbours", MODEL, "--row", 4, "--data", data, "-k", 3, home=trained_home)
    assert len(near["rows"]) == 3
    assert 3 not in [row["id"] for row in near["rows"]]
    influence = ask(
        "analyse", "neighbours", MODEL, TEXT, "--data", data, "--by", "influence", "-k", 2, home=trained_home
    )
    assert "one checkpoint" in influence["method"]
    assert len(influence["rows"]) <= 4
    assert "cosine" in run("analyse", "neighbours", MODEL, TEXT, "--data", data, home=trained_home).stdout
    neither = run("analyse", "neighbours", MODEL, "--data", data, home=trained_home)
    assert neither.exit_code == 2
    assert "Give either TEXT or --row." in neither.stderr
    assert "no row 9999" in refused("analyse", "neighbours", MODEL, "--row", 9999, "--data", data, home=trained_home)


def test_influential_rows_of_tags_and_of_a_task_that_learns_nothing(ask, run, refused, workspace):
    version = keep(workspace, "named-entity-recognition")
    text, tags, frame = CASES["named-entity-recognition"]
    data = DatasetStore(workspace).save(TextDataset("names", "named-entity-recognition", frame)).ref
    asked = ("analyse", "neighbours", version, text, "--data", data, "--by", "influence", "--label", tags)
    found = ask(*asked, home=workspace.root)
    assert found["label"] == tags
    assert {row["label"] for row in found["rows"]} >= {"person: Anna", "person: Ben"}
    assert f"What speaks for (+) and against (-) {tags} most, among 4 rows" in run(*asked, home=workspace.root).stdout
    assert "6 words and 1 tag" in refused(*asked[:-1], "O", home=workspace.root)
    linker = speaker("text-alignment", encoder=True)
    folder = workspace.models / "linker" / "first"
    linker.model.save_pretrained(folder)
    linker.tokenizer.save_pretrained(folder)
    version = ModelRegistry(workspace).register("linker", folder, task="text-alignment").ref
    pair = json.dumps({"source": "Anna told us", "target": "us told Anna"})
    said = refused("analyse", "neighbours", version, pair, "--data", data, "--by", "influence", home=workspace.root)
    assert "Text alignment learns nothing from rows" in said


def test_a_suite_from_making_to_comparing(ask, run, refused, trained_home, data, tmp_path):
    made = ask("analyse", "suite", "make", data, "robust", "--rows", 5, "--edit", "typos", home=trained_home)
    assert (made["suite"], made["cases"]) == ("robust@1", 5)
    assert [item["suite"] for item in ask("analyse", "suite", "list", data, home=trained_home)] == ["robust@1"]
    done = ask("analyse", "suite", "run", data, "robust", MODEL, home=trained_home)
    assert done["rates"][0]["cases"] == 5
    assert len(done["cases"]) == 5
    same = ask("analyse", "suite", "compare", data, "robust", MODEL, MODEL, home=trained_home)
    assert same["changed"] == []
    run("analyse", "suite", "export", data, "robust", tmp_path / "cases.csv", home=trained_home)
    copy = ask("analyse", "suite", "make", data, "copy", "--file", tmp_path / "cases.csv", home=trained_home)
    assert copy["cases"] == 5
    assert "cases failed" in run("analyse", "suite", "run", data, "copy", MODEL, home=trained_home).stdout
    assert "no suite 'gone'" in refused("analyse", "suite", "run", data, "gone", MODEL, home=trained_home)


def test_several_texts_are_given_as_json():
    from lmcore.cli.counterfactuals import read_input

    cell = json.dumps({"question": "who", "context": "Anna"})
    assert read_input(cell) == {"question": "who", "context": "Anna"}
    assert read_input("{not json") == "{not json"
    assert read_input('{"a": 1}') == '{"a": 1}'
