import datetime
import io
import zipfile

import openpyxl
import pytest

from lmcore.data.workbook import read_workbook
from lmcore.errors import DataError
from lmcore.settings import MIB


def packed(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    second = book.create_sheet("second")
    second.append(["not", "this"])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read(content, most=8 * MIB, **options):
    return read_workbook(content, "a.xlsx", most, **options)


def test_the_first_sheet_as_text():
    table = read(
        packed(["text", "label", "when"], ["很好", 1, datetime.date(2024, 5, 1)], [], ["bad", 0.5, None], [None, True])
    )
    assert table.columns.tolist() == ["text", "label", "when"]
    assert table.values.tolist() == [["很好", "1", "2024-05-01"], ["bad", "0.5", ""], ["", "true", ""]]


def test_no_header():
    table = read(packed(["good stuff", 1], ["bad stuff", 0]))
    assert table.columns.tolist() == ["column 1", "column 2"]
    assert len(table) == 2


def test_empty_and_header_alone_are_refused():
    with pytest.raises(DataError, match=r"a\.xlsx is empty"):
        read(packed())
    with pytest.raises(DataError, match=r"a\.xlsx has a header and no rows"):
        read(packed(["text", "label"]))


def other_archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return buffer.getvalue()


def damaged_sheet():
    source = packed(["text", "label"], ["a", "b"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(buffer, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            new.writestr(part, content[: len(content) // 2] if part == "xl/worksheets/sheet1.xml" else content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"text,label\na,b\n", other_archive(), packed(["a"], ["b"])[:-200], damaged_sheet(), b"\xd0\xcf\x11\xe0" * 9],
    ids=["text", "other archive", "cut off", "damaged sheet", "old format"],
)
def test_what_is_not_a_workbook_is_refused(content):
    with pytest.raises(DataError, match=r"a\.xlsx is not an XLSX workbook or is damaged"):
        read(content)


def test_a_small_file_that_unpacks_to_much_is_refused():
    source = packed(["text", "label"], ["a", "b"])
    buffer = io.BytesIO(source)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.bin", bytes(20 * MIB))
    assert len(buffer.getvalue()) < MIB
    with pytest.raises(DataError, match="takes 20 MB once unpacked and the limit is 8 MB"):
        read(buffer.getvalue())


def test_cells_far_out_are_counted_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr("lmcore.data.workbook.MOST_CELLS", 100_000)
    book = openpyxl.Workbook()
    book.active["XFD200"] = "far out"
    buffer = io.BytesIO()
    book.save(buffer)
    with pytest.raises(DataError, match="more than 100,000 cells"):
        read(buffer.getvalue())
