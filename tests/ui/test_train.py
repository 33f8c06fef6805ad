import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from lmcore.ui.train import show_curves

    show_curves(st.session_state["metrics"])


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (["loss"], ["Loss"]),
        (["loss", "dev_loss", "dev_accuracy"], ["Loss", "Figures on dev"]),
        (["dev_accuracy"], ["Accuracy on dev by layer"]),
    ],
)
def test_a_curve_is_drawn_once_it_has_a_value(names, titles):
    app = AppTest.from_function(page)
    rows = [(1, 0.0, name, 0.5) for name in names]
    app.session_state["metrics"] = pd.DataFrame(rows, columns=["step", "time", "name", "value"])
    app.run()
    assert not app.exception
    drawn = [chart.proto.alt.partition(".")[0] for chart in app.get("vega_lite_chart")]
    assert drawn == titles
    assert [c.value.split(":")[0] for c in app.caption] == (
        ["The figures on dev are measured at the end of each epoch"] if titles == ["Loss"] else []
    )
