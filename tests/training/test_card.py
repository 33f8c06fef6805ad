from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.data.store import DatasetStore
from lmcore.data.text import inline_markdown
from lmcore.errors import UnknownError
from lmcore.models.registry import ModelVersion
from lmcore.training import TrainConfig, train
from lmcore.training.calibration import calibration
from lmcore.training.card import CardFacts, model_card, write_card
from lmcore.training.evaluation import load_evaluation
from lmcore.training.slices import measure_slices
from tests.training.judged import calibrated, evaluation


@pytest.fixture(scope="module")
def card(topics, tiny_folder, shared_settings):
    """The card of a version of stored data, with its evaluation."""
    stored = DatasetStore(shared_settings.workspace).save(topics)
    config = TrainConfig("topics", model=f"folder:{tiny_folder}", layer=1, strength=1.0)
    result = train(config, stored, settings=shared_settings)
    return model_card(result.version.ref, settings=shared_settings), result, stored


def section(text, title):
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_card_says_data_method_results_and_limits(card):
    text, _, stored = card
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["Data", "Method", "Results", "Calibration", "Slices", "Limits"]
    assert text.startswith("# topics, version 1\n\nText classification. ")
    data = section(text, "Data")
    assert "| data set | topics@1 |" in data
    assert stored.fingerprint in data
    assert f"| rows to learn from (train) | {len(stored.part('train'))} |" in data
    method = section(text, "Method")
    assert "| layer | 1 |" in method
    assert "layer (chosen on dev)" not in method, "it was given"
    assert "| seed | 0 |" in method
    assert "learning rate" not in method, "the method head does not read it"


def test_the_figures_stand_with_their_intervals_beside_the_baselines(card):
    text, result, _ = card
    value, (low, high) = result.evaluation.metrics["accuracy"], result.evaluation.intervals["accuracy"]
    results = section(text, "Results")
    assert "|  | this model | majority class | TF-IDF + logistic regression |" in results
    assert f"| Accuracy | {value:.3f} ({low:.3f} to {high:.3f}) | " in results
    assert "| class | rows | precision | recall | F1 |" in results
    assert "| Expected calibration error (0 to 1) | " in section(text, "Calibration")


def test_the_limits_name_shares_small_classes_and_the_domain(card):
    limits = section(card[0], "Limits")
    assert "Share of tokens that the model does not know: " in limits
    assert "Share of texts that were cut: 0.0% in the training rows and 0.0% in the measured rows." in limits
    assert "Fewer than 10 rows to be measured on: food (4), travel (4), weather (4)." in limits
    assert "Its figures hold for texts like those of topics@1." in limits
    assert "It knows 3 labels and gives one of them to any text, fitting or not: food, travel, weather." in limits


def test_a_named_evaluation_and_one_that_is_not_there(card, shared_settings):
    _, result, _ = card
    assert model_card("models:/topics/1", settings=shared_settings, evaluation=result.evaluation.id) == card[0]
    with pytest.raises(UnknownError, match="no evaluation 'x'"):
        model_card("models:/topics/1", settings=shared_settings, evaluation="x")
    assert load_evaluation(shared_settings.workspace, result.evaluation.id)


def version(tmp_path, **facts):
    return ModelVersion("made", 2, "text-classification", tmp_path, facts=facts, created=0.0)


def test_what_was_chosen_on_dev_is_told_apart_from_what_was_given(tmp_path):
    known = version(tmp_path, choices={"layer": 3, "strength": 0.1}, config={"layer": None, "strength": 0.1})
    method = section(write_card(CardFacts(known)), "Method")
    assert "| layer (chosen on dev) | 3 |" in method
    assert "| strength | 0.1 |" in method


def test_what_is_not_known_is_said(tmp_path):
    text = write_card(CardFacts(version(tmp_path)))
    assert "The data set is not in the workspace any more." in section(text, "Data")
    assert section(text, "Results").strip() == "It was not evaluated."
    assert section(text, "Calibration").strip() == "Not measured."
    assert section(text, "Slices").strip() == "No slices were measured."
    assert "nothing is known about its errors" in section(text, "Limits")
    assert text.endswith("from the run of 1970-01-01.*\n")


def test_bad_news_are_told(tmp_path, topics):
    gold, p = calibrated(300, temperature=0.3)
    row = {"name": "TF-IDF + logistic regression"}
    for name in ("accuracy", "precision_macro", "recall_macro", "f1_macro"):
        row |= {name: 1.0, f"{name}_low": 0.9, f"{name}_high": 1.0}
    result = evaluation(gold, p, baselines=pd.DataFrame([row]))
    right = p.argmax(axis=1) == gold
    rows = result.predictions[["id"]].assign(label=result.predictions["gold"], source=np.where(right, "web", "mail"))
    known = version(
        tmp_path, data="topics@1", data_fingerprint="other", unknown_share=0.67, temperature=1.5,
        calibrated_from="models:/made/1", calibrated_on="topics@1:dev",
    )  # fmt: skip
    text = write_card(CardFacts(known, topics, result, measure_slices(result, rows), calibration(result)))
    assert "their fingerprints differ" in section(text, "Data")
    assert "| temperature (fitted on topics@1:dev) | 1.500 |" in section(text, "Method")
    assert "TF-IDF + logistic regression does as well or better" in section(text, "Limits")
    assert "The tokenizer does not know this language" in section(text, "Limits")
    assert "67.0% in the training rows" in section(text, "Limits")
    assert "too sure of itself" in section(text, "Calibration")
    assert "- source = mail: worse than the whole" in section(text, "Slices")


def test_a_users_words_stay_words(tmp_path):
    known = version(tmp_path, data="made@1", labels=["a|b", "*bold*", "[x](http://y)"], method="`x`")
    text = write_card(CardFacts(replace(known, name="plain")))
    assert r"a\|b, \*bold\*, \[x\](http://y)" in text
    assert r"| method | \`x\` |" in text
    assert inline_markdown(" two\nlines ") == "two lines"
