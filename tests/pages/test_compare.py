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
    assert app.info[-1].value == "Change a word of the other text."
    app = app.text_area(key="compare_text").set_value("we had some rain and soup today").run()
    assert not app.exception
    assert not app.error
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
    app = app.segmented_control(key="compare_what").set_value("Two versions").run()
    assert not app.exception
    assert app.info[-1].value.startswith("There is no other version for this task")
