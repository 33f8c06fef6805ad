"""``lmcore analyse align``."""

import shutil

import numpy as np
import pytest

from lmcore.analysis import alignment_errors
from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.models import load_model
from lmcore.settings import Settings, Workspace
from tests.tasks.linked import reversed_frame

MODEL = "models:/topics@champion"


def test_a_text_is_linked_with_itself(ask, trained_home):
    found = ask("analyse", "align", MODEL, "rain and snow", "rain and snow", "--layer", "1", home=trained_home)
    assert found["links"] == [[0, 0], [1, 1], [2, 2]]
    assert (found["source"], found["layer"], found["method"]) == (["rain", "and", "snow"], 1, "argmax")
    assert np.diag(found["similarity"]).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert found["model"] == "models:/topics/1"


def test_links_are_printed_as_words_and_places(run, trained_home):
    shown = run("analyse", "align", MODEL, "下雨", "下雨", "--method", "itermax", home=trained_home)
    assert shown.exit_code == 0
    assert "Itermax by layer" in shown.stdout
    assert "Links: " in shown.stdout
    arguments = ("rain", "snow", "--method", "softmax", "--threshold", "1")
    none = run("analyse", "align", MODEL, *arguments, home=trained_home)
    assert "links no words" in none.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((MODEL, "rain", " "), "The target has no words"),
        ((MODEL, "rain", "rain", "--layer", "99"), "The layer is 99"),
        ((MODEL, "rain", "rain", "--threshold", "0.5"), "argmax has no option 'threshold'"),
        (("models:/nosuch/1", "rain", "rain"), "There is no registered model 'nosuch'"),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("analyse", "align", *arguments, home=trained_home)


def test_every_layer_is_measured_over_a_data_set(ask, trained_home, tmp_path):
    home = shutil.copytree(trained_home, tmp_path / "copy")
    settings = Settings(workspace=Workspace(home), device="cpu")
    data = split_dataset(TextDataset("turned", "text-alignment", reversed_frame(30)), seed=0)
    stored = DatasetStore(settings.workspace).save(data).part("test")
    asked = ("--method", "itermax", "--iterations", "3")
    found = ask("analyse", "align", MODEL, "--data", "turned@1:test", *asked, home=home)
    wanted = alignment_errors(load_model(MODEL, settings=settings), stored, method="itermax", iterations=3)
    assert (found["model"], found["data"], found["pairs"]) == ("models:/topics/1", "turned@1:test", wanted.pairs)
    assert (found["best_layer"], found["fingerprint"]) == (wanted.best_layer, wanted.fingerprint)
    assert found["layers"] == wanted.layers.to_dict("records")
    assert found["diagonal"] == wanted.diagonal
    assert found["parameters"] == {
        "method": "itermax", "iterations": 3, "discount": 0.9, "seed": 0, "resamples": 1000,
    }  # fmt: skip
    assert (found["unlinked"], found["truncated"]) == (0, 0)


def test_the_figures_are_printed_by_layer_with_the_diagonal(run, trained_home, tmp_path):
    file = tmp_path / "gold.csv"
    file.write_text("source,target,links\nrain and snow,rain and snow,0-0 1-1 2-2\nsoup,soup,\n")
    shown = run("analyse", "align", MODEL, "--data", file, home=trained_home)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].startswith(
        "Mutual argmax. Layer 0 has the lowest alignment error rate, 0.143 (95 % interval 0.000 to"
    )
    assert [line.split()[0] for line in lines if line.startswith((" 0", " 1", " 2", " diag"))] == [
        "0",
        "1",
        "2",
        "diagonal",
    ]
    assert "1 pair has no gold link" in shown.stdout
    assert "as an evaluation does." in lines[-1]
    assert "Reads both sentences of 2 pairs once, and links their words by each of 3 layers." in shown.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("rain",), ("rain", "rain", "--data", "x@1"), ("--data", "x@1", "--layer", "1")]
)
def test_texts_and_a_data_set_are_not_mixed(run, trained_home, arguments):
    found = run("analyse", "align", MODEL, *arguments, home=trained_home)
    assert found.exit_code == 2
    said = found.stderr.splitlines()[-1]
    assert said.startswith(
        "Error: --layer goes with two texts" if "--layer" in arguments else "Error: Give either SOURCE"
    )


def test_data_without_links_are_refused_in_a_sentence(refused, trained_home, tmp_path):
    file = tmp_path / "pairs.txt"
    file.write_text("rain\tsnow\n")
    assert "'pairs' has no links" in refused("analyse", "align", MODEL, "--data", file, home=trained_home)
    said = refused("analyse", "align", MODEL, "--data", "topics@1", home=trained_home)
    assert "topics@1 was stored for the task text-classification" in said
