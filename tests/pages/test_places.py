"""What was chosen of a text, such as a word of it, holds for that text alone."""

import pytest

from tests.pages.test_analyse import PAGE, said, words
from tests.pages.test_analyse_tasks import keep
from tests.pages.test_attention import clean

METHOD = {"analyse_method": "input_x_gradient"}
FIRST, SECOND = (f"analyse_text_text-alignment_{name}" for name in ("source", "target"))


@pytest.fixture
def version(request, home):
    return keep(home.workspace, request.param)


@pytest.fixture
def pair(open_app, home):
    """A pair of texts, its third link held against the first word."""
    app = open_app(PAGE, version=keep(home.workspace, "text-alignment"), **METHOD)
    app.text_area(key=FIRST).set_value("Anna told us on day 7")
    app = app.text_area(key=SECOND).set_value("Anna told us on day 7").run()
    app = clean(box(app, "What to explain").select_index(2).run())
    return clean(box(app, "Rather than").set_value("0").run())


def box(app, label):
    return next(box for box in app.selectbox if box.label == label)


def link(app):
    return {name: app.query_params[name] for name in app.query_params}


def test_after_an_edit_no_link_points_to_another_word(pair):
    assert pair.query_params["link_against"] == "0"
    assert pair.query_params["target"].startswith("link:2-2")
    app = clean(pair.text_area(key=FIRST).set_value("day 7 told us on Anna").run())
    assert not {"link_against", "target"} & set(link(app))
    assert box(app, "What to explain").index == 0
    assert box(app, "Rather than").value == ""
    assert "less that of the link" not in said(app)


def test_the_link_of_a_page_brings_its_words_back_until_another_link_is_chosen(pair, open_app):
    sent = link(pair)
    app = clean(open_app(PAGE, **sent))
    assert box(app, "What to explain").value == box(pair, "What to explain").value
    assert "less that of the link 2-0" in said(app)
    app = clean(box(app, "What to explain").select_index(3).run())
    assert "link_against" not in link(app)
    assert box(app, "Rather than").value == ""
    app = clean(open_app(PAGE, **{name: value for name, value in sent.items() if name != "text"}))
    assert not {"link_against", "target"} & set(link(app)), (
        "its places are those of a text that the link does not carry"
    )


@pytest.mark.parametrize("version", ["named-entity-recognition"], indirect=True)
def test_the_label_of_a_word_is_not_taken_over_by_the_word_in_its_place(open_app, version):
    app = open_app(PAGE, version=version, text="Anna told us of apples", **METHOD)
    passed = next(option for option in box(app, "What to explain").options if option.startswith("Why nothing at"))
    app = box(app, "What to explain").set_value(passed).run()
    app = clean(box(app, "Rather than").set_value("B-person").run())
    assert {"target", "analyse_against"} <= set(link(app))
    app = clean(app.text_area(key="analyse_text").set_value("Ella sold us of apples").run())
    assert not {"target", "analyse_against"} & set(link(app))
    assert not any("rather than B-person" in alt for alt in words(app))


@pytest.mark.parametrize("version", ["translation"], indirect=True)
def test_a_part_of_the_output_is_forgotten_with_the_output(open_app, version):
    app = open_app(PAGE, version=version, text="one two three", analyse_output="eins zwei drei", **METHOD)
    app = box(app, "What to explain").set_value("Why “zwei”").run()
    app = clean(box(app, "Rather than").set_value("drei").run())
    assert app.query_params["target"] == "phrase@5-9"
    app = clean(app.text_area(key="analyse_output").set_value("drei eins zwei").run())
    assert not {"target", "analyse_against"} & set(link(app))
    assert box(app, "What to explain").value == "Why “drei”"


def test_a_class_is_kept_since_every_text_has_it(open_app, filled):
    app = open_app(PAGE, text="we had some bread and soup today", **METHOD)
    app = clean(box(app, "What to explain").select_index(1).run())
    chosen = box(app, "What to explain").value
    app = clean(app.text_area(key="analyse_text").set_value("we had bread and some soup today").run())
    assert box(app, "What to explain").value == chosen


def test_the_number_of_a_token_is_forgotten_with_the_text(open_app, filled):
    given = {"analyse_view": "attention", "analyse_attention_part": "Flow"}
    app = clean(open_app(PAGE, text="we had some bread", **given))
    number = next(field for field in app.number_input if field.label == "Output token")
    app = clean(number.set_value(3).run())
    assert app.query_params[number.key] == "3"
    app = clean(app.text_area(key="analyse_text").set_value("some bread we had").run())
    assert number.key not in link(app)
    assert next(field for field in app.number_input if field.label == "Output token").value == 1
