import json

import pytest

from lmcore.data.records import read_json, read_json_lines
from lmcore.errors import DataError


def lines(*rows):
    return "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows).encode()


def test_lines_with_different_keys_and_types():
    content = lines({"text": "很好", "label": 1}, "", {"label": 2.0, "ok": True}, {"text": None, "tags": ["a"]})
    table = read_json_lines(content, "a.jsonl")
    assert table.columns.tolist() == ["text", "label", "ok", "tags"]
    assert table.values.tolist() == [["很好", "1", "", ""], ["", "2", "true", ""], ["", "", "", '["a"]']]


def test_an_array_of_objects_and_lines_under_the_same_ending():
    rows = [{"text": "a\nb", "label": "x"}, {"text": "c", "label": "y"}]
    for content in (json.dumps(rows, indent=2).encode(), b"\xef\xbb\xbf" + json.dumps(rows).encode(), lines(*rows)):
        assert read_json(content, "a.json").to_dict("records") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines({"text": "a"}, '{"text": "b"'), r"^Line 2 of a\.jsonl is not valid JSON"),
        (lines({"text": "a"}, '{"text":', {"text": "c"}), r"^Line 2 of a\.jsonl is not valid JSON"),
        (lines({"text": "a"}, "", "[1]"), r"^Line 3 of a\.jsonl is not a JSON object"),
        (lines("nonsense"), r"Line 1 of a\.jsonl is not valid JSON"),
        (b"\n \n", r"a\.jsonl is empty"),
        (lines("[" * 100_000), "too deep"),
        (lines('{"n": ' + "9" * 5000 + "}"), "a number too long"),
    ],
)
def test_broken_lines_are_named(content, message):
    with pytest.raises(DataError, match=message):
        read_json_lines(content, "a.jsonl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"text": "a"},\n {"text" "b"}]', r"a\.json, line 2 is not valid JSON"),
        (b'[{"text": "a"}, 3]', r"^Element 2 of a\.json is not a JSON object"),
        (b"[]", r"a\.json is empty"),
    ],
)
def test_broken_arrays(content, message):
    with pytest.raises(DataError, match=message):
        read_json(content, "a.json")


def test_half_a_surrogate_pair_is_replaced():
    assert read_json_lines(b'{"text": "cut \\ud83d"}', "a.jsonl")["text"][0] == "cut \ufffd"
