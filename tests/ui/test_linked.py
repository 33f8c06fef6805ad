"""What the link carries of a view: names and short texts."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from lmcore.ui import linked

    titles = {"ig": "Integrated gradients", "lime": "LIME", "occlusion": "Occlusion"}
    st.session_state["found"] = {
        "method": linked.select("Method", list(titles), "method", format_func=titles.__getitem__),
        "sides": linked.segments("Sides", list(titles), "sides", format_func=titles.__getitem__, default="lime"),
        "some": linked.pills("Some", list(titles), "some", format_func=titles.__getitem__),
        "number": linked.number("Number", 1, 12, 3, "number"),
        "text": linked.text("Text", "text", st.session_state.get("start", "as it begins")),
    }


def opened(**query: str) -> AppTest:
    app = AppTest.from_function(page)
    app.query_params.update(query)
    return app.run()


def test_what_was_not_chosen_is_not_in_the_link():
    app = opened()
    assert not app.exception
    assert app.session_state["found"] == {
        "method": "ig", "sides": "lime", "some": ("ig", "lime", "occlusion"), "number": 3, "text": "as it begins",
    }  # fmt: skip
    assert not dict(app.query_params)


def test_a_link_names_the_choices_and_brings_them_back():
    app = opened()
    app.selectbox(key="method").set_value("occlusion")
    app.segmented_control(key="sides").set_value("ig")
    app.pills(key="some").set_value(["lime"])
    app.number_input(key="number").set_value(11)
    app.text_area(key="text").set_value("好 & <b>")
    app = app.run()
    link = {name: app.query_params[name] for name in app.query_params}
    assert link == {"method": "occlusion", "sides": "ig", "some": "lime", "number": "11", "text": "好 & <b>"}
    assert opened(**link).session_state["found"] == app.session_state["found"]
    app.segmented_control(key="sides").set_value("lime")
    assert "sides" not in app.run().query_params


def test_what_is_shown_is_understood_and_nonsense_is_the_first_choice():
    app = opened(method="LIME", sides="nonsense", some="nonsense", number="13")
    assert not app.exception
    assert app.session_state["found"] | {"text": ""} == {
        "method": "lime", "sides": "lime", "some": ("ig", "lime", "occlusion"), "number": 3, "text": "",
    }  # fmt: skip
    assert opened(number="9" * 5000).session_state["found"]["number"] == 3


def test_a_long_text_stays_out_of_the_link_and_an_unchanged_one_follows_its_start():
    app = opened(text="from the link")
    assert app.session_state["found"]["text"] == "from the link"
    app.text_area(key="text").set_value("x" * 501)
    app = app.run()
    assert "text" not in app.query_params
    assert app.caption[0].value == "The link carries texts of up to 500 characters; this one is longer."
    other = opened()
    other.session_state["start"] = "begun anew"
    assert other.run().session_state["found"]["text"] == "begun anew"


def narrowed_page() -> None:
    import streamlit as st

    from lmcore.ui import linked

    offered = st.session_state.get("offered", ["b", "c"])
    asked = linked.named("view", ["a", "b", "c"], str.upper)
    st.session_state["found"] = (asked, linked.segments("View", offered, "view", format_func=str.upper, default="a"))


def test_a_choice_is_in_the_link_where_what_the_link_means_by_itself_is_not_offered():
    app = AppTest.from_function(narrowed_page).run()
    assert app.session_state["found"] == (None, "b")
    assert app.query_params["view"] == "b", "a link that names nothing means a"
    app.session_state["offered"] = ["a", "b"]
    app = app.run().segmented_control(key="view").set_value("a").run()
    assert app.session_state["found"] == ("a", "a")
    assert "view" not in app.query_params
    before = AppTest.from_function(narrowed_page)
    before.query_params["view"] = "C"
    assert before.run().session_state["found"] == ("c", "c")
