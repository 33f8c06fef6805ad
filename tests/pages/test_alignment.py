"""The view of the Analyse page that links the words of two texts, and which views are offered."""

import shutil

import pytest
import streamlit as st

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.models.registry import ModelRegistry
from tests.pages.test_analyse import PAGE, words
from tests.tasks.linked import reversed_frame
from tests.tasks.speakers import speaker

DATA = {"analyse_view": "alignment", "alignment_of": "data"}


def keep(workspace, task, *, encoder):
    loaded = speaker(task, encoder=encoder)
    folder = workspace.models / task / "first"
    folder.mkdir(parents=True)
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return str(ModelRegistry(workspace).register(task, folder, task=task).ref)


def box(app, key):
    return next(area for area in app.text_area if area.key == key)


def test_a_pair_is_there_to_begin_with(open_app, filled):
    app = open_app(PAGE, version=filled.version, analyse_view="Alignment")
    assert not app.exception
    assert not app.error
    assert box(app, "alignment_source").value
    assert box(app, "alignment_target").value
    assert words(app)[0].startswith("Similarity of the words, and their links. ")
    assert list(app.dataframe[0].value.columns) == ["first text", "second text", "similarity"]


def test_a_link_carries_both_texts_and_a_text_is_linked_with_itself(open_app, filled):
    app = open_app(
        PAGE,
        version=filled.version,
        analyse_view="Alignment",
        alignment_source="rain and snow",
        alignment_target="rain",
    )
    assert app.dataframe[0].value["second text"].tolist() == ["rain"]
    box(app, "alignment_target").set_value("rain and snow").run()
    assert not app.exception
    found = app.dataframe[0].value
    assert found["first text"].tolist() == found["second text"].tolist() == ["rain", "and", "snow"]
    assert found["similarity"].tolist() == pytest.approx([1, 1, 1], abs=1e-5)


def test_layer_and_method_are_chosen(open_app, filled):
    app = open_app(PAGE, version=filled.version, analyse_view="Alignment")
    app.selectbox(key="alignment_method").set_value("softmax").run()
    app.number_input(key="alignment_softmax_threshold").set_value(1.0).run()
    assert not app.exception
    assert any("No two words are linked" in info.value for info in app.info)
    app.slider[0].set_value(0).run()
    app.selectbox(key="alignment_method").set_value("itermax").run()
    assert "by layer 0." in " ".join(caption.value for caption in app.caption)


def test_an_empty_text_is_asked_for(open_app, filled):
    app = open_app(PAGE, version=filled.version, analyse_view="Alignment")
    box(app, "alignment_target").set_value(" ").run()
    assert not app.error
    assert app.info[0].value == "Type both texts to see which of their words belong together."


def test_a_decoder_links_no_words(open_app, home):
    app = open_app(PAGE, version=keep(home.workspace, "completion", encoder=False), analyse_view="Alignment")
    assert not app.exception
    assert "by an encoder, and this version's model is none" in app.info[0].value


@pytest.fixture
def pairs(filled, home):
    """Pairs with gold links, split, and the same without links."""
    store = DatasetStore(home.workspace)
    data = TextDataset("turned", "text-alignment", reversed_frame(30))
    store.save(TextDataset("bare", "text-alignment", data.frame.assign(links="")))
    return str(store.save(split_dataset(data, seed=0)).ref)


def said(app):
    return " ".join(caption.value for caption in app.caption)


def test_every_layer_is_measured_over_a_data_set_at_a_click(open_app, filled, pairs):
    app = open_app(PAGE, version=filled.version, **DATA)
    assert not app.exception
    assert app.selectbox(key="pick_dataset").options == [pairs, "bare@1"]
    assert not words(app)
    assert "Reads both sentences of 30 pairs once, and links their words by each of 3 layers." in said(app)
    app.button(key="alignment_measure").click().run()
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("Layer ")
    assert f"{words(app)[0]} The dashed line is that of place alone" in said(app)
    assert "Choose on one half (dev) and report on the other (test)" in said(app)
    assert list(app.dataframe[0].value.columns) == ["layer", "error rate", "from", "to", "precision", "recall"]
    assert not [button for button in app.button if button.key == "alignment_measure_stop"]


def test_a_link_carries_what_is_measured_and_another_choice_waits_for_a_click(open_app, filled, pairs):
    link = {
        "dataset": pairs,
        "alignment_split": "test",
        "alignment_method": "itermax",
        "alignment_itermax_iterations": "3",
    }
    app = open_app(PAGE, version=filled.version, **DATA, **link)
    assert app.segmented_control(key="alignment_of").value == "data"
    assert app.segmented_control(key="alignment_split").value == "test"
    assert app.number_input(key="alignment_itermax_iterations").value == 3
    app.button(key="alignment_measure").click().run()
    assert "over 3 pairs" in words(app)[0]
    app.segmented_control(key="alignment_split").set_value("dev").run()
    assert not app.exception
    assert not words(app)
    assert app.query_params["alignment_split"] == "dev"
    app.segmented_control(key="alignment_of").set_value("pair").run()
    assert "alignment_of" not in app.query_params
    assert app.selectbox(key="alignment_method").value == "itermax"
    assert words(app)[0].startswith("Similarity of the words, and their links. ")


def test_measuring_can_be_stopped(open_app, filled, pairs, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lmcore.analysis.link_errors.alignment_errors", lambda *_, **__: st.stop())
        app = open_app(PAGE, version=filled.version, **DATA)
        app.button(key="alignment_measure").click().run()
        app.button(key="alignment_measure_stop").click().run()
    assert [box.value for box in app.info] == ["Stopped: nothing was kept."]
    assert not words(app)


def test_pairs_without_links_and_a_workspace_without_pairs(open_app, filled, pairs, home):
    app = open_app(PAGE, version=filled.version, dataset="bare@1", **DATA)
    assert not app.exception
    assert app.info[0].value.startswith(
        "No pair of bare@1 has links yet: choose another data set; the samples words-en-fr"
    )
    for name in ("bare", "turned"):
        shutil.rmtree(home.workspace.datasets / name)
    app = open_app(PAGE, version=filled.version, **DATA)
    assert not app.exception
    assert (
        "There is no data set whose words people have linked yet: the samples words-en-fr and words-zh-en"
        in " ".join(text.value for text in app.markdown)
    )
    assert "alignment_measure" not in [button.key for button in app.button]


def test_the_views_that_fit_are_offered_and_one_of_a_link_stays(open_app, filled, home):
    app = open_app(PAGE, version=filled.version)
    offered = app.segmented_control(key="analyse_view").options
    assert "Probabilities" not in offered
    assert {"Why", "Alignment", "Examples"} <= set(offered)
    app = open_app(PAGE, version=filled.version, analyse_view="Probabilities")
    assert "Probabilities" in app.segmented_control(key="analyse_view").options
    app.segmented_control(key="analyse_about").set_value("data").run()
    assert not app.exception
    assert app.segmented_control(key="analyse_view").value == app.query_params["analyse_view"] == "words"
    app.segmented_control(key="analyse_view").set_value("similarity").run()
    assert {name: app.query_params[name] for name in ("analyse_view", "version")} == {
        "analyse_view": "similarity", "version": filled.version,
    }  # fmt: skip
    again = open_app(PAGE, version=filled.version, analyse_view="similarity")
    assert again.segmented_control(key="analyse_about").value == "data"
    assert again.segmented_control(key="analyse_view").value == "similarity"
    app.segmented_control(key="analyse_about").set_value("text").run()
    assert "Probabilities" not in app.segmented_control(key="analyse_view").options
    assert "analyse_view" not in app.query_params


def test_a_view_stays_where_another_version_has_none_of_its_kind(open_app, filled, home):
    writer = keep(home.workspace, "completion", encoder=False)
    app = open_app(PAGE, version=filled.version, analyse_view="words")
    app.selectbox(key="pick_version").set_value(writer).run()
    assert not app.exception
    assert app.info[0].value.startswith("This view does not look into versions for")
    assert "Words" in app.segmented_control(key="analyse_view").options
