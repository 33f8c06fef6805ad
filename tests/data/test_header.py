import pytest

from lmcore.data.header import looks_like_header, name_columns
from lmcore.errors import DataError, OptionError


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["text", "label"], ["too slow", "neg"]], True),
        ([["文本", "标签"], ["很好", "好评"]], True),
        ([["id", "comment"], ["1", "fine"]], True),
        ([["", "words", "kind"], ["0", "fine", "pos"]], True),
        ([["a stirring , funny film", "1"], ["apparently reassembled", "0"]], False),
        ([["1", "很快，好吃"], ["0", "难吃"]], False),
        ([["it works.", "pos"], ["it does not.", "neg"]], False),
        ([["good", "pos"], ["bad", "neg"], ["fine", "pos"]], False),
        ([["same", "same"], ["x", "y"]], False),
        ([["a text of more than forty characters is no name", "label"], ["x", "y"]], False),
    ],
)
def test_guess(rows, expected):
    assert looks_like_header(rows) is expected


def test_a_known_name_outweighs_other_signs():
    rows = [["1", "Review"], ["2", "fine"]]
    assert not looks_like_header(rows)
    assert looks_like_header(rows, {"review"})


def test_names():
    rows = [[" text ", "", "text"], ["a", "b", "c"]]
    assert name_columns(rows, "a.csv", header="yes") == (["text", "column 2", "text (2)"], 1)
    assert name_columns(rows, "a.csv", header="no") == (["column 1", "column 2", "column 3"], 0)


def test_no_rows_and_a_lone_header_are_refused():
    with pytest.raises(DataError, match=r"a\.csv is empty"):
        name_columns([], "a.csv")
    for header in ("auto", "yes"):
        with pytest.raises(DataError, match=r"a\.csv has a header and no rows"):
            name_columns([["text", "label"]], "a.csv", header=header)
    assert name_columns([["text", "label"]], "a.csv", header="no")[1] == 0


def test_an_unknown_choice_is_refused():
    with pytest.raises(OptionError, match="one of auto, yes, no"):
        name_columns([["a"]], "a.csv", header="maybe")
