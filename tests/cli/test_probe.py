"""``lmcore analyse probe``, ``concepts`` and ``head-map``."""

import pytest

MODEL = "models:/topics@champion"
FOOD = "meals: bread, soup, cheese, rice, tea, apple"


def test_the_label_with_control_task_and_code(ask, trained_home):
    found = ask("analyse", "probe", MODEL, "--data", "topics@1", "--control", "--code", home=trained_home)
    assert found["model"] == "models:/topics/1"
    assert found["examples"] == {"train": 96, "dev": 12, "test": 12}
    assert {row["split"] for row in found["accuracy"]} == {"train", "dev", "test"}
    assert all(row["accuracy"] - row["control"] == pytest.approx(row["selectivity"]) for row in found["accuracy"])
    assert [row["layer"] for row in found["codes"]] == list(range(len(found["codes"])))
    assert found["codes"][0]["compression"] > 1


def test_another_property_and_probe_for_people(run, trained_home):
    shown = run(
        "analyse", "probe", MODEL, "--data", "topics@1", "--property", "length", "--bins", "2", "--unit", "characters",
        "--probe", "mlp", "--probe-hidden", "8", "--rows", "40", home=trained_home,
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("Length: the probe with a hidden layer does best on layer ")
    assert "2 classes, 40 examples of train" in shown.stdout
    assert "fitting 1 probe on each of" in shown.stderr


def test_concepts_of_words_and_slices(ask, run, trained_home):
    arguments = ("analyse", "concepts", MODEL, "--data", "topics@1", "--target", "food", "--texts", "6")
    found = ask(*arguments, "--words", FOOD, "--slice", "label=travel", home=trained_home)
    assert {test["concept"] for test in found["tests"]} == {"meals", "label=travel"}
    assert found["sets"] >= 500
    assert all(test["p"] <= test["p_fdr"] <= test["p_bonferroni"] <= 1 for test in found["tests"])
    shown = run(*arguments, "--words", FOOD, home=trained_home).stdout
    assert shown.startswith("What the concepts do to food, for ")
    assert "after Bonferroni's correction" in shown


def test_factors(ask, run, trained_home):
    arguments = ("analyse", "concepts", MODEL, "--data", "topics@1", "--factors", "3", "--layer", "0")
    found = ask(*arguments, home=trained_home)
    assert (found["layer"], found["level"]) == (0, "word")
    assert {row["factor"] for row in found["factors"]} == {1, 2, 3}
    assert "Factors of the words in layer 0" in run(*arguments, home=trained_home).stdout


def test_a_map_of_heads(ask, run, trained_home):
    found = ask("analyse", "head-map", MODEL, home=trained_home)
    assert found["points"][0]["id"] == "layer 1 head 1"
    assert len(found["distances"]) == len(found["points"])
    arguments = (
        "analyse",
        "head-map",
        MODEL,
        "--what",
        "attention",
        "--data",
        "topics@1",
        "--rows",
        "3",
        "--unit",
        "layer",
    )
    assert "by their attention" in run(*arguments, home=trained_home).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("probe", MODEL, "--data", "topics@1:test"), "topics@1:test is one split"),
        (("probe", MODEL, "--data", "topics@1", "--unit", "words"), "label has no option 'unit'"),
        (("concepts", MODEL, "--data", "topics@1", "--target", "food", "--slice", "x"), "write COLUMN=VALUE"),
        (("concepts", MODEL, "--data", "topics@1", "--target", "food", "--words", "zebra"), "0 texts with the concept"),
    ],
)
def test_what_does_not_fit_is_refused(refused, trained_home, arguments, said):
    assert said in refused("analyse", *arguments, home=trained_home)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("concepts", MODEL, "--data", "topics@1"), "Give either concepts"),
        (("concepts", MODEL, "--data", "topics@1", "--words", FOOD), "Give the class that is tested"),
        (("head-map", MODEL, "--what", "attention"), "Give --data with --what attention"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused_with_the_usage(run, trained_home, arguments, said):
    result = run("analyse", *arguments, home=trained_home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.startswith("Usage: ")
