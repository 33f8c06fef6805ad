import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import alignment_errors
from lmcore.analysis.link_errors import reading_cost
from lmcore.data.dataset import TextDataset
from lmcore.errors import Cancelled, DataError, OptionError, UnknownError
from lmcore.tasks.alignment import TextAlignment
from lmcore.types import Silent
from tests.tasks.linked import encoder, frame_of, reversed_frame


@pytest.fixture(scope="module")
def loaded():
    return encoder()


@pytest.fixture(scope="module")
def data():
    return TextDataset("turned", "text-alignment", reversed_frame())


@pytest.fixture(scope="module")
def found(loaded, data):
    return alignment_errors(loaded, data)


def test_known_values(loaded, monkeypatch):
    """Och and Ney's measure by hand: of the first pair 3 links are found, 1 of 2 sure ones and 2 of 3 possible ones.

    Of the second pair, which nobody has linked, 1 link is found.
    """
    linked = {3: [[1, 0, 0], [0, 0, 1], [0, 0, 1]], 1: [[1]]}
    monkeypatch.setattr(
        "lmcore.models.linking.find_links", lambda similarity, *_: np.array(linked[len(similarity)], dtype=bool)
    )
    frame = frame_of(("Anna told us", "us told Anna", "0-0 1-1 1p2"), ("Ben", "Anna", ""))
    found = alignment_errors(loaded, frame)
    assert found.layers["layer"].tolist() == [0, 1, 2]
    for _, row in found.layers.iterrows():
        assert row["aer"] == pytest.approx(1 - (1 + 2) / (3 + 1 + 2))
        assert row["precision"] == pytest.approx(2 / 4)
        assert row["recall"] == pytest.approx(1 / 2)
        assert (row["low"], row["high"]) == (pytest.approx(1 - 3 / 5), 1)
    # The diagonal finds 3 links of the first pair, 2 of them sure, and 1 of the second.
    assert found.diagonal["aer"] == pytest.approx(1 - (2 + 2) / (4 + 2))
    assert (found.diagonal["precision"], found.diagonal["recall"]) == (2 / 4, 1)
    assert (found.pairs, found.unlinked, found.best_layer, found.truncated, found.data) == (2, 1, 0, 0, "")
    assert found.notes() == ["1 pair has no gold link: all that is linked there counts as wrong."]
    assert found.verdict() == (
        "Layer 0 has the lowest alignment error rate, 0.500 (95 % interval 0.400 to 1.000) over 2 pairs; no layer is better "
        "than linking words by their place alone, which has 0.333."
    )


@pytest.mark.parametrize(("method", "options"), [("argmax", {}), ("itermax", {"iterations": 3}), ("softmax", {})])
def test_a_layer_has_the_figures_that_an_evaluation_has_for_it(loaded, data, method, options):
    found = alignment_errors(loaded, data, method=method, seed=4, **options)
    for layer in range(loaded.layers + 1):
        task = TextAlignment(method, options, layer)
        scores = task.score(data.frame, task.predict(loaded, data.frame).predictions, (), seed=4)
        row = found.layers.iloc[layer]
        assert {name: row[name] for name in scores.metrics} == scores.metrics
        assert (row["low"], row["high"]) == scores.intervals["aer"]
    assert found.layers["aer"].tolist() == TextAlignment(method, options).layer_errors(loaded, data.frame)
    assert found.best_layer == int(found.layers["aer"].argmin())
    assert found.parameters["method"] == method
    assert options.items() <= found.parameters.items()


def test_the_diagonal_is_that_of_an_evaluation(found, data):
    task = TextAlignment()
    linked = task.baselines(data.frame, data.frame, data.frame, (), seed=0)["diagonal"]
    scores = task.score(data.frame, linked, (), seed=0)
    low, high = scores.intervals["aer"]
    assert found.diagonal == {**scores.metrics, "low": low, "high": high}
    assert found.layers["aer"].min() < found.diagonal["aer"]
    assert "words linked by their place alone have" in found.verdict()
    assert found.to_frame()["diagonal"].tolist() == [found.diagonal["aer"]] * 3
    assert (found.data, found.notes()) == ("turned", [])


def test_the_fingerprint_is_of_weights_pairs_and_parameters(loaded, found, data):
    assert alignment_errors(loaded, data.frame.drop(columns="id")).fingerprint == found.fingerprint
    others = [
        alignment_errors(loaded, data, seed=1),
        alignment_errors(loaded, data, method="softmax"),
        alignment_errors(loaded, data.frame.head(6)),
    ]
    assert len({found.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_what_was_not_read_is_told(data):
    found = alignment_errors(encoder(max_length=8), data)
    assert found.truncated == found.pairs == 12
    assert found.notes()[0].startswith("In 12 of 12 pairs a sentence is longer than the model's limit")


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            pd.DataFrame({"source": ["a"], "target": ["b"]}),
            "The frame has no links: the error rate is measured on pairs",
        ),
        (frame_of(("a", "b", " ")), "such as those of the samples words-en-fr and words-zh-en"),
        (frame_of(("a", " ", "0-0")), "The frame has 1 row without a target"),
        (frame_of(("a", "b", "0-0"), ("a", "b", "0-1")), "Row 2 links word 0 and word 1, but has 1 and 1 words"),
    ],
)
def test_pairs_that_cannot_be_measured_on_are_refused(loaded, frame, said):
    with pytest.raises(DataError, match=said):
        alignment_errors(loaded, frame)


def test_methods_and_options_are_checked_and_the_work_can_be_stopped(loaded, data):
    with pytest.raises(UnknownError, match="nosuch"):
        alignment_errors(loaded, data, method="nosuch")
    with pytest.raises(OptionError, match="threshold"):
        alignment_errors(loaded, data, threshold=0.1)

    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        alignment_errors(loaded, data, report=Stopped())


def test_the_cost_is_said():
    assert reading_cost(1, 3) == "Reads both sentences of 1 pair once, and links their words by each of 3 layers."
    assert reading_cost(1200, 7).startswith("Reads both sentences of 1,200 pairs once")
