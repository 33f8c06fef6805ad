"""Explaining a server's answers: an application in this process is asked over HTTP."""

import numpy as np
import pytest

from lmcore.analysis import attribute
from lmcore.errors import InputError, OptionError, ServerError, UnknownError
from lmcore.models.predict import predict_texts
from lmcore.serving.explaining import attribute_served
from lmcore.types import Target

TEXT = "the bread was late and we had rain"
WEIGHTS = {"bread": 0.3, "rain": -0.2, "late": 0.1}


def weighing(texts):
    """A server whose class food is worth the sum of its words' weights."""
    answers = []
    for text in texts:
        joined = text if isinstance(text, str) else " ".join(text.values())
        assert joined.strip()
        food = 0.5 + sum(WEIGHTS.get(word, 0.0) for word in joined.split())
        answers.append({"label": "food", "probabilities": {"food": food, "rain": 1 - food}, "version": "models:/m/1"})
    return {"predictions": answers}


@pytest.mark.parametrize(
    ("method", "options"),
    [("occlusion", {"window": 1}), ("leave_one_out", {}), ("kernel_shap", {}), ("partition_shapley", {}),
     ("lime", {"samples": 400, "penalty": 1e-6})],
)  # fmt: skip
def test_words_get_what_they_are_worth_to_the_server(method, options):
    found = attribute_served(weighing, TEXT, method=method, **options)
    expected = [WEIGHTS.get(word, 0.0) for word in TEXT.split()]
    assert found.units["unit"].tolist() == TEXT.split()
    assert found.units["score"].to_numpy() == pytest.approx(expected, abs=1e-3)
    assert (found.label, found.version) == ("food", "models:/m/1")
    assert found.value == pytest.approx(0.7)
    assert found.baseline_value == pytest.approx(0.5)
    assert np.isnan(found.completeness_error) or found.completeness_error < 1e-9
    assert found.parameters["baseline"] == "drop"


def test_one_class_rather_than_another_and_columns():
    found = attribute_served(
        weighing, {"text": "the bread", "text_pair": "rain"}, "food", against="rain", method="leave_one_out"
    )
    assert found.units["column"].tolist() == ["text", "text", "text_pair"]
    assert found.units["score"].tolist() == pytest.approx([0.0, 0.6, -0.4])


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"method": "integrated_gradients"}, OptionError, "needs the model itself"),
        ({"unit": "token"}, OptionError, "knows no tokens"),
        ({"target": "travel"}, UnknownError, "known: food, rain"),
        ({"text": "!!!"}, InputError, "no words"),
    ],
)
def test_what_a_server_cannot_be_asked_is_refused(change, error, said):
    arguments = {"text": TEXT, "method": "occlusion"} | change
    with pytest.raises(error, match=said):
        attribute_served(weighing, **arguments)


def test_a_server_that_fails_or_changes_is_said():
    def failing(texts):
        return {"predictions": [{"error": "too long"} for _ in texts]}

    calls = []

    def changing(texts):
        calls.append(len(texts))
        answer = weighing(texts)
        for item in answer["predictions"]:
            item["version"] = f"models:/m/{len(calls)}"
        return answer

    with pytest.raises(ServerError, match="could not predict a text: too long"):
        attribute_served(failing, TEXT)
    with pytest.raises(ServerError, match="changed from models:/m/1 to models:/m/2"):
        attribute_served(changing, TEXT)


def test_through_the_application_it_agrees_with_the_model_itself(client, tiny_loaded):
    def ask(texts):
        return client.post("/predict", json={"texts": texts}).json()

    found = attribute_served(ask, TEXT, "food", method="leave_one_out")
    inside = attribute(tiny_loaded, TEXT, Target("class", "food"), method="leave_one_out").by_unit()
    assert found.units["unit"].tolist() == inside["unit"].tolist()
    without = predict_texts(tiny_loaded, [TEXT, TEXT.replace("bread ", "")])
    fall = without[0].probabilities["food"] - without[1].probabilities["food"]
    assert found.units["score"][1] == pytest.approx(fall, abs=1e-5)
