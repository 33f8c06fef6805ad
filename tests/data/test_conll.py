import pytest

from lmcore.data.conll import read_conll
from lmcore.data.load import Upload, load_dataset
from lmcore.errors import DataError


def rows(text):
    return read_conll(text.encode(), "a.conll").to_numpy().tolist()


def test_tabs_spaces_further_columns_and_both_line_ends():
    assert rows("EU\tB-org\r\nrejects\tO\r\n\r\nPeter NNP B-NP B-per\nBlackburn NNP I-NP I-per\n") == [
        ["EU rejects", "B-org O"],
        ["Peter Blackburn", "B-per I-per"],
    ]


def test_blank_lines_of_any_kind_and_document_starts_part_sentences_or_are_passed_over():
    text = "\n-DOCSTART- -X- O O\n\na O\n\t\n \nb O\n\n\n\nc O"
    assert rows(text) == [["a", "O"], ["b", "O"], ["c", "O"]]


def test_comments_are_passed_over_and_hash_signs_that_are_words_are_not():
    assert rows("# id 4 domain=train\n#\n# sent = x\n#fun\tO\n# O\n#1 B-x\n") == [["#fun # #1", "O O B-x"]]


def test_a_space_inside_a_word_stays_inside_it():
    assert rows("New York\tB-place\nnow\tO\n") == [["New\u00a0York now", "B-place O"]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a O\nb\n", r"Line 2 of a\.conll has not both a word and a tag"),
        ("a\tO\n\tO\n", r"Line 2 of a\.conll has not both"),
        ("a\tO\nb\t\n", r"Line 2 of a\.conll has not both"),
        ("\n\n", r"a\.conll has no sentence"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text, sentence):
    with pytest.raises(DataError, match=sentence):
        rows(text)


@pytest.mark.parametrize("name", ["a.conll", "b.BIO", "c.iob"])
def test_a_file_becomes_a_data_set_with_iob1_read_as_bio(name):
    content = "Ann I-per\nBo B-per\nin O\nNew I-loc\nYork I-loc\n"
    data = load_dataset(Upload(name, content.encode()), task="named-entity-recognition")
    assert data.frame[["text", "tags"]].to_numpy().tolist() == [["Ann Bo in New York", "B-per B-per O B-loc I-loc"]]


def test_a_tag_of_no_scheme_is_refused_by_row():
    content = b"a O\n\nb PER\n"
    with pytest.raises(DataError, match=r"Row 2 of x\.conll has the tag 'PER', which is of no known scheme"):
        load_dataset(Upload("x.conll", content), task="named-entity-recognition")
