"""``lmcore compare``, ``lmcore curve``, ``lmcore models card`` and ``calibrate``, and what ``evaluate`` adds."""

import shutil

import pytest

from lmcore.jobs import JobBoard
from lmcore.settings import Workspace
from lmcore.training.curve import load_curve
from lmcore.training.judging import CURVE
from lmcore.training.kept import kept_evaluations


@pytest.fixture(scope="module")
def home(tmp_path_factory, trained_home, tiny_folder):
    """The trained workspace with a second version, which reads another layer."""
    from click.testing import CliRunner

    from lmcore.cli import main

    place = tmp_path_factory.mktemp("judged") / "home"
    shutil.copytree(trained_home, place)
    arguments = [
        "train",
        "topics@1",
        "--name",
        "second",
        "--model",
        str(tiny_folder),
        "--layer",
        "0",
        "--strength",
        "1",
    ]
    result = CliRunner().invoke(main, ["--home", str(place), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return place


def test_versions_are_compared_and_what_is_missing_is_evaluated(ask, run, home):
    found = ask("compare", "models:/topics@champion", "models:/second/1", "topics@1", "--split", "dev", home=home)
    assert found["versions"] == ["models:/topics/1", "models:/second/1"]
    assert found["data"] == "topics@1:dev"
    assert len(found["verdicts"]) == 1
    assert {row["metric"] for row in found["differences"]} >= {"accuracy", "f1_macro"}
    assert len(kept_evaluations(Workspace(home), data="topics@1:dev")) == 2
    shown = run("compare", "models:/topics/1", "models:/second/1", "topics@1", "--split", "dev", home=home).stdout
    assert shown.startswith(found["verdicts"][0])
    assert len(kept_evaluations(Workspace(home), data="topics@1:dev")) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("models:/topics/1", "topics@1"), "Give two versions or more"),
        (("models:/topics/1", "models:/topics@champion", "topics@1"), "models:/topics/1 is named twice"),
        (("models:/topics/1", "models:/gone/1", "topics@1"), "There is no registered model 'gone'"),
        (("models:/topics/1", "models:/second/1", "gone@1"), "There is no stored data set 'gone@1'"),
    ],
)
def test_what_cannot_be_compared(run, home, arguments, said):
    result = run("compare", *arguments, home=home)
    assert result.exit_code == 2
    assert said in result.stderr


def test_evaluating_with_slices_and_calibration(ask, run, home):
    flags = ("evaluate", "models:/topics/1", "topics@1", "--slices", "--calibration")
    found = ask(*flags, home=home)
    assert {row["by"] for row in found["slices"]["slices"]} == {"label"}
    assert {row["metric"] for row in found["calibration"]["measures"]} == {"ece", "brier", "nll", "auroc"}
    assert found["calibration"]["verdict"].startswith("The expected calibration error is ")
    shown = run(*flags, home=home).stdout
    assert "The expected calibration error is " in shown
    assert "**" not in shown
    assert "slices" not in ask("evaluate", "models:/topics/1", "topics@1", home=home)


def test_the_card_is_printed_and_written(ask, run, refused, home, tmp_path):
    card = ask("models", "card", "models:/topics@champion", home=home)["card"]
    assert card.startswith("# topics, version 1\n")
    file = tmp_path / "card.md"
    assert run("models", "card", "models:/topics/1", "--out", file, home=home).stdout == f"The card is in {file}.\n"
    assert file.read_text(encoding="utf-8") == card
    assert run("models", "card", "models:/topics/1", home=home).stdout.startswith("# topics, version 1\n")
    assert "There is no registered model 'gone'" in refused("models", "card", "models:/gone/1", home=home)
    gone = tmp_path / "gone" / "card.md"
    assert "There is no folder" in refused("models", "card", "models:/topics/1", "--out", gone, home=home)


def test_calibrating_makes_a_version_or_says_why_not(run, home):
    result = run("models", "calibrate", "models:/second/1", "topics@1", home=home)
    if result.exit_code == 2:
        assert "dev rows is predicted wrongly" in result.stderr
    else:
        assert result.stdout.startswith("models:/second/2 divides its logits by ")


def test_a_learning_curve_here_and_in_the_background(ask, run, refused, home):
    found = ask("curve", "models:/second/1", "--share", "0.5", "--share", "1", home=home)
    assert load_curve(Workspace(home), found["id"]).verdict == found["verdict"]
    assert {row["share"] for row in found["points"]} == {0.5, 1.0}
    shown = run("curve", "models:/second/1", "--share", "0.5", "--share", "1", home=home).stdout
    assert shown.startswith(found["verdict"])
    job = ask("curve", "models:/second/1", "--background", home=home)["job"]
    board = JobBoard(Workspace(home), grace_seconds=0.1)
    kept = board.cancel(job["id"])
    assert kept.needs_bytes > 0
    assert (kept.kind, kept.target, kept.config["shares"]) == ("curve", CURVE, [0.1, 0.25, 0.5, 1.0])
    assert board.wait(kept.id, 60).state.ended
    assert "give two or more rising ones" in refused("curve", "models:/second/1", "--share", "1", home=home)


def test_going_on_says_what_was_forgotten(ask, run, home):
    flags = (
        "--model",
        "models:/topics/1",
        "--method",
        "continual",
        "--replay",
        "0",
        "--epochs",
        "1",
        "--max-length",
        "64",
    )
    made = ask("train", "topics@1", *flags, home=home)
    assert made["forgetting"]["before"] == "models:/topics/1"
    assert made["forgetting"]["verdict"].startswith(f"{made['version']} ")
    found = ask("forgetting", made["version"], home=home)
    assert found["verdict"] == made["forgetting"]["verdict"]
    assert {row["role"] for row in found["figures"]} == {"earlier", "new"}
    shown = run("forgetting", made["version"], "--before", "models:/second/1", home=home).stdout
    assert shown.startswith(f"{made['version']} ")


def test_a_version_that_did_not_go_on(refused, home):
    said = refused("forgetting", "models:/topics/1", home=home)
    assert "models:/topics/1 was not trained on from another version: name the version before it." in said


def test_a_version_is_set_beside_what_was_before(ask, run, refused, home):
    asked = refused("compare", "models:/second/1", "topics@1", "--before", "base", home=home)
    assert "which has no trained head for text classification" in asked
    assert "name what to take in its place with --before: majority class" in asked
    found = ask("compare", "models:/second/1", "topics@1", "--before", "majority class", home=home)
    assert (found["before"], found["after"]) == ("majority class", "models:/second/1")
    assert sum(found["changes"].values()) == 12
    assert {row["change"] for row in found["rows"]} <= {"fixed", "broken", "still wrong"}
    text = "we had some rain today"
    both = ask(
        "compare", "models:/second/1", "topics@1", "--before", "models:/topics/1", "--text", text, home=home
    )  # fmt: skip
    assert both["texts"][0]["text"] == text
    assert {both["texts"][0]["before"], both["texts"][0]["after"]} <= {"weather", "food", "travel"}
    shown = run("compare", "models:/second/1", "topics@1", "--before", "models:/topics/1", home=home).stdout
    assert shown.startswith("models:/second/1 beside models:/topics/1")
    assert "--text needs --before" in run("compare", "a", "b", "topics@1", "--text", "x", home=home).stderr
    assert "a baseline answers only for rows" in refused(
        "compare", "models:/second/1", "topics@1", "--before", "majority class", "--text", "x", home=home
    )
