"""The view of the Analyse page that links the words of two texts, and which views are offered."""

import pytest

from lmcore.models.registry import ModelRegistry
from tests.pages.test_analyse import PAGE, words
from tests.tasks.speakers import speaker


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
