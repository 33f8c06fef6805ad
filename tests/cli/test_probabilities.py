"""``lmcore analyse probabilities``."""

from pathlib import Path
from typing import Any

import pytest

from tests.tasks.speakers import speaker

TEXT = "Anna told us that nothing is as good as apples"


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loaded = speaker("text-generation")
    folder = tmp_path_factory.mktemp("writer") / "model"
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder


def test_each_token_of_a_text(ask: Any, writer: Path) -> None:
    found = ask("analyse", "probabilities", f"folder:{writer}", TEXT, "--alternatives", "3")
    assert found["reading"] == "next token"
    assert "".join(row["token"] for row in found["tokens"]) == TEXT
    assert sum(row["surprisal"] for row in found["tokens"]) == pytest.approx(found["bits"])
    assert all(len(row["alternatives"]) == 3 for row in found["tokens"])
    for row in found["tokens"]:
        if row["rank"] <= 3:
            assert row["alternatives"][row["rank"] - 1]["probability"] == pytest.approx(row["probability"])


def test_it_is_said_for_people_from_the_standard_input(run: Any, writer: Path) -> None:
    shown = run("analyse", "probabilities", f"folder:{writer}", "-", "--task", "text-generation", input=TEXT).stdout
    assert shown.startswith("Each is the probability of the next token")
    assert "apples" in shown
    assert "a perplexity of" in shown


def test_a_classifier_is_refused(refused: Any, trained_home: Path) -> None:
    said = refused("analyse", "probabilities", "models:/topics@champion", TEXT, home=trained_home)
    assert "has no language head" in said
