"""``lmcore analyse neurons``."""

from typing import Any

import pytest

MODEL = "models:/topics@champion"


def test_the_neurons_of_a_data_set(ask: Any, trained_home: Any) -> None:
    found = ask("analyse", "neurons", MODEL, "topics@1", "--neuron", "2:7", home=trained_home)
    assert found["texts"] > 0
    assert [row["layer"] for row in found["layers"]] == [1, 2]
    assert {row["label"] for row in found["selective"]} == {"food", "travel", "weather"}
    assert all(0 <= row["low"] <= row["auroc"] <= row["high"] <= 1 for row in found["selective"])
    assert len(found["neuron"]) == 5
    assert all(len(item["tokens"]) == len(item["values"]) for item in found["neuron"])
    peaks = [item["peak"] for item in found["neuron"]]
    assert peaks == sorted(peaks, reverse=True)
    assert (found["activation"], found["threshold"], found["signed"]) == ("gelu", 0.0, False)


def test_it_is_said_for_people(run: Any, trained_home: Any) -> None:
    options = ("--component", "residual", "--layer", "2", "--rows", "30", "--neuron", "2:1")
    shown = run("analyse", "neurons", MODEL, "topics@1", *options, home=trained_home).stdout
    assert "the size of its value is above 0.01" in shown
    assert "chosen on one half of the texts, measured on the other" in shown
    assert "Neuron 2:1 answers most to these texts" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--neuron", "2"), "give its layer and number, such as 4:17"),
        (("--neuron", "9:1"), "There is no neuron 1 in layer 9"),
        (("--layer", "9"), "in layer 9"),
    ],
)
def test_what_is_not_there_is_refused(refused: Any, trained_home: Any, options: tuple[str, ...], said: str) -> None:
    assert said in refused("analyse", "neurons", MODEL, "topics@1", *options, home=trained_home)
