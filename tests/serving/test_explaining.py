"""Explaining a server's answers: an application in this process is asked over HTTP."""

from dataclasses import asdict

import numpy as np
import pytest

from lmcore.analysis import attribute
from lmcore.analysis.recipes import Recipe, Stored, compare_frames, follow
from lmcore.analysis.served.attribution import served_calls
from lmcore.analysis.served.trust import measure_served
from lmcore.errors import InputError, OptionError, ServerError, UnknownError
from lmcore.models.predict import predict_texts
from lmcore.serving import attribute_served
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


def finding(texts):
    """A server that finds names and writes a sentence; without the title it is half as sure of the name."""
    answers = []
    for text in texts:
        place = text.find("Anna")
        sure = 0.9 if "Dr" in text else 0.45
        spans = [] if place < 0 else [{"start": place, "end": place + 4, "label": "PER", "score": sure}]
        answers.append({"label": "", "probabilities": {}, "spans": spans, "version": "v"})
    return {"predictions": answers}


def test_a_stretch_counts_where_the_same_words_are_found_again():
    found = attribute_served(finding, "we met Dr Anna there", method="leave_one_out")
    assert (found.target.kind, found.label) == ("tag", "PER")
    assert dict(zip(found.units["unit"], found.units["score"], strict=True)) == pytest.approx(
        {"we": 0, "met": 0, "Dr": 0.45, "Anna": 0.9, "there": 0}
    )


def test_words_that_are_written_again_count_with_one():
    def writing(texts):
        answers = [{"label": "", "probabilities": {}, "text": text.upper(), "version": "v"} for text in texts]
        return {"predictions": answers}

    found = attribute_served(writing, "so much rain", "RAIN", method="kernel_shap")
    assert found.target.kind == "phrase"
    assert found.units["score"].tolist() == pytest.approx([0, 0, 1], abs=1e-6)
    assert found.completeness_error < 1e-6
    with pytest.raises(UnknownError, match="SNOW"):
        attribute_served(writing, "so much rain", "SNOW")


def test_what_can_be_measured_of_a_map_without_weights():
    found = attribute_served(weighing, TEXT, method="leave_one_out")
    judged = measure_served(weighing, found, edits=2)
    assert judged.comprehensiveness > judged.curve.mean("random_comprehensiveness")
    assert judged.mean_agreement > 0.7
    assert np.isnan(judged.random_weights)
    assert judged.edits["kept"].any()
    assert judged.settings.stages == 0
    assert judged.warning
    again = measure_served(weighing, found, edits=2)
    assert (again.warning, again.fingerprint) == (judged.warning, judged.fingerprint)


def test_each_text_is_asked_about_once_and_the_cost_is_an_upper_limit():
    asked = []

    def counting(texts):
        asked.extend(texts)
        return weighing(texts)

    for method in ("occlusion", "leave_one_out", "lime", "kernel_shap", "partition_shapley"):
        asked.clear()
        attribute_served(counting, TEXT, method=method)
        assert len(asked) == len(set(asked)) <= served_calls(TEXT, method=method)


def test_the_version_itself_gives_the_same_map_again(client, tiny_loaded, settings):
    found = attribute_served(lambda texts: client.post("/predict", json={"texts": texts}).json(), TEXT, "food")
    arguments = {
        "text": TEXT, "target": asdict(found.target), "method": found.method, "options": dict(found.parameters)
    }  # fmt: skip
    recipe = Recipe("served_attribution", found.version, tiny_loaded.fingerprint, arguments)
    again = follow(recipe, tiny_loaded, Stored.of(settings))
    assert compare_frames(found.to_frame(), again).same


def test_through_the_application_it_agrees_with_the_model_itself(client, tiny_loaded):
    def ask(texts):
        return client.post("/predict", json={"texts": texts}).json()

    found = attribute_served(ask, TEXT, "food", method="leave_one_out")
    inside = attribute(tiny_loaded, TEXT, Target("class", "food"), method="leave_one_out").by_unit()
    assert found.units["unit"].tolist() == inside["unit"].tolist()
    without = predict_texts(tiny_loaded, [TEXT, TEXT.replace("bread ", "")])
    fall = without[0].probabilities["food"] - without[1].probabilities["food"]
    assert found.units["score"][1] == pytest.approx(fall, abs=1e-5)
