import pytest

from lmcore.data.load import Upload, load_dataset
from lmcore.data.plain import read_plain
from lmcore.errors import DataError


def texts(content):
    return read_plain(content.encode(), "a.txt")["text"].tolist()


def test_lines_are_texts():
    assert texts("first, one\n\n第二行\r\n\nthird \n") == ["first, one", "第二行", "third"]
    assert texts("one\ntwo") == ["one", "two"]


def test_blocks_are_texts_where_blank_lines_set_lines_apart():
    assert texts(" \n = Title = \n \nA paragraph .\nAnother .\n\nThe end\n") == [
        "= Title =",
        "A paragraph .\nAnother .",
        "The end",
    ]


def test_nothing_but_space_is_refused():
    with pytest.raises(DataError, match=r"a\.txt has no text: give a file with at least one line"):
        texts(" \n\t\n")


@pytest.mark.parametrize("task", ["text-generation", "completion"])
def test_a_text_file_is_loaded(task, tmp_path):
    (tmp_path / "notes.txt").write_text("one\ntwo\n", encoding="utf-8")
    assert load_dataset(tmp_path / "notes.txt", task=task).frame["text"].tolist() == ["one", "two"]
    assert load_dataset(Upload("notes.TXT", b"one\ntwo\n"), task=task).frame["text"].tolist() == ["one", "two"]
