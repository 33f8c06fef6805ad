import os

import pandas as pd
import pytest

from lmcore.data.read import CONLL, SUFFIXES, base_name, read_table
from lmcore.errors import DataError
from lmcore.settings import MIB

ROWS = [["很慢", "neg"], ["fine", "pos"]]


def write(path):
    frame = pd.DataFrame(ROWS, columns=["text", "label"])
    if path.suffix in {".csv", ".tsv"}:
        frame.to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)
    elif path.suffix in {".json", ".jsonl"}:
        frame.to_json(path, orient="records", lines=path.suffix == ".jsonl")
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_excel(path, index=False)


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in CONLL])
def test_every_format_by_path_and_by_bytes(tmp_path, suffix):
    path = tmp_path / f"reviews{suffix}"
    write(path)
    table = read_table(path)
    assert table.columns.tolist() == ["text", "label"]
    assert table.values.tolist() == ROWS
    assert all(isinstance(dtype, pd.StringDtype) for dtype in table.dtypes)
    pd.testing.assert_frame_equal(read_table(path.read_bytes(), name=f"REVIEWS{suffix.upper()}"), table)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_refuses_what_has_no_content(suffix):
    with pytest.raises(DataError, match=f"reviews{suffix} is empty"):
        read_table(b"", name=f"reviews{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_refuses_an_executable(suffix):
    with pytest.raises(DataError, match=f"reviews{suffix} is "):
        read_table(b"\x7fELF\x02\x01\x01" + bytes(2000), name=f"reviews{suffix}")


@pytest.mark.parametrize("name", ["reviews.docx", "reviews", ".csv", "reviews.csv.gz", ""])
def test_an_unknown_ending_lists_the_known_ones(name):
    with pytest.raises(DataError, match=r"unknown ending: .*\.csv, \.tsv, \.jsonl, \.json, \.parquet, \.xlsx"):
        read_table(b"a,b\n", name=name)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match=r"There is no file .*give the path"):
            read_table(path)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\)"):
        read_table(tmp_path / f"{'x' * 300}.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    path.chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(path)


def test_the_size_is_checked_before_anything_is_read(tmp_path, monkeypatch):
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.truncate(3 * MIB)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(DataError, match=r"big\.csv has 3\.0 MB and the limit is 2\.0 MB"):
        read_table(path, limit_bytes=2 * MIB)
    with pytest.raises(DataError, match=r"big\.csv has 3\.0 MB and the limit is 2\.0 MB"):
        read_table(bytes(3 * MIB), name="big.csv", limit_bytes=2 * MIB)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text,label\nfine,x\nno\0pe,y\n"),
        ("a.jsonl", b'{"text": "fine"}\n{"text": "no\\u0000pe"}\n'),
        ("a.csv", "text,label\nfine,x\nno\0pe,y\n".encode("utf-16")),
    ],
)
def test_a_nul_byte_is_named_by_row_and_column(name, content):
    with pytest.raises(DataError, match=rf"Row 2 of {name} has a NUL byte in the column 'text'"):
        read_table(content, name=name)


def test_a_nul_byte_in_a_column_name():
    with pytest.raises(DataError, match="NUL byte in the name of a column"):
        read_table(b'{"te\\u0000xt": "fine"}\n', name="a.jsonl")


@pytest.mark.parametrize("name", ["a.csv", "../../a.csv", "C:\\data\\a.csv", "/etc/a.csv"])
def test_a_name_is_only_a_name(name):
    assert base_name(name) == "a.csv"
    assert read_table(b"text,label\nx,y\n", name=name).shape == (1, 2)
