"""``lmcore analyse compare``."""

import numpy as np
import pytest

MODEL = "models:/topics@champion"
TEXT = "the bread and the cheese was very rain"


def test_two_texts_and_two_methods(ask, run, trained_home):
    found = ask("analyse", "compare", MODEL, TEXT, "--with-text", TEXT.replace("rain", "soup"), home=trained_home)
    changed = [unit for unit in found["units"] if unit["unit"] != unit["other"]]
    assert [(unit["unit"], unit["other"]) for unit in changed] == [("rain", "soup")]
    assert found["values"][0] != found["values"][1]
    methods = ("--method", "input_x_gradient", "--with-method", "gradient_norm", "--target", "food")
    found = ask("analyse", "compare", MODEL, TEXT, *methods, home=trained_home)
    assert found["methods"] == ["input_x_gradient", "gradient_norm"]
    assert found["target"]["label"] == "food"
    assert found["values"][0] == pytest.approx(found["values"][1])
    shown = run("analyse", "compare", MODEL, TEXT, *methods, home=trained_home).stdout
    assert shown.startswith("Why food")


def test_a_version_beside_itself_is_the_same(ask, trained_home):
    found = ask("analyse", "compare", MODEL, TEXT, "--with-version", MODEL, home=trained_home)
    assert all(unit["difference"] == 0 for unit in found["units"])
    assert found["agreement"] == pytest.approx(1)


def test_two_heads(ask, run, trained_home):
    found = ask("analyse", "compare", MODEL, TEXT, "--heads", "1.2", "2.4", home=trained_home)
    assert found["heads"] == ["1.2", "2.4"]
    assert np.array(found["first"]).sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)
    assert ((np.array(found["distances"]) >= 0) & (np.array(found["distances"]) <= 1)).all()
    shown = run("analyse", "compare", MODEL, TEXT, "--heads", "1.2", "1.2", home=trained_home).stdout
    assert shown.startswith("Heads 1.2 and 1.2: their rows are 0.000 apart on the mean")


@pytest.mark.parametrize("arguments", [(), ("--with-text", "x", "--heads", "1.1", "1.2")])
def test_one_thing_is_compared_at_a_time(run, trained_home, arguments):
    result = run("analyse", "compare", MODEL, TEXT, *arguments, home=trained_home)
    assert result.exit_code == 2
    assert "Give one of --with-text, --with-version, --with-method and --heads." in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--heads", "1.1", "two"), "'two' is no head: give its layer and its place in it, such as 2.7."),
        (("--heads", "1.1", "9.1"), "There is no head 9.1: the model has 2 layers of 4 heads, from 1.1."),
        (("--with-text", " "), "The text is empty"),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("analyse", "compare", MODEL, TEXT, *arguments, home=trained_home)
