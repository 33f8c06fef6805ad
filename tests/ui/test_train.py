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


def choosing() -> None:
    import streamlit as st

    from lmcore.ui.page import shown_errors
    from lmcore.ui.train import model_choice

    with shown_errors():
        st.write(f"Chosen: {model_choice({'packaged:a': 'A', 'config:b': 'B'}, 'config:b', 'model')}")


@pytest.mark.parametrize(
    ("typed", "chosen"), [(None, "config:b"), ("org/name", "hub:org/name"), (" hub:org/name ", "hub:org/name")]
)
def test_a_model_is_picked_or_named_by_its_hub_id(typed, chosen):
    app = AppTest.from_function(choosing)
    if typed:
        app.session_state["model"] = typed
    app.run()
    assert app.markdown[0].value == f"Chosen: {chosen}"


@pytest.mark.parametrize("typed", ["/etc/passwd", "../../models/x", "folder:/tmp/x"])
def test_no_path_is_taken_from_a_page(typed):
    app = AppTest.from_function(choosing)
    app.session_state["model"] = typed
    app.run()
    assert not app.markdown
    assert "is not a hub id: write it as org/name" in app.error[0].value


def test_a_run_with_rewards_has_curves_of_reward_and_divergence():
    rows = [
        (step, 0.0, name, float(step))
        for step in (1, 2)
        for name in ("reward", "reward_std", "kl", "length", "loss", "learning_rate")
    ]
    rows += [(2, 0.0, "dev_reward", 0.5)]
    app = AppTest.from_function(page)
    app.session_state["metrics"] = pd.DataFrame(rows, columns=["step", "time", "name", "value"])
    app.run()
    assert not app.exception
    said = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert said[0].startswith("Mean reward. ")
    assert "train is 2.000" in said[0]
    assert "dev is 0.500" in said[0]
    assert said[1].startswith("KL divergence from the model as it was. kl is 2.000")
    assert [s.partition(".")[0] for s in said[2:]] == [
        "Length of the texts written",
        "Spread of the rewards in a step",
        "Loss",
    ]
    app.session_state["metrics"] = pd.DataFrame(rows[:1], columns=["step", "time", "name", "value"])
    app.run()
    assert "The KL weight is 0" in app.caption[0].value
