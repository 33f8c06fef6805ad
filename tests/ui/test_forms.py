from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from lmcore.methods import Option
    from lmcore.ui.forms import option_fields

    options = (
        Option("batch_size", "int", 32, "Texts in one step.", minimum=1, maximum=64),
        Option("rate", "float", 5e-5, "Peak rate.", minimum=1e-8, maximum=1),
        Option("layer", "int", None, "Empty tries all.", minimum=0, optional=True),
        Option("strength", "float", None, "Empty tries some.", optional=True),
        Option("exact", "bool", True, "Whether."),
        Option("metric", "choice", "cosine", "Distance.", choices=("euclidean", "cosine")),
        Option("note", "text", "", "A remark."),
    )
    st.session_state["given"] = option_fields(options, "form", st.session_state.get("first"))


def test_fields_begin_with_the_defaults_in_the_options_types():
    app = AppTest.from_function(page).run()
    assert not app.exception
    given = app.session_state["given"]
    assert given == {
        "batch_size": 32, "rate": 5e-5, "layer": None, "strength": None, "exact": True, "metric": "cosine", "note": "",
    }  # fmt: skip
    assert type(given["batch_size"]) is int
    assert [field.label for field in app.number_input] == ["Batch size", "Rate", "Layer", "Strength"]


def test_what_is_filled_in_comes_back_in_the_options_types():
    app = AppTest.from_function(page).run()
    app.number_input(key="form_layer").set_value(3)
    app.number_input(key="form_strength").set_value(0.5)
    app.number_input(key="form_rate").set_value(1e-3)
    app.checkbox(key="form_exact").uncheck()
    app.selectbox(key="form_metric").select("euclidean")
    app.text_input(key="form_note").set_value("mine")
    given = app.run().session_state["given"]
    assert given["layer"] == 3
    assert type(given["layer"]) is int
    assert (given["strength"], given["rate"], given["exact"]) == (0.5, 1e-3, False)
    assert (given["metric"], given["note"]) == ("euclidean", "mine")
    app.number_input(key="form_layer").set_value(None)
    assert app.run().session_state["given"]["layer"] is None


def test_the_limits_are_those_of_the_option():
    field = AppTest.from_function(page).run().number_input(key="form_batch_size")
    assert (field.min, field.max) == (1, 64)


def test_other_first_values_than_the_defaults():
    app = AppTest.from_function(page)
    app.session_state["first"] = {"rate": 5e-4, "layer": 2}
    given = app.run().session_state["given"]
    assert (given["rate"], given["layer"], given["batch_size"]) == (5e-4, 2, 32)


def test_a_method_is_chosen_by_its_title_and_told_in_a_sentence():
    def page() -> None:
        import streamlit as st

        from lmcore.projection.methods import PROJECTION
        from lmcore.ui.forms import method_choice

        st.session_state["name"] = method_choice("Map", PROJECTION, "method", names=["tsne", "umap"])

    app = AppTest.from_function(page).run()
    assert app.selectbox[0].options == ["t-SNE", "UMAP"]
    app.selectbox[0].set_value("umap").run()
    assert app.session_state["name"] == "umap"
    assert app.caption[0].value.startswith("Uniform manifold approximation")
