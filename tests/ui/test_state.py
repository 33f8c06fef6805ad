import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from lmcore.ui import state

    names = st.session_state.get("names", ["a", "b", "c"])
    picked = state.pick("dataset", "Data set", names, format_func=str.upper, default=st.session_state.get("best", ""))
    st.text(str(picked))


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page)


def picked(app: AppTest) -> str:
    assert not app.exception
    return app.text[0].value


def test_without_a_choice_the_first_is_taken(app):
    assert picked(app.run()) == "a"
    assert app.query_params["dataset"] == "a"
    assert app.session_state["chosen_dataset"] == "a"


def test_without_a_choice_the_default_is_taken_where_there_is_one(app):
    app.session_state["best"] = "c"
    assert picked(app.run()) == "c"


def test_a_default_that_is_not_there_is_passed_over(app):
    app.session_state["best"] = "gone"
    assert picked(app.run()) == "a"
    assert not app.warning


def test_without_options_nothing_is_drawn(app):
    app.session_state["names"] = []
    assert picked(app.run()) == "None"
    assert not app.selectbox


def test_a_choice_is_seen_by_other_pages_and_carried_by_the_link(app):
    app.run().selectbox[0].select("b").run()
    assert picked(app) == "b"
    assert app.query_params["dataset"] == "b"
    assert app.session_state["chosen_dataset"] == "b"
    assert picked(app.run()) == "b"


def test_the_choice_of_another_page_is_taken_over(app):
    app.session_state["chosen_dataset"] = "c"
    assert picked(app.run()) == "c"
    app.session_state["chosen_dataset"] = "b"
    app.query_params.pop("dataset")
    assert picked(app.run()) == "b"


def test_a_choice_goes_along_to_a_page_that_has_the_same_box(tmp_path):
    script = "from tests.ui.test_state import page\n\npage()\n"
    (tmp_path / "pages").mkdir()
    for file in ("Home.py", "pages/1_Other.py"):
        (tmp_path / file).write_text(script)
    app = AppTest.from_file(tmp_path / "Home.py")
    app.query_params["dataset"] = "b"
    assert picked(app.run()) == "b"
    assert picked(app.switch_page("pages/1_Other.py").run()) == "b"
    assert app.query_params["dataset"] == "b"


def test_the_link_has_the_last_word(app):
    app.session_state["chosen_dataset"] = "c"
    app.query_params["dataset"] = "b"
    assert picked(app.run()) == "b"
    assert app.session_state["chosen_dataset"] == "b"
    assert not app.warning


def test_a_link_to_what_is_not_there_is_said_once(app):
    app.query_params["dataset"] = "gone"
    assert picked(app.run()) == "a"
    assert app.warning[0].value == "The link names the data set 'gone', which is not here: A is shown."
    assert app.query_params["dataset"] == "a"
    assert not app.run().warning


def test_a_choice_that_was_deleted_is_replaced_in_silence(app):
    app.run().selectbox[0].select("b").run()
    app.session_state["names"] = ["c"]
    assert picked(app.run()) == "c"
    assert not app.warning
    assert app.query_params["dataset"] == "c"


def test_a_new_option_is_shown_when_it_is_chosen(app):
    app.run()
    app.session_state["names"] = ["d", "a", "b", "c"]
    app.session_state["chosen_dataset"] = "d"
    app.query_params["dataset"] = "d"
    assert picked(app.run()) == "d"
    assert app.selectbox[0].value == "d"


def test_choosing_nothing_takes_it_out_of_the_link():
    def page() -> None:
        from lmcore.ui import state

        state.choose("row", "7")
        state.choose("row", "")

    app = AppTest.from_function(page).run()
    assert "row" not in app.query_params
    assert app.session_state["chosen_row"] == ""
