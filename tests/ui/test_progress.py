from types import SimpleNamespace

from streamlit.testing.v1 import AppTest


def test_the_bar_is_there_while_the_work_lasts():
    def page() -> None:
        import streamlit as st

        from lmcore.ui.progress import PageReport

        with PageReport("Drawing") as report:
            report.check()
            report.metrics(1, {"loss": 1.0})
            report.progress(7.0, "Nearly")
            if st.session_state.get("stop_here"):
                st.stop()
        st.text("done")

    app = AppTest.from_function(page)
    app.session_state["stop_here"] = True
    app.run()
    bars = app.get("progress")
    assert not app.exception
    assert not bars or bars[0].proto.value == 100
    app.session_state["stop_here"] = False
    app.run()
    assert app.text[0].value == "done"
    assert not app.get("progress")


def test_many_small_steps_draw_the_bar_a_few_times_a_second(monkeypatch):
    def page() -> None:
        import streamlit as st

        from lmcore.ui.progress import PageReport

        with PageReport("Drawing") as report:
            drawn = []
            report._place.progress = lambda value, text: drawn.append((value, text))
            for step in range(1, 101):
                report.progress(step / 100, f"{step} of 100")
        st.session_state["drawn"] = drawn

    times = iter(range(1000))
    monkeypatch.setattr("lmcore.ui.progress.time", SimpleNamespace(monotonic=lambda: 0.02 * next(times)))
    app = AppTest.from_function(page).run()
    assert not app.exception
    drawn = app.session_state["drawn"]
    assert drawn[-1] == (1.0, "100 of 100")
    assert 15 <= len(drawn) <= 21
