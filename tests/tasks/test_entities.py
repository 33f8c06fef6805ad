import numpy as np
import pytest

from lmcore.data.load import load_dataset
from lmcore.data.split import split_dataset
from lmcore.models import load_model
from lmcore.serving import Predictor
from lmcore.tasks.entities import NamedEntityRecognition
from lmcore.tasks.tagging import UNIGRAM
from lmcore.training.evaluation import evaluate
from lmcore.training.verdict import verdict
from lmcore.types import Prediction, Span

TASK = NamedEntityRecognition()


@pytest.fixture(scope="module")
def run(train_tiny):
    return train_tiny(TASK.name)


@pytest.fixture(scope="module")
def loaded(run):
    result, settings = run
    return load_model(result.version.ref, settings=settings)


def test_it_learns_what_the_place_of_a_word_decides_and_beats_the_unigram_tagger(run):
    result, _ = run
    baselines = result.evaluation.tables["baselines"].set_index("name")
    assert result.metrics["f1"] > 0.9
    assert baselines.loc[UNIGRAM, "f1"] < 0.75, "the same city is a start or a goal"
    assert baselines.loc["no tag at all", "f1"] == 0
    assert result.metrics["dev_f1"] > 0.9
    low, high = result.evaluation.intervals["f1"]
    assert low <= result.metrics["f1"] <= high
    assert set(result.evaluation.tables["by_class"]["label"]) == {"start", "goal"}
    assert "Entity F1 is" in verdict(result.evaluation)
    assert result.warnings == ()


def test_loaded_again_it_predicts_the_same(run, loaded, orders):
    result, settings = run
    data = split_dataset(load_dataset(orders, task=TASK.name, name="orders"), seed=1)
    again = evaluate(loaded, data, settings=settings)
    assert again.metrics == result.evaluation.metrics
    assert again.predictions["label"].tolist() == result.evaluation.predictions["label"].tolist()


def test_raw_text_is_answered_with_places_in_the_text_that_was_sent(loaded):
    raw, tidy = "  Send 12\tfrom New  York to Oslo", "send 12 from new york to oslo"
    found, same, none = Predictor(loaded).predict([raw, tidy, "?"])
    read = [
        [(" ".join(t[s.start : s.end].lower().split()), s.label) for s in p.spans]
        for p, t in ((found, raw), (same, tidy))
    ]
    assert read[0] == read[1]
    assert ("oslo", "goal") in read[0]
    assert all(0 < span.score <= 1 for span in found.spans)
    assert none.spans == ()


def test_a_long_text_is_read_to_its_end(loaded, orders):
    text = " ".join(orders["text"].head(40))
    assert len(text.split()) > 3 * loaded.max_length
    tags = " ".join(orders["tags"].head(40))
    frame = orders.head(1).assign(id=0, text=text, tags=tags)
    predicted = TASK.predict(loaded, frame)
    assert len(predicted.encodings) > 3
    assert predicted.encodings.truncated_share == 0
    ends = [span.end for span in predicted.predictions[0].spans]
    assert max(ends) > 0.9 * len(text)
    assert TASK.measure(frame, predicted.predictions, loaded.labels)["recall"] > 0.5


def test_all_windows_are_learnt_from(loaded, orders):
    frame = orders.head(1).assign(id=0, text=" ".join(orders["text"]), tags=" ".join(orders["tags"]))
    encodings = TASK.encode(loaded.tokenizer, frame, 64, loaded.labels)
    index = {label: number for number, label in enumerate(loaded.labels)}
    wanted = np.array([index[tag] for tag in frame.loc[0, "tags"].split(" ")])
    for labels, words in zip(encodings.fields["labels"], encodings.notes["words"], strict=True):
        assert [n for n in labels if n >= 0] == wanted[words].tolist()


def test_words_without_a_label_can_be_asked_about():
    text = "Anna, of 北京!"
    found = TASK.passed_over(Prediction(0, spans=(Span(0, 4, "person", 1.0),)), text)
    assert [text[target.start : target.end] for target in found] == ["of", "北", "京"]
    assert {(target.kind, target.label) for target in found} == {("tag", "O")}
