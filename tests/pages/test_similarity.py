"""The view of the Analyse page that compares layers."""

import streamlit as st

from lmcore.analysis import SIMILARITY
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.models.registry import ModelRegistry

PAGE = "3_Analyse.py"


def words(app):
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def captions(app):
    return "\n".join(caption.value for caption in app.caption)


def test_the_layers_of_a_version(open_app, filled):
    app = open_app(PAGE, analyse_view="Similarity")
    assert not app.exception
    assert not app.error
    assert [alt.split(".")[0] for alt in words(app)] == [
        "Linear CKA between layers",
        "How far each layer is from the one before",
    ]
    assert "12 texts are read by one model, and 9 pairs of layers compared at once" in captions(app)
    assert "Kornblith et al. 2019" in captions(app)
    assert [metric.label for metric in app.metric] == ["With the texts shuffled"]
    assert any("unrelated layers reach" in box.value for box in app.warning)
    app.run()
    assert not app.exception


def test_what_training_changed(open_app, filled):
    app = open_app(PAGE, analyse_view="Similarity", similarity_with="origin")
    assert not app.exception
    assert not app.error
    assert words(app)[1].startswith("How far each layer is from that of folder:")
    assert "farthest with 0.000" in words(app)[1], "a head was trained: no layer changed"


def test_a_measure_that_says_nothing_on_so_few_texts_is_told_in_one_sentence(open_app, filled):
    app = open_app(PAGE, analyse_view="Similarity")
    app.selectbox(key="similarity_method").set_value("pwcca").run()
    assert not app.exception
    assert "every canonical correlation is 1" in app.error[0].value
    app.number_input(key="similarity_pwcca_variance").set_value(0.5).run()
    assert not app.error
    assert words(app)[0].startswith("PWCCA between layers.")


def test_a_link_opens_what_it_carries(open_app, filled):
    link = {
        "similarity_method": SIMILARITY["rsa"].title,
        "similarity_rsa_distance": "cosine",
        "similarity_pooling": "first",
        "similarity_split": "train",
        "similarity_rows": "30",
    }
    app = open_app(PAGE, analyse_view="Similarity", **link)
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="similarity_method").value == "rsa"
    assert app.selectbox(key="similarity_rsa_distance").value == "cosine"
    assert app.selectbox(key="similarity_pooling").value == "first"
    assert "30 texts are read" in captions(app)
    assert words(app)[0].startswith("RSA between layers.")


def test_a_comparison_can_be_stopped_and_taken_up_again(open_app, filled, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lmcore.analysis.similarity.layers.layer_similarity", lambda *_, **__: st.stop())
        app = open_app(PAGE, analyse_view="Similarity")
        app.button(key="similarity_stop").click().run()
    assert [box.value for box in app.info] == ["Stopped: nothing was kept."]
    assert not words(app)
    app.button(key="similarity_again").click().run()
    assert not app.exception
    assert len(words(app)) == 2
    assert not [button for button in app.button if button.key == "similarity_stop"]


def test_without_a_split_data_set(open_app, filled, home, topic_frame):
    import shutil

    shutil.rmtree(home.workspace.datasets)
    DatasetStore(home.workspace).save(TextDataset("whole", "text-classification", topic_frame))
    app = open_app(PAGE, analyse_view="Similarity")
    assert not app.exception
    assert [box.value for box in app.info] == ["There is no split data set to compare the layers over."]


def test_a_version_whose_beginning_is_not_there(open_app, filled, home):
    registry = ModelRegistry(home.workspace)
    known = registry.get(filled.version)
    registry.register("fresh", known.folder, task=known.task, facts={**known.facts, "base": "config:bert-small"})
    app = open_app(PAGE, analyse_view="Similarity", version="models:/fresh/1", similarity_with="origin")
    assert not app.exception
    assert not app.error
    assert any("began as config:bert-small with random weights" in box.value for box in app.info)
    assert not words(app)
