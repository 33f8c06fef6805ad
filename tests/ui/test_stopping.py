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


def agreed_script() -> None:
    import streamlit as st

    from lmcore.ui.stopping import agreed

    def work(report):
        if st.session_state.get("how") == "long":
            st.stop()
        return 42

    slow = st.session_state["slow"]
    st.write(f"found {agreed('Explain', 'one', 'It takes a minute.', slow=slow, work=work)}")


def begun_script() -> None:
    import streamlit as st

    from lmcore.ui.stopping import begun

    wanted = st.session_state.get("wanted", 1)
    found = begun("Patch", "Patching", "patch", "The model runs twice.", wanted=wanted, work=lambda report: wanted)
    st.write(f"found {found}")


def said(app: AppTest) -> list[str]:
    return [box.value for box in app.markdown]


def test_what_is_quick_is_done_at_once_and_what_is_slow_after_a_click() -> None:
    app = AppTest.from_function(agreed_script)
    app.session_state["slow"] = False
    app = app.run()
    assert (said(app), [box.value for box in app.caption]) == (["found 42"], ["It takes a minute."])
    assert not app.button
    app.session_state["slow"] = True
    app = app.run()
    assert said(app) == ["found None"]
    app = app.button(key="agreed_one").click().run()
    assert said(app) == ["found 42"]
    assert not app.run().button


def test_what_was_agreed_to_can_be_stopped_and_is_asked_for_again() -> None:
    app = AppTest.from_function(agreed_script)
    app.session_state["slow"], app.session_state["how"] = True, "long"
    app = app.run().button(key="agreed_one").click().run().run()
    assert [button.label for button in app.button] == ["Stop"]
    app = app.button(key="stop_one").click().run()
    assert said(app) == ["found None"]
    assert [button.label for button in app.button] == ["Explain"]


def test_another_choice_has_to_be_begun_anew() -> None:
    app = AppTest.from_function(begun_script).run()
    assert (said(app), [box.value for box in app.caption]) == (["found None"], ["The model runs twice."])
    app = app.button(key="patch").click().run()
    assert said(app) == ["found 1"]
    assert [button.label for button in app.button] == ["Patch"]
    app.session_state["wanted"] = 2
    assert said(app.run()) == ["found None"]
    app.session_state["wanted"] = 1
    assert said(app.run()) == ["found 1"]
