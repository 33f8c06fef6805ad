"""``lmcore analyse``."""

import pytest

from lmcore.analysis.attribution.methods import ATTRIBUTION

MODEL = "models:/topics@champion"
TEXT = "the bread and the cheese was very rain"


def test_one_text(ask, trained_home):
    found = ask("analyse", MODEL, TEXT, home=trained_home)
    assert found["version"] == "models:/topics/1"
    probabilities = found["prediction"]["probabilities"]
    assert set(probabilities) == {"food", "travel", "weather"}
    assert sum(probabilities.values()) == pytest.approx(1)
    assert found["prediction"]["label"] == max(probabilities, key=probabilities.get) == found["target"]["label"]
    assert [word["word"] for word in found["words"] if word["word"].isalpha()] == TEXT.split()
    assert found["completeness_error"] >= 0
    assert found["truncated"] is False


def test_one_class_against_another(ask, trained_home):
    one = ask("analyse", MODEL, TEXT, "--target", "food", "--against", "weather", home=trained_home)
    other = ask("analyse", MODEL, TEXT, "--target", "weather", "--against", "food", home=trained_home)
    assert one["target"] == {"kind": "class", "label": "food", "against": "weather"}
    for a, b in zip(one["tokens"], other["tokens"], strict=True):
        assert a["token"] == b["token"]
        assert a["score"] == pytest.approx(-b["score"], abs=1e-3)


@pytest.mark.parametrize("method", list(ATTRIBUTION))
def test_every_method(ask, trained_home, method):
    found = ask("analyse", MODEL, TEXT, "--method", method, home=trained_home)
    assert found["method"] == method
    assert set(found["options"]) == {option.name for option in ATTRIBUTION[method].options}


def test_for_people_from_the_standard_input(run, trained_home):
    shown = run("analyse", MODEL, "-", "--target", "food", "--against", "weather", home=trained_home, input=TEXT).stdout
    assert shown.startswith("The model says ")
    assert "Why food rather than weather" in shown
    assert "bread" in shown


def test_the_layers_over_a_data_set(ask, run, trained_home):
    found = ask("analyse", MODEL, "--data", "topics@1", home=trained_home)
    matrix = found["similarity"]["matrix"]
    assert found["similarity"]["rows"] == 12
    assert all(matrix[layer][layer] == pytest.approx(1, abs=1e-4) for layer in range(len(matrix)))
    assert {row["layer"] for row in found["probe"]["accuracy"]} == set(range(len(matrix)))
    assert {row["split"] for row in found["probe"]["accuracy"]} >= {"dev", "test"}
    shown = run("analyse", MODEL, "--data", "topics@1", home=trained_home).stdout
    assert shown.startswith(f"A linear probe does best on layer {found['probe']['best_layer']}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((MODEL, TEXT, "--target", "nosuch"), "There is no class 'nosuch'; known: food, travel, weather."),
        ((MODEL, TEXT, "--against", "nosuch"), "There is no class 'nosuch'; known: food, travel, weather."),
        ((MODEL, "  "), "The text is empty"),
        (("models:/nosuch/1", TEXT), "There is no registered model 'nosuch'"),
        ((MODEL, "--data", "topics@1:test"), "topics@1:test is one split: give the whole data set"),
        ((MODEL, "--data", "nosuch@1"), "There is no stored data set 'nosuch@1'"),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("analyse", *arguments, home=trained_home)


def test_a_model_without_a_head(refused, trained_home, tiny_folder):
    assert "has no trained head" in refused("analyse", f"folder:{tiny_folder}", TEXT, home=trained_home)


@pytest.mark.parametrize("arguments", [(MODEL,), (MODEL, TEXT, "--data", "topics@1")])
def test_a_text_or_a_data_set(run, arguments):
    result = run("analyse", *arguments)
    assert result.exit_code == 2
    assert "Give either TEXT or --data." in result.stderr


def test_bytes_that_are_no_text(ask, trained_home):
    assert ask("analyse", MODEL, "bread \udcff cheese", home=trained_home)["prediction"]["label"]
    assert ask("analyse", MODEL, "-", home=trained_home, input=b"bread \xff cheese")["prediction"]["label"]
