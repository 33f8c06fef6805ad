import csv
import io
import random

import pytest

from lmcore.data.delimited import read_delimited
from lmcore.errors import DataError


def read(text, **options):
    content = text if isinstance(text, bytes) else text.encode()
    return read_delimited(content, "a.csv", **options)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter, ending):
    rows = [["text", "label"], ["one; two, three | four", "a"], ['say "hi"', "b"], ["", "c"]]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=ending).writerows(rows)
    table = read(buffer.getvalue())
    assert table.columns.tolist() == rows[0]
    assert table.values.tolist() == rows[1:]


@pytest.mark.parametrize("seed", range(10))
def test_what_a_csv_writer_wrote_is_read_back(seed):
    rng = random.Random(seed)
    pieces = ["a", "bc", " ", ",", ";", '"', "\n", "\r\n", "好", "é", "'", "|"]
    rows = [["".join(rng.choices(pieces, k=rng.randrange(1, 12))) + "x" for _ in range(3)] for _ in range(200)]
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["first", "second", "third"], *rows])
    assert read(buffer.getvalue()).values.tolist() == rows


def test_blank_lines_and_a_missing_last_line_end_do_not_matter():
    table = read("text,label\n\na,x\n   \nb,y")
    assert table.values.tolist() == [["a", "x"], ["b", "y"]]


def test_literal_quotes_swallow_no_line():
    lines = ['"never again , he said\t0', "fine film\t1", '"great" stuff\t1', 'a 6" sub\t0', "the end\t1"]
    table = read("\n".join(lines), tabs=True)
    assert table.values.tolist() == [line.split("\t") for line in lines]


def test_two_literal_quotes_that_would_pair_up_swallow_no_line():
    lines = ["zero\t1", '"one\t0', "two\t1", 'three"\t1', "four\t1"]
    table = read("\n".join(lines), tabs=True)
    assert table.values.tolist() == [line.split("\t") for line in lines]


def test_a_literal_quote_in_the_middle_of_a_large_file():
    lines = [f"row {n}\t{n % 2}" for n in range(3000)]
    lines[2000] = '"' + lines[2000]
    table = read("\n".join(lines), tabs=True)
    assert len(table) == 3000
    assert table["column 1"][2000] == '"row 2000'


def test_quoted_fields_keep_their_line_ends():
    table = read('text,label\n"line one\nline two, still",a\nshort,b\n')
    assert table["text"].tolist() == ["line one\nline two, still", "short"]


def test_quotes_that_enclose_whole_fields_are_taken_away():
    assert read('"text","label"\n"a","x"\n"b","y"\n').values.tolist() == [["a", "x"], ["b", "y"]]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("text,label\na,x\nb,y,z\n", 3, "3 fields"),
        ("text,label\na,x\nb\nc,y\n", 3, "1 field "),
        ('text,label\n"a\nb",x\n\nhello, world,y\n', 5, "3 fields"),
    ],
)
def test_a_ragged_line_is_named(text, line, found):
    with pytest.raises(DataError, match=rf"Line {line} of a\.csv has {found}.*where the first row has 2"):
        read(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [('text,label\n"a, b",x\n"say "hi", then",y\n', 3), ('text,label\n"a, b",x\n"never ends,y\nc,z\n', 3)],
)
def test_a_broken_quote_is_named(text, line):
    with pytest.raises(DataError, match=rf"Line {line} of a\.csv has a double quote"):
        read(text)


def test_a_text_of_a_hundred_thousand_characters():
    long = "词语 word, " * 10_000
    table = read(f'text,label\n"{long}",a\nshort,b\n')
    assert table["text"][0] == long


def test_a_semicolon_file_with_commas_in_most_texts():
    table = read("review;class\nslow, late, cold;neg\nwarm, nice;pos\nfine;pos\n", known={"review"})
    assert table.columns.tolist() == ["review", "class"]
    assert table["class"].tolist() == ["neg", "pos", "pos"]


def test_a_tsv_that_holds_commas_falls_back_to_them():
    assert read("text,label\na,x\n", tabs=True).columns.tolist() == ["text", "label"]


def test_one_column_is_one_column():
    assert read("text\nfirst line\nsecond line\n").values.tolist() == [["first line"], ["second line"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "gb18030"])
def test_encodings(encoding):
    table = read('文本,标签\n"等了三天，才到",差评\n东西不错,好评\n'.encode(encoding))
    assert table.columns.tolist() == ["文本", "标签"]
    assert table.values.tolist() == [["等了三天，才到", "差评"], ["东西不错", "好评"]]


def test_unusual_line_separators_stay_inside_a_text():
    assert read("text,label\na\u2028b\x0bc\x85d,x\n")["text"][0] == "a\u2028b\x0bc\x85d"


def test_a_field_beyond_all_measure_is_named_by_its_line(monkeypatch):
    monkeypatch.setattr("lmcore.data.delimited.LONGEST_FIELD", 1000)
    before = csv.field_size_limit(1000)
    try:
        with pytest.raises(DataError, match=r"Line 3 of a\.csv has a field of more than 1,000 characters"):
            read("text,label\nshort,a\n" + "x" * 5000 + ",b\n")
    finally:
        csv.field_size_limit(before)
