import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lmcore.ui.show import plain


@pytest.mark.parametrize(
    "text", ["*bold*", "[link](http://x)", "$x$", ":red[x]", "# head", "<b>", "a_b_c", "`code`", "1. x"]
)
def test_a_users_text_is_shown_as_it_is(text):
    escaped = plain(text)
    assert escaped.replace("\\", "") == text
    assert escaped != text


def test_cells_stand_below_each_other_where_they_would_be_narrow():
    def page() -> None:
        from lmcore.ui import show

        for cell, word in zip(show.side_by_side(3, narrowest=230), "abc", strict=True):
            cell.text(word)

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert [text.value for text in app.text] == ["a", "b", "c"]
    grid = app.main.children[0].proto
    assert (grid.columns, grid.min_column_width_px, grid.wrap) == (3, 230, True)


def test_words_stay_words():
    assert plain("物流 very slow, really") == "物流 very slow, really"


def test_a_figure_comes_with_its_words_and_its_numbers():
    def page() -> None:
        import altair as alt
        import pandas as pd
        import streamlit as st

        from lmcore.charts.figure import Figure
        from lmcore.ui import show

        data = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
        chart = alt.Chart(data).mark_point().encode(x="x:Q", y="y:Q")
        st.session_state["looked"] = show.figure(Figure(chart, "Two points.", data), "points")
        brush = alt.selection_interval(name="picked", encodings=["x", "y"])
        st.session_state["picked"] = show.figure(
            Figure(chart.add_params(brush), "Two points.", data), "brushed", select="picked"
        )

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert [chart.proto.alt for chart in app.get("vega_lite_chart")] == ["Two points.", "Two points."]
    assert [button.proto.label for button in app.get("download_button")] == ["CSV", "JSON", "SVG", "PNG"] * 2
    assert not app.session_state["looked"]
    assert not app.session_state["picked"]


def test_a_table_shows_shares_as_percent():
    def page() -> None:
        import pandas as pd

        from lmcore.ui import show

        show.table(pd.DataFrame({"share": [0.25]}), "shares", alt="Shares.", percent=["share"])

    app = AppTest.from_function(page).run()
    assert not app.exception
    pd.testing.assert_frame_equal(app.dataframe[0].value, pd.DataFrame({"share": [0.25]}))
    assert "percent" in app.dataframe[0].proto.columns
