"""Probabilities, activations by component, and neurons on the Analyse page."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lmcore.models.registry import ModelRegistry
from lmcore.settings import Settings
from tests.analysis.test_component_activations import translator
from tests.tasks.speakers import speaker

PAGE = "3_Analyse.py"
TEXT = "Anna told us that nothing is as good as apples"


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def register(home: Settings, name: str, loaded: Any) -> str:
    folder = home.workspace.models / name
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return str(ModelRegistry(home.workspace).register(name, folder, task=loaded.task, facts={}).ref)


def test_a_language_model_has_probabilities(open_app: Any, filled: Any, home: Settings) -> None:
    version = register(home, "writer", speaker("text-generation"))
    app = open_app(PAGE, version=version, text=TEXT, analyse_view="Probabilities")
    assert not app.exception
    assert not app.error
    assert [alt.split(".")[0] for alt in words(app)] == [
        "How surprising each token is",
        "Surprisal of each token, and how undecided the model was",
    ]
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Surprisal of the text"].endswith(" bits")
    frame = app.dataframe[0].value
    assert "".join(frame["token"]) == TEXT
    assert frame["surprisal"].sum() == pytest.approx(float(shown["Surprisal of the text"].split()[0]), abs=0.06)


def test_a_masked_model_and_a_translator_have_theirs(open_app: Any, filled: Any, home: Settings) -> None:
    masked = register(home, "gaps", speaker("completion", encoder=True))
    app = open_app(PAGE, version=masked, text=TEXT, analyse_view="Probabilities")
    assert not app.exception
    assert "pseudo-likelihood" in " ".join(caption.value for caption in app.caption)
    marian = register(home, "marian", translator())
    app = open_app(PAGE, version=marian, text=TEXT, analyse_view="Probabilities", analyse_output="apples")
    assert not app.exception
    assert app.query_params["analyse_output"] == "apples"
    assert "".join(app.dataframe[0].value["token"]).startswith("apples")


def test_a_view_that_does_not_fit_says_which_do(open_app: Any, filled: Any, home: Settings) -> None:
    app = open_app(PAGE, version=filled.version, text=TEXT, analyse_view="Probabilities")
    assert not app.exception
    assert app.info[0].value.startswith("This view does not look into versions for text classification: choose Why,")
    version = register(home, "writer", speaker("text-generation"))
    app = open_app(PAGE, version=version, text=TEXT, analyse_view="Words")
    assert not app.exception
    assert "Probabilities, Activations, Examples, Suites, Neurons" in app.info[0].value


def test_the_activations_of_a_component(open_app: Any, filled: Any, home: Settings) -> None:
    app = open_app(PAGE, version=filled.version, text="rain and snow", analyse_view="Activations")
    (box,) = [box for box in app.selectbox if box.label == "Component"]
    first = words(app)[0]
    box.select("mlp").run()
    assert not app.exception
    assert words(app)[0] != first
    assert "What the MLP adds" in " ".join(caption.value for caption in app.caption)
    marian = register(home, "marian", translator())
    app = open_app(PAGE, version=marian, text="Anna told us", analyse_view="Activations", analyse_stack="decoder")
    assert not app.exception
    (box,) = [box for box in app.selectbox if box.label == "Component"]
    box.select("cross_attention").run()
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("Size of the activations")


def test_the_neurons_over_a_data_set(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, version=filled.version, dataset=filled.split, analyse_view="Neurons")
    assert not app.exception
    assert not app.error
    found = words(app)
    assert found[0].startswith("Sparsity and dead neurons by layer.")
    assert found[1].startswith("Length of the vectors by layer.")
    assert found[2].startswith("Neurons that tell food from the rest.")
    assert found[3].startswith("Row ")
    app.selectbox(key="analyse_neuron_label").select("travel").run()
    assert any(alt.startswith("Neurons that tell travel from the rest.") for alt in words(app))
    app.number_input(key="analyse_neuron_layer").set_value(1)
    app.number_input(key="analyse_neuron_128").set_value(5).run()
    assert not app.exception
    app.selectbox(key="analyse_neuron_component").select("residual").run()
    assert not app.exception
    assert "the size of its value is above 0.01" in " ".join(caption.value for caption in app.caption)


def test_a_data_set_without_labels_has_no_selective_neurons(open_app: Any, filled: Any, home: Settings) -> None:
    from lmcore.data.dataset import TextDataset
    from lmcore.data.store import DatasetStore
    from tests.tasks.speakers import rule_frame

    stored = DatasetStore(home.workspace).save(TextDataset("stories", "text-generation", rule_frame(20)))
    version = register(home, "writer", speaker("text-generation"))
    app = open_app(PAGE, version=version, dataset=str(stored.ref), analyse_view="Neurons")
    assert not app.exception
    assert "no two labels" in app.info[0].value
    app = open_app(PAGE, version=version, dataset=str(stored.ref), row="3")
    assert not app.exception
    assert rule_frame(20)["text"][3] in [element.value for element in app.text]
