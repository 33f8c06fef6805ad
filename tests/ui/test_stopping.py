from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from lmcore.errors import InputError
    from lmcore.ui.stopping import stoppable

    def work(report):
        report.progress(0.5, "Half done")
        if st.session_state.get("how") == "long":
            st.stop()  # as when somebody touches the page meanwhile
        if st.session_state.get("how") == "wrong":
            raise InputError("It does not fit.")
        return 42

    try:
        st.write(f"found {stoppable('Working', 'work', work)}")
    except InputError as error:
        st.error(str(error))


def opened(how: str) -> AppTest:
    app = AppTest.from_function(script)
    app.session_state["how"] = how
    return app.run()


def test_what_was_found_is_returned_and_nothing_else_is_left() -> None:
    app = opened("short")
    assert [box.value for box in app.markdown] == ["found 42"]
    assert not app.button


def test_it_can_be_stopped_and_started_again() -> None:
    app = opened("long")
    assert [button.label for button in app.button] == ["Stop"]
    assert not app.markdown
    app = app.button(key="work_stop").click().run()
    assert [box.value for box in app.info] == ["Stopped: nothing was kept."]
    assert [box.value for box in app.markdown] == ["found None"]
    app.session_state["how"] = "short"
    assert [box.value for box in app.button(key="work_again").click().run().markdown] == ["found 42"]


def test_what_goes_wrong_is_told_without_a_way_to_stop_it() -> None:
    app = opened("wrong")
    assert [box.value for box in app.error] == ["It does not fit."]
    assert not app.button
