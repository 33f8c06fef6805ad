import re
from urllib.parse import quote

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from lmcore.data.store import DatasetStore
from lmcore.training.evaluation import load_evaluation

PAGE = "3_Analyse.py"


def said(app: AppTest) -> str:
    return "\n".join(e.value for e in app.main if isinstance(getattr(e, "value", None), str))


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def view(app: AppTest, name: str) -> AppTest:
    views = app.segmented_control(key="analyse_view")
    if name not in views.options:
        app = app.segmented_control(key="analyse_about").set_value("data").run()
        views = app.segmented_control(key="analyse_view")
    return views.set_value(name.lower().replace(" ", "_")).run()


def shown(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_an_empty_workspace_says_what_to_do_first(open_app):
    app = open_app(PAGE)
    assert not app.exception
    assert not app.error
    assert "no trained version" in said(app)
    assert [link.proto.page for link in app.main.get("page_link")] == ["Train"]


def test_a_typed_text_is_predicted_and_explained(open_app, filled):
    app = open_app(PAGE)
    app.text_area(key="analyse_text").set_value("we had some bread and soup today").run()
    assert not app.exception
    assert not app.error
    label = re.search(r"The model says \*\*(\w+)\*\* with [\d.]+%", said(app)).group(1)
    assert words(app)[0].startswith(f"Probabilities: {label} ")
    assert words(app)[1].startswith(f"What speaks for {label}.")
    assert set(shown(app)) == {"Completeness error", "Sum of the scores"}
    assert float(shown(app)["Completeness error"].rstrip("%")) < 5
    assert app.query_params["text"] == "we had some bread and soup today"


def test_why_one_class_rather_than_another(open_app, filled):
    app = open_app(PAGE)
    box = next(box for box in app.selectbox if box.label == "What to explain")
    other = next(option for option in box.options if " rather than " in option)
    app = box.select(other).run()
    assert not app.exception
    assert other.replace("Why", "What speaks for", 1) in words(app)[1]
    assert app.query_params["target"].startswith("class:")
    again = open_app(PAGE, target=app.query_params["target"])
    assert next(box for box in again.selectbox if box.label == "What to explain").value == other
    before = open_app(PAGE, target=other)
    assert next(box for box in before.selectbox if box.label == "What to explain").value == other


def test_other_methods_and_settings(open_app, filled):
    app = open_app(PAGE)
    first = words(app)[1]
    app.selectbox(key="analyse_method").set_value("input_x_gradient").run()
    assert not app.exception
    assert words(app)[1] != first
    app.selectbox(key="analyse_input_x_gradient_baseline").set_value("zero").run()
    app.segmented_control(key="analyse_unit").set_value("token").run()
    assert not app.exception


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Attention", ["Attention in layer 2, all heads averaged", "The most focused head", "Attention rollout"]),
        ("Activations", ["Size of the activations by layer and token"]),
    ],
)
def test_the_inside_is_shown(open_app, filled, name, expected):
    app = view(open_app(PAGE), name)
    assert not app.exception
    assert not app.error
    for part in expected:
        assert any(part in alt for alt in words(app)), words(app)
    app.run()
    assert not app.exception


def test_one_head_of_one_layer(open_app, filled):
    app = view(open_app(PAGE), "Attention")
    layer, head = app.slider
    layer.set_value(1)
    head.set_value(3)
    app.run()
    assert any(alt.startswith("Attention in layer 1, head 3.") for alt in words(app))


def test_a_link_opens_its_row(open_app, filled, home):
    error = load_evaluation(home.workspace, filled.evaluation).errors(1).iloc[0]
    app = open_app(PAGE, version=filled.version, dataset=filled.split, row=str(error["id"]))
    assert not app.warning
    assert error["text"] in [element.value for element in app.text]
    assert f"Labelled {error['gold']}." in said(app)
    assert f"**{error['label']}** with {error['score']:.1%}" in said(app)
    app = view(app, "Similarity")
    assert not app.exception
    assert view(app, "Why").query_params["row"] == str(error["id"])


def test_another_row_is_chosen_by_its_number(open_app, filled, home):
    frame = DatasetStore(home.workspace).load(filled.split).frame.set_index("id")
    app = open_app(PAGE, dataset=filled.split, row="3")
    app.number_input[0].set_value(11).run()
    assert frame.loc[10, "text"] in [element.value for element in app.text]
    assert app.query_params["row"] == "10"


@pytest.mark.parametrize("row", ["9999", "-1", "abc", "1" * 5000])
def test_a_link_to_a_row_that_is_not_there_still_opens_the_page(open_app, filled, row):
    app = open_app(PAGE, dataset=filled.split, row=row)
    assert not app.exception
    assert not app.error
    assert [box.value for box in app.warning] == ["The link names a row that is not in this data set: row 1 is shown."]
    assert any(alt.startswith("Probabilities") for alt in words(app))


def test_a_link_to_a_row_that_was_dropped_says_so(open_app, filled, home):
    store = DatasetStore(home.workspace)
    whole = store.load(filled.split)
    kept = store.save(whole.derive(whole.frame[whole.frame["id"] != 5], name="clean"))
    app = open_app(PAGE, dataset=str(kept.ref), row="5")
    assert not app.exception
    assert [box.value for box in app.info] == ["Row 6 was dropped in cleaning: choose another."]


def test_a_link_opens_its_text_and_view(open_app, filled):
    app = open_app(PAGE, text="rain and snow", analyse_view="Activations")
    assert app.text_area(key="analyse_text").value == "rain and snow"
    assert words(app)[0].startswith("Size of the activations")


def test_links_to_what_is_not_there_say_so(open_app, filled):
    app = open_app(PAGE, version="models:/gone/1", dataset="gone@1", row="3", analyse_view="Nonsense")
    assert not app.exception
    assert sorted(box.value.split("'")[1] for box in app.warning) == ["gone@1", "models:/gone/1"]
    assert app.segmented_control(key="analyse_view").value == "why"


@pytest.mark.parametrize(
    "text",
    ["", "   ", "物流很慢", "<b>*bold*</b> $x$ :red[x]", "🙂", "rain " * 2000, quote("a b")],
    ids=["empty", "blank", "Chinese", "markup", "emoji", "long", "quoted"],
)
@pytest.mark.parametrize("name", ["Why", "Attention"])
def test_any_text_is_taken(open_app, filled, text, name):
    app = open_app(PAGE, analyse_view=name)
    app.text_area(key="analyse_text").set_value(text).run()
    assert not app.exception
    assert not app.error
    if not text.strip():
        assert "Type a text" in said(app)
    elif len(text) > 5000 and name == "Why":
        assert any("longer than the model's limit" in box.value for box in app.warning)
        assert "text" not in app.query_params


def test_damaged_weights_are_told_in_one_sentence(open_app, filled, home):
    next(home.workspace.models.rglob("model.safetensors")).write_bytes(b"no")
    app = open_app(PAGE)
    assert not app.exception
    assert len(app.error) == 1
    assert not words(app)


def test_damaged_rows_are_told_in_one_sentence(open_app, filled, home):
    (home.workspace.datasets / "topics" / "2" / "data.parquet").write_bytes(b"damaged")
    app = open_app(PAGE, dataset=filled.split, row="1")
    assert not app.exception
    assert "topics@2 is damaged" in app.error[0].value


def test_the_scores_add_up_to_what_is_said(open_app, filled):
    app = open_app(PAGE, text="a ticket for the train")
    app.segmented_control(key="analyse_unit").set_value("token").run()
    by_token = float(shown(app)["Sum of the scores"])
    app.segmented_control(key="analyse_unit").set_value("word").run()
    assert np.isclose(float(shown(app)["Sum of the scores"]), by_token, atol=0.002)
