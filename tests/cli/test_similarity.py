"""``lmcore analyse similarity``."""

import numpy as np
import pytest

from lmcore.analysis import SIMILARITY

MODEL = "models:/topics@champion"


def test_within_a_version(ask, trained_home):
    found = ask("analyse", "similarity", MODEL, "--data", "topics@1", home=trained_home)
    matrix = np.array(found["matrix"])
    assert (found["model"], found["other"], found["texts"]) == ("models:/topics/1", None, 12)
    assert np.diag(matrix).tolist() == [1.0] * len(matrix)
    assert [row["similarity"] for row in found["layers"]] == pytest.approx(np.diag(matrix, -1).tolist())
    assert found["fingerprint"]


def test_a_version_and_what_it_was_trained_from(ask, run, trained_home):
    arguments = ("analyse", "similarity", MODEL, "--data", "topics@1", "--with", "base", "--split", "train")
    found = ask(*arguments, "--method", "debiased_cka", home=trained_home)
    assert found["other"].startswith("folder:")
    assert [row["change"] for row in found["layers"]] == pytest.approx([0.0] * len(found["layers"]), abs=1e-9)
    shown = run(*arguments, home=trained_home)
    assert "are read by two models" in shown.stderr
    assert shown.stdout.startswith("Linear CKA of each layer of models:/topics/1 with the same layer of folder:")
    assert "With the texts of one side shuffled it is " in shown.stdout


@pytest.mark.parametrize("method", list(SIMILARITY))
def test_every_method_with_its_options(ask, trained_home, method):
    share = ["--variance", "0.6"] if any(option.name == "variance" for option in SIMILARITY[method].options) else []
    arguments = ["analyse", "similarity", MODEL, "--data", "topics@1", "--split", "train", "--method", method, *share]
    found = ask(*arguments, "--rows", "40", home=trained_home)
    assert found["rows"] == 40
    assert set(found["options"]) == {option.name for option in SIMILARITY[method].options}


def test_in_batches_of_all_rows(ask, trained_home):
    arguments = ("analyse", "similarity", MODEL, "--data", "topics@1", "--split", "all", "--method", "debiased_cka")
    found = ask(*arguments, "--batch", "32", "--pooling", "tokens", "--seed", "4", home=trained_home)
    assert (found["texts"], found["rows"], found["batch"], found["seed"]) == (120, 128, 32, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((MODEL, "--data", "nosuch@1"), "There is no stored data set 'nosuch@1'"),
        ((MODEL, "--data", "topics@1", "--batch", "8"), "Linear CKA cannot be estimated in batches"),
        ((MODEL, "--data", "topics@1", "--threshold", "1"), "linear_cka has no option 'threshold'"),
        ((MODEL, "--data", "topics@1", "--method", "pwcca"), "every canonical correlation is 1"),
        (("models:/nosuch/1", "--data", "topics@1"), "There is no registered model 'nosuch'"),
        (("all-MiniLM-L6-v2", "--data", "topics@1", "--with", "base"), "is not a registered model"),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("analyse", "similarity", *arguments, home=trained_home)
