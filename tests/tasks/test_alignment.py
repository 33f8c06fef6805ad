import numpy as np
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.errors import DataError, OptionError
from lmcore.models.word_vectors import word_vectors
from lmcore.serving.predictor import Predictor
from lmcore.tasks.alignment import LAYER, TextAlignment
from lmcore.tasks.link_counts import prediction_counts
from lmcore.training.evaluation import evaluate
from lmcore.types import Prediction, Silent
from tests.tasks.linked import encoder, frame_of, reversed_frame

TASK = TextAlignment()


def test_known_values():
    """Och and Ney's measure by hand: 3 found, 2 sure, of the found 1 is sure and 2 are possible."""
    frame = frame_of(("a b c", "x y z", "0-0 1-1 1p2"))
    found = [Prediction(0, text="0-0 1-2 2-2")]
    wanted = {"aer": 1 - (1 + 2) / (3 + 2), "precision": 2 / 3, "recall": 1 / 2}
    assert TASK.measure(frame, found, ()) == pytest.approx(wanted)
    assert TASK.measure(frame, [Prediction(0)], ()) == {"aer": 1.0, "precision": 0.0, "recall": 0.0}
    assert TASK.measure(frame, [Prediction(0, text="0-0 1-1")], ())["aer"] == 0
    table = TASK.table(frame, found)
    assert not table["correct"][0]
    assert TASK.table(frame, [Prediction(0, text="0-0 1-1")])["correct"][0]
    assert TASK.tally(table).figures() == pytest.approx(wanted)


def test_words_are_linked_by_their_vectors_and_not_by_their_place():
    frame, loaded = reversed_frame(), encoder()
    found = TextAlignment(layer=0).predict(loaded, frame).predictions
    scores = TextAlignment(layer=0).score(frame, found, (), seed=0)
    assert scores.metrics["precision"] > 0.9
    diagonal = TASK.measure(frame, TASK.baselines(frame, frame, frame, (), seed=0)["diagonal"], ())
    assert scores.metrics["aer"] < 0.3 < diagonal["aer"]
    low, high = scores.intervals["aer"]
    assert low <= scores.metrics["aer"] <= high


def test_a_word_has_the_mean_vector_of_its_tokens():
    loaded = encoder()
    words = ["Anna", "zebra", "told", "us"]
    found = word_vectors(loaded, [words], [0, 2])
    out = loaded.tokenizer([words], is_split_into_words=True, return_tensors="pt")
    states = loaded.model(**out, output_hidden_states=True).hidden_states
    owners = np.array([-1 if n is None else n for n in out.word_ids(0)])
    for place, layer in enumerate((0, 2)):
        wanted = [states[layer][0][owners == word].mean(0).numpy() for word in range(4)]
        np.testing.assert_allclose(found.values[0][place], wanted, atol=1e-5)


def test_what_a_model_cannot_read_is_said_and_not_linked():
    loaded = encoder(max_length=8)
    frame = reversed_frame(2)
    predicted = TextAlignment(layer=0).predict(loaded, frame)
    assert predicted.encodings.truncated_share == 1
    assert all(span.end <= 40 for p in predicted.predictions for span in p.spans)


def test_the_layer_is_chosen_on_dev_and_measured_on_test():
    loaded = encoder()
    data = split_dataset(TextDataset("turned", "text-alignment", reversed_frame(30)), seed=0)
    errors = TASK.layer_errors(loaded, data.part("dev").frame)
    assert len(errors) == loaded.layers + 1
    found = evaluate(loaded, data)
    assert found.parameters["choices"] == {LAYER: int(np.argmin(errors))}
    assert found.parameters["layer"] == int(np.argmin(errors))
    assert not hasattr(loaded.model.config, LAYER)
    assert found.tables["baselines"]["name"].tolist() == ["diagonal"]
    assert TASK.layer_of(loaded) == 1
    with pytest.raises(OptionError, match="The layer is 7: give 0 to 2"):
        TextAlignment(layer=7).layer_of(loaded)


def test_raw_texts_are_cut_into_words_when_served():
    (answer,) = Predictor(encoder()).predict([{"source": "Anna told us, Ben!", "target": "Ben, us told Anna!"}])
    source = "Anna told us, Ben!"
    assert answer.spans
    assert {source[span.start : span.end] for span in answer.spans} <= {"Anna", "told", "us", ",", "Ben", "!"}
    assert {span.label for span in answer.spans} <= {"Anna", "told", "us", ",", "Ben", "!"}
    assert len(answer.text.split()) == len(answer.spans)


@pytest.mark.parametrize(
    ("links", "sentence"),
    [
        ("0-0 x", "It row 1|Row 1: The link 'x' cannot be read"),
        ("0-0 3-1", "Row 1 links word 3 and word 1, but has 3 and 3 words"),
    ],
)
def test_links_that_do_not_fit_are_named_by_row(links, sentence):
    with pytest.raises(DataError, match=sentence.split("|")[-1]):
        TASK.check(frame_of(("a b c", "x y z", links)), "It")
    with pytest.raises(DataError, match="It has no column links"):
        TASK.check(frame_of(("a b c", "x y z", "")).drop(columns="links"), "It")


def test_pairs_that_are_read_in_groups_get_the_same_links_by_one_layer_as_by_all(monkeypatch):
    frame, loaded, reports = reversed_frame(9), encoder(), Told()
    whole, _ = TASK.layer_counts(loaded, frame)
    monkeypatch.setattr("lmcore.tasks.alignment.WORDS_AT_ONCE", 60)
    counts, read = TASK.layer_counts(loaded, frame, batch_size=4, report=reports)
    np.testing.assert_array_equal(counts, whole)
    assert len(read) == 18
    assert reports.said[-1] == (1.0, "18 of 18 texts read by the model")
    assert reports.said == sorted(reports.said, key=lambda item: item[0])
    for layer in range(3):
        found = TextAlignment(layer=layer).predict(loaded, frame, batch_size=4).predictions
        np.testing.assert_array_equal(prediction_counts(frame, found), counts[layer])


class Told(Silent):
    """What a report was told."""

    def __init__(self):
        self.said = []

    def progress(self, fraction, message=""):
        self.said.append((fraction, message))
