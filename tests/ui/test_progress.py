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
