"""``lmcore analyse align``."""

import numpy as np
import pytest

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
