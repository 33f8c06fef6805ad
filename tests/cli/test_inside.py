"""``lmcore analyse`` lens, logits, patch, ablate and steer."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lmcore.analysis import attribute_logits
from tests.analysis.inside import ASKED, model
from tests.analysis.readers import reader

MODEL = "models:/topics@champion"
TEXT = "the bread and the cheese was very rain"
NEXT, OTHER, TOKEN, _ = ASKED["llama"]


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A decoder in a folder."""
    folder = tmp_path_factory.mktemp("speaking") / "llama"
    loaded = model("llama")
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return f"folder:{folder}"


def test_the_lens_of_a_decoder(ask, run, speaking):
    arguments = ("analyse", "lens", speaking, NEXT, "--target", TOKEN.label, "--against", TOKEN.against)
    found = ask(*arguments)
    assert found["target"] == {"kind": "token", "label": " that", "start": 0, "end": 0, "against": " is"}
    assert found["lens"] == "logit"
    assert found["off_distribution"] is False
    assert len(found["values"]) == 3
    assert len(found["cells"]) == 3 * len(found["columns"])
    shown = run(*arguments).stdout
    assert f"The last choice stays first from layer {found['decided'][found['focus'][0]]} on." in shown


def test_the_lens_of_a_classifier_says_that_its_head_is_off(ask, run, trained_home):
    found = ask("analyse", "lens", MODEL, TEXT, home=trained_home)
    assert found["off_distribution"] is True
    assert found["columns"] == ["the whole text"]
    assert "take what it says of others with care" in run("analyse", "lens", MODEL, TEXT, home=trained_home).stdout


def test_a_tuned_lens_is_trained_kept_and_used(ask, run, speaking, trained_home):
    options = ("--lens-steps", 2, "--lens-tokens", 64, "--lens-batch", 8)
    trained = ask("analyse", "lens", speaking, NEXT, "--train", "topics@1", *options, home=trained_home)
    assert trained["lens"] == "tuned"
    assert all(row["tuned"] <= row["plain"] for row in trained["tuned"]["losses"])
    again = ask("analyse", "lens", speaking, NEXT, "--tuned", trained["tuned"]["id"], home=trained_home)
    pd.testing.assert_frame_equal(pd.DataFrame(again["cells"]), pd.DataFrame(trained["cells"]), rtol=1e-4, atol=1e-6)
    both = run("analyse", "lens", speaking, NEXT, "--tuned", "x", "--train", "topics@1", home=trained_home)
    assert both.exit_code == 2
    assert "Give either --train or --tuned." in both.stderr


def test_the_parts_of_a_logit(ask, run, speaking, trained_home):
    found = ask("analyse", "logits", speaking, NEXT, "--target", " that", "--against", " is")
    assert sum(part["score"] for part in found["parts"]) == pytest.approx(found["value"], abs=1e-5)
    ended = run("analyse", "logits", MODEL, TEXT, "--trust", home=trained_home)
    assert "parts sum to" in ended.stdout
    assert "Likeness with random weights" in ended.stdout
    assert "nan" not in ended.stdout
    assert "Comprehensiveness" not in ended.stdout
    assert "Agreement" not in ended.stdout
    assert "Besides, --trust edits the text" in ended.stderr
    assert "some forty model calls" in ended.stderr


def test_patching_two_texts(ask, run, refused, speaking):
    arguments = ("analyse", "patch", speaking, NEXT, OTHER, "--target", " that", "--against", " is")
    found = ask(*arguments, "--whole")
    assert [cell["effect"] for cell in found["cells"]] == pytest.approx([1, 1, 1], abs=1e-3)
    heads = ask(*arguments, "--component", "heads", "--layer", 2, "--direction", "noise")
    assert {cell["layer"] for cell in heads["cells"]} == {2}
    assert "effect 1: as the clean text" in run(*arguments).stdout
    assert "has 6 tokens and the corrupted one" in refused("analyse", "patch", speaking, NEXT, f"{OTHER} 7")


def test_taking_parts_out(ask, run, speaking, trained_home):
    found = ask(
        "analyse", "ablate", MODEL, TEXT, "--part", "layers", "--reference", "topics@1", "--rows", 3, home=trained_home
    )
    assert found["parameters"]["method"] == "mean"
    assert all(cell["change"] == pytest.approx(cell["value"] - found["value"]) for cell in found["cells"])
    assert "with everything in place" in run("analyse", "ablate", speaking, NEXT, "--method", "zero").stdout


def test_steering(ask, run, refused, speaking, tmp_path: Path):
    towards, away = tmp_path / "towards.txt", tmp_path / "away.txt"
    towards.write_text("Anna told us on day 1\n\nAnna told us on day 2\n", encoding="utf-8")
    away.write_text("Ben told us on day 1\n", encoding="utf-8")
    arguments = ("analyse", "steer", speaking, NEXT, "--towards", towards, "--away", away)
    found = ask(*arguments, "--layer", 1, "--strength", 8)
    assert found["layer"] == 1
    assert found["before"]["text"] != found["after"]["text"]
    assert "in the right order along the direction" in run(*arguments).stdout
    away.write_text("\n")
    assert "has no texts: write one a line" in refused(*arguments)
    away.write_bytes(b"\xff\xfe\x00")
    assert "is no UTF-8 text" in refused(*arguments)


def test_a_target_that_is_not_there(refused, trained_home, speaking):
    assert "There is no class 'nosuch'" in refused(
        "analyse", "lens", MODEL, TEXT, "--target", "nosuch", home=trained_home
    )
    arguments = (speaking, NEXT, "--task", "text-generation", "--output", " day 7", "--target", "week")
    assert "The model did not write 'week'" in refused("analyse", "lens", *arguments)


def test_a_phrase_of_an_output(ask, speaking):
    found = ask(
        "analyse", "lens", speaking, NEXT, "--task", "text-generation", "--output", " day 7 that", "--target", "that"
    )
    assert (found["target"]["kind"], found["target"]["start"]) == ("phrase", 7)


def test_every_column_that_a_task_reads_can_be_given(ask, refused, tmp_path):
    loaded = reader("question-answering")
    loaded.model.save_pretrained(tmp_path)
    loaded.tokenizer.save_pretrained(tmp_path)
    asked = (f"folder:{tmp_path}", "--task", "question-answering")
    given = {"question": "who told us", "context": "Anna told us on day 7"}
    found = ask("analyse", "logits", asked[0], json.dumps(given), *asked[1:])
    assert found["value"] == pytest.approx(attribute_logits(loaded, given).value, abs=1e-5)
    other = json.dumps({**given, "context": "Ben told us on day 7"})
    assert len(ask("analyse", "patch", asked[0], json.dumps(given), other, "--whole", *asked[1:])["cells"]) == 3
    assert "context" in refused("analyse", "logits", asked[0], "who told us", *asked[1:])
