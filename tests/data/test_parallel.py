"""Text files with a text and its counterpart on each line."""

import pytest

from lmcore.data.load import Upload, load_dataset
from lmcore.data.parallel import read_parallel
from lmcore.errors import DataError


def test_bars_and_tabs_part_the_two():
    for content in ("a b ||| x y\n\n c|||z \n", "a b\tx y\r\n\r\nc\tz"):
        assert read_parallel(content.encode(), "p.txt").values.tolist() == [["a b", "x y"], ["c", "z"]]
    assert read_parallel("很 ||| a\tb\n".encode("utf-16"), "p.txt").values.tolist() == [["很", "a\tb"]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a ||| b\n\nc\n", r"Line 3 of p\.txt has 1 part where a source and a target are wanted: put \|\|\|"),
        ("a\tb\tc\n", r"Line 1 of p\.txt has 3 parts"),
        ("\n \n", r"p\.txt has no pairs of texts"),
    ],
)
def test_a_line_that_is_no_pair_is_named(content, sentence):
    with pytest.raises(DataError, match=sentence):
        read_parallel(content.encode(), "p.txt")


@pytest.mark.parametrize(
    ("task", "names"),
    [("translation", ["source", "target"]), ("style-transfer", ["source", "target"]),
     ("summarisation", ["document", "summary"])],
)  # fmt: skip
def test_a_task_takes_such_a_file(task, names, tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("hello ||| hallo\nbye ||| tschüss\n", encoding="utf-8")
    for source in (path, Upload("pairs.txt", path.read_bytes())):
        data = load_dataset(source, task=task)
        assert data.frame[names].values.tolist() == [["hello", "hallo"], ["bye", "tschüss"]]


def test_a_task_of_another_kind_refuses_it():
    with pytest.raises(DataError, match=r"notes\.txt is plain text, in which this task has no columns: give a \.csv"):
        load_dataset(Upload("notes.txt", b"a\nb\n"), task="text-classification")
