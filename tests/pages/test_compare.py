"""The Compare view."""

from typing import Any

from streamlit.testing.v1 import AppTest

PAGE = "3_Analyse.py"
TEXT = "we had some bread and soup today"


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def test_two_texts_are_compared(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Compare")
    assert not app.exception
    assert app.text_area(key="compare_text").value not in ("", TEXT)
    assert words(app)[0].startswith("This text beside Other text. The largest difference is at ")
    app = app.text_area(key="compare_text").set_value(TEXT).run()
    assert app.info[-1].value == "Change a word of the other text."
    app = app.text_area(key="compare_text").set_value("we had some rain and soup today").run()
    assert not app.exception
    assert not app.error
    assert app.query_params["compare_text"] == "we had some rain and soup today"
    assert words(app)[0].startswith("This text beside Other text. The largest difference is at ")
    assert {metric.label for metric in app.metric} == {
        "Value: This text",
        "Value: Other text",
        "Agreement of the ranks",
    }


def test_two_methods_are_compared_and_a_lone_version_is_told(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Compare", compare_what="Two methods")
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("Integrated gradients beside ")
    app = app.segmented_control(key="compare_what").set_value("versions").run()
    assert not app.exception
    assert app.info[-1].value.startswith("There is no other version for this task")


def test_two_heads_are_compared_and_the_link_names_them(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Compare", compare_what="heads", compare_head="1.2")
    assert not app.exception
    assert not app.error
    app = app.selectbox(key="compare_other_head").set_value("2.4").run()
    assert not app.exception
    assert app.query_params["compare_other_head"] == "2.4"
    assert app.query_params["compare_what"] == "heads"
    assert [alt.split(".")[0] for alt in words(app)[:3]] == ["Head 1", "Head 2", "Head 2"]
    assert words(app)[3].startswith("Both look farthest apart from ")
    assert {metric.label for metric in app.metric} == {"Mean distance of the rows", "Correlation of the maps"}
    again = open_app(PAGE, **{name: app.query_params[name] for name in app.query_params})
    assert words(again) == words(app)
