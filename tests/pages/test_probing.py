import shutil

import pytest

from lmcore.analysis.probes.methods import PROBES, PROPERTIES
from lmcore.data.store import DatasetStore
from tests.pages.test_analyse import PAGE, said, words


@pytest.fixture
def view(open_app, filled):
    def view(name, **query):
        app = open_app(PAGE, analyse_view=name, dataset=filled.split, **query)
        assert not app.exception
        assert not app.error
        return app

    return view


def test_the_label_is_probed_at_once(view):
    app = view("Probing")
    assert len(words(app)) == 1
    assert "does best on dev" in words(app)[0]
    assert "Always saying the most frequent class" in words(app)[0]
    assert "fits 3 probes on 3 layers" in said(app)
    assert "96 of train" in said(app)


def test_control_task_and_description_length_are_added(view):
    app = view("Probing", probing_control="true", probing_code="true", probing_rows="40")
    assert "(12 on each)" in said(app)
    assert [any(part in alt for alt in words(app)) for part in ("is the most selective", "fewest bits")] == [True, True]
    app.checkbox(key="probing_code").uncheck().run()
    assert not app.exception
    assert len(words(app)) == 2


def test_a_link_carries_property_probe_and_settings(view):
    app = view(
        "Probing", probing_property=PROPERTIES["length"].title, probing_length_unit="characters",
        probing_probe=PROBES["mlp"].title, probing_rows="40",
    )  # fmt: skip
    assert "40 of train" in said(app)
    assert app.selectbox(key="probing_length_unit").value == "characters"
    assert app.selectbox(key="probing_probe").value == "mlp"
    assert "Length by layer" in str(app.get("vega_lite_chart")[0].proto.spec)


@pytest.mark.parametrize(("name", "level"), [("column", "texts"), ("word_position", "words")])
def test_texts_and_words_are_probed(view, name, level):
    app = view("Probing", probing_property=PROPERTIES[name].title, probing_rows="40")
    assert app.selectbox(key="probing_property").value == name
    assert PROPERTIES["tags"].title not in app.selectbox(key="probing_property").options
    assert f"({level})" in said(app)
    assert "does best on dev" in words(app)[0]


@pytest.mark.parametrize(("what", "unit"), [("parameters", "head"), ("attention", "layer")])
def test_heads_have_a_map(view, what, unit):
    app = view("Probing", probing_seen="Map of heads", probing_what=what, probing_unit=unit)
    assert f"PCA of the {unit}s by their {what}: {8 if unit == 'head' else 2} points." in words(app)[0]


def test_slices_are_concepts_at_once(view):
    app = view("Concepts", concepts_texts="6")
    assert len(words(app)) == 6
    assert all(": significant in" in alt or "random sets differ" in alt for alt in words(app))
    assert "against at least 500 random sets" in said(app)


def test_words_make_concepts_and_the_link_carries_them(view):
    lines = "meals: bread, soup, cheese, rice, tea, apple\nrain, snow, storm"
    app = view("Concepts", concepts_by="Words", concepts_words=lines, concepts_target="food", concepts_texts="6")
    assert [alt.split(":")[0] for alt in words(app)] == ["meals", "meals", "rain, snow, storm", "rain, snow, storm"]
    assert app.text_area(key="concepts_words").value == lines


def test_without_words_it_says_what_to_do(view):
    app = view("Concepts", concepts_by="Words")
    assert not words(app)
    assert any("one concept a line" in box.value for box in app.info)


def test_a_concept_that_no_text_has_is_refused_in_one_sentence(open_app, filled):
    app = open_app(PAGE, analyse_view="Concepts", dataset=filled.split, concepts_by="Words", concepts_words="zebra")
    assert not app.exception
    assert [box.value for box in app.error] == [
        "There are 0 texts with the concept 'zebra': it takes at least 8; choose other words or another slice, or more rows."
    ]


def test_factors_are_shown_with_their_strongest_words(view):
    app = view("Concepts", concepts_seen="Factors", concepts_factors="3", concepts_factor_texts="30")
    assert [alt[:21] for alt in words(app)] == [f"Factor {n} is strongest" for n in (1, 2, 3)] or len(words(app)) == 3
    assert "unexplained" in said(app)


def test_without_a_split_data_set_both_say_so(open_app, filled, home):
    store = DatasetStore(home.workspace)
    for info in store.list():
        if info.is_split:
            shutil.rmtree(home.workspace.datasets / info.ref.name / str(info.ref.version))
    for name in ("Probing", "Concepts"):
        app = open_app(PAGE, analyse_view=name)
        assert not app.exception
        assert any("There is no split data set" in box.value for box in app.info)
