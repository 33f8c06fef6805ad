import pytest

from lmcore.analysis.counterfactual.edit import Edit, edited, fit_together, marked_words, moved, words_changed

TEXT = "the film was good"


def edit(start, end, after, column="", kind="deletion", text=TEXT):
    return Edit(column, start, end, text[start:end], after, kind)


def test_edits_are_made_at_the_places_of_the_unchanged_text():
    assert edited(TEXT, [edit(13, 17, "bad"), edit(0, 3, "a")]) == "a film was bad"
    assert edited({"text": TEXT, "text_pair": "x"}, [edit(0, 4, "", "text")]) == {
        "text": "film was good",
        "text_pair": "x",
    }
    assert edited(TEXT, []) == TEXT


def test_neighbouring_words_can_both_go_and_share_one_space():
    both = [edit(0, 4, ""), edit(3, 8, "")]
    assert fit_together(TEXT, both)
    assert edited(TEXT, both) == " was good"


@pytest.mark.parametrize(
    ("one", "two", "fits"),
    [
        ((0, 3, "a"), (4, 8, "book"), True),
        ((0, 8, "it"), (4, 8, "book"), False),
        ((4, 4, "new "), (4, 4, "old "), False),
        ((3, 8, ""), (4, 8, "book"), False),
    ],
)
def test_two_edits_of_the_same_characters_do_not_fit(one, two, fits):
    assert fit_together(TEXT, [edit(*one), edit(*two)]) is fits


def test_edits_of_different_columns_always_fit():
    assert fit_together({"a": TEXT, "b": TEXT}, [edit(0, 3, "x", "a"), edit(0, 3, "y", "b")])


@pytest.mark.parametrize(
    ("edits", "place"),
    [
        ([(0, 4, "")], (0, 4)),  # a word before it goes
        ([(0, 3, "some")], (5, 9)),
        ([(4, 8, "picture")], (4, 11)),
        ([(3, 8, "")], (3, 3)),  # the word itself goes
        ([(8, 12, "")], (4, 8)),  # one behind it
        ([(4, 4, "new ")], (8, 12)),
        ([(8, 8, " here")], (4, 8)),
        ([(0, 17, "THE FILM WAS GOOD")], (0, 17)),
        ([(5, 7, "LI")], (4, 8)),
        ([(0, 4, ""), (5, 7, "")], (0, 2)),
    ],
)
def test_a_stretch_moves_with_the_edits(edits, place):
    found = moved([edit(*item) for item in edits], 4, 8)
    assert found == place


def test_a_moved_stretch_has_the_same_words_wherever_the_edits_are():
    text = "张伟昨天去了北京大学"
    edits = [edit(2, 4, "", text=text), edit(0, 2, "欧阳小明", text=text)]
    start, end = moved(edits, 6, 10)
    assert edited(text, edits)[start:end] == "北京大学"


def test_words_are_counted_once_and_insertions_as_one():
    assert words_changed(TEXT, [edit(4, 8, "book")]) == 1
    assert words_changed(TEXT, [edit(4, 6, "FI"), edit(6, 8, "LM")]) == 1
    assert words_changed(TEXT, [edit(12, 12, " not")]) == 1
    assert words_changed(TEXT, [edit(0, 17, "THE FILM WAS GOOD")]) == 4
    assert words_changed(TEXT, [edit(0, 17, "The film was good")]) == 1
    assert words_changed("服务员态度不好", [Edit("", 5, 7, "不好", "很好", "negation")]) == 1


def test_an_edit_says_what_it_did():
    assert edit(4, 8, "book").said() == "'film' → 'book'"
    assert edit(3, 8, "").said() == "without 'film'"
    assert edit(12, 12, " not").said() == "with 'not' put in"
    assert len(Edit("", 0, 900, "x" * 900, "X" * 900, "letter_case").said()) < 140


def test_marked_stretches_give_back_both_texts():
    edits = [edit(4, 8, "book"), edit(12, 17, "")]
    stretches = marked_words(TEXT, edits)[""]
    assert "".join(piece for kind, piece in stretches if kind != "new") == TEXT
    assert "".join(piece for kind, piece in stretches if kind != "gone") == edited(TEXT, edits)
    assert [kind for kind, _ in stretches] == ["same", "gone", "new", "same", "gone"]
