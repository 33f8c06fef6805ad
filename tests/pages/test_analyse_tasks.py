"""The Why view for each kind of task, with small models that know nothing."""

import pytest

from lmcore.analysis import SuiteStore, make_suite
from lmcore.data import load_dataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.models.registry import ModelRegistry
from tests.analysis.readers import CASES, reader
from tests.pages.test_analyse import PAGE, said, shown, words

TASKS = ("named-entity-recognition", "question-answering", "translation", "text-generation", "completion")


def keep(workspace, task):
    """Register the small model of a task; returns the version's reference."""
    loaded = reader(task)
    folder = workspace.models / task / "first"
    folder.mkdir(parents=True)
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return str(ModelRegistry(workspace).register(task, folder, task=task).ref)


@pytest.fixture
def version(request, home):
    return keep(home.workspace, request.param)


def fill(app, task):
    """Type the case of a task into its boxes."""
    given = CASES[task][0]
    if isinstance(given, str):
        app.text_area(key="analyse_text").set_value(given)
    else:
        for name, text in given.items():
            app.text_area(key=f"analyse_text_{task}_{name}").set_value(text)
    return app.run()


@pytest.mark.parametrize(("version", "task"), [(task, task) for task in TASKS], indirect=["version"])
def test_each_task_is_explained(open_app, version, task):
    app = fill(open_app(PAGE, version=version, analyse_method="Input times gradient"), task)
    assert not app.exception
    assert not app.error
    if any(alt.startswith("What speaks for") for alt in words(app)):
        assert "model call" in said(app)
        assert "Completeness error" in shown(app)
    else:
        assert any("nothing" in box.value for box in app.info)


@pytest.mark.parametrize("version", ["named-entity-recognition"], indirect=True)
def test_a_word_that_was_passed_over_is_explained_too(open_app, version):
    app = open_app(PAGE, version=version, analyse_method="Input times gradient", text="Anna told us of apples")
    box = next(box for box in app.selectbox if box.label == "What to explain")
    passed = next(option for option in box.options if option.startswith("Why nothing at"))
    box.set_value(passed).run()
    next(box for box in app.selectbox if box.label == "Rather than").set_value("B-person").run()
    assert not app.exception
    assert app.query_params["analyse_against"] == "B-person"
    assert app.query_params["target"].startswith("tag:O@")
    assert any(
        alt.startswith(f"What speaks for {passed.removeprefix('Why ')} rather than B-person") for alt in words(app)
    ), words(app)


@pytest.mark.parametrize("version", ["translation"], indirect=True)
def test_an_output_is_explained_token_by_token(open_app, version):
    app = open_app(PAGE, version=version, analyse_method="Input times gradient", text="one two three")
    app.text_area(key="analyse_output").set_value("eins zwei drei").run()
    assert "It writes" in said(app)
    box = next(box for box in app.selectbox if box.label == "What to explain")
    assert box.options == ["Why “eins”", "Why “zwei”", "Why “drei”", "Why all of it"]
    assert any(alt.startswith("What speaks for “eins”.") for alt in words(app))
    app.segmented_control(key="analyse_what").set_value("all").run()
    assert not app.exception
    assert any(alt.startswith("What each written token comes from.") for alt in words(app))
    assert "of the scores' size stands in what was read" in said(app)
    assert shown(app)["Largest completeness error"].endswith("%")


@pytest.mark.parametrize("version", ["question-answering"], indirect=True)
def test_a_link_carries_every_column(open_app, version):
    app = fill(open_app(PAGE, version=version, analyse_method="Input times gradient"), "question-answering")
    assert '"question": "who told us"' in app.query_params["text"]
    again = open_app(PAGE, version=version, text=app.query_params["text"])
    assert again.text_area(key="analyse_text_question-answering_question").value == "who told us"


def test_what_is_slow_waits_for_a_click_and_the_trust_panel_says_what_it_found(open_app, filled, monkeypatch):
    monkeypatch.setattr("lmcore.analysis.attribution.cost.SLOW", 0.0)
    app = open_app(PAGE, text="we had some bread and soup today", analyse_view="Layers")
    app.session_state["analyse_method"] = "leave_one_out"
    app = app.segmented_control(key="analyse_view").set_value("why").run()
    assert not any(alt.startswith("What speaks for") for alt in words(app))
    app = next(button for button in app.button if button.label == "Explain").click().run()
    assert any(alt.startswith("What speaks for") for alt in words(app))
    assert shown(app)["Completeness error"] == "none promised"
    monkeypatch.setattr("lmcore.analysis.trust.faithfulness.COMPARED", ("gradient_norm",))
    app = next(button for button in app.button if button.label == "Measure").click().run()
    assert not app.exception
    assert not app.error
    told = [*app.warning, *app.success]
    assert any(box.value.startswith(("Read this map", "Nothing that was measured")) for box in told)
    assert any(alt.startswith("Agreement with other methods") for alt in words(app))
    assert any(alt.startswith("Likeness with maps of random weights") for alt in words(app))


@pytest.mark.parametrize("version", ["text-alignment"], indirect=True)
def test_a_link_between_two_texts_is_explained(open_app, version):
    app = open_app(PAGE, version=version, analyse_method="Input times gradient")
    app.text_area(key="analyse_text_text-alignment_source").set_value("Anna told us on day 7")
    app.text_area(key="analyse_text_text-alignment_target").set_value("Anna told us on day 7").run()
    assert not app.exception
    assert not app.error
    box = next(box for box in app.selectbox if box.label == "What to explain")
    assert box.options[0] == "Why “Anna” – “Anna”"
    assert any(alt.startswith("First text.") for alt in words(app))
    assert any(alt.startswith("Second text.") for alt in words(app))
    assert "its cosine at layer 1" in said(app)
    app.slider(key="link_layer_2").set_value(2)
    app.segmented_control(key="link_measure").set_value("probability")
    next(box for box in app.selectbox if box.label == "Rather than").set_value("2").run()
    assert not app.exception
    assert app.query_params["link_against"] == "2"
    assert "its probability, less that of the link 0-2 at layer 2" in said(app)


@pytest.mark.parametrize(
    ("version", "sample"),
    [("named-entity-recognition", "entities-en"), ("translation", "translation-en-zh")],
    indirect=["version"],
)
def test_views_of_a_data_set_are_there_for_other_tasks_than_classes(open_app, version, sample, home):
    store = DatasetStore(home.workspace)
    task = "translation" if sample.startswith("translation") else "named-entity-recognition"
    data = store.save(split_dataset(store.save(load_dataset(f"sample:{sample}", task=task)), seed=1))
    SuiteStore(home.workspace, str(data.ref)).save(make_suite(data, name="small", rows=2, edits=("deletion",)))
    link = {"version": version, "dataset": str(data.ref)}
    app = open_app(PAGE, analyse_view="similarity", similarity_rows="8", **link)
    assert words(app)[0].startswith("Linear CKA between layers.")
    app = open_app(PAGE, analyse_view="concepts", concepts_factors="2", concepts_factor_texts="10", **link)
    assert not app.exception
    assert not [box.value for box in (*app.error, *app.info)]
    assert "Factors" in [field.label for field in app.number_input]
    assert len(words(app)) == 2
    app = open_app(PAGE, analyse_view="suites", **link)
    app = next(button for button in app.button if button.label.startswith("Run ")).click().run()
    assert "cases failed" in said(app)
    assert not app.exception
    assert not app.error
