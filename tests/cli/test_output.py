"""What is printed: JSON for programs, tables for people."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from lmcore.cli.output import Answer, cell, print_answer, table, to_json
from lmcore.types import Span


def rendered(item, width=80):
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(item)
    return [line for line in captured.get().splitlines() if line.strip()]


def test_json_takes_what_results_hold():
    value = {1: (np.float32(0.5), np.int64(2), math.nan), "path": Path("/a"), "span": Span(0, 2, "x"), "中": np.eye(2)}
    assert json.loads(to_json(value)) == {
        "1": [0.5, 2, None],
        "path": "/a",
        "span": {"start": 0, "end": 2, "label": "x", "score": 1.0},
        "中": [[1.0, 0.0], [0.0, 1.0]],
    }
    assert "中" in to_json(value)


def test_json_can_be_printed_where_a_name_is_no_text():
    assert json.loads(to_json({"file": "caf\udce9.csv"})) == {"file": "caf?.csv"}


def test_json_refuses_what_it_cannot_say():
    with pytest.raises(TypeError, match="object is not a JSON value"):
        to_json({"x": object()})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (None, "–"),
        (math.nan, "–"),
        (7, "7"),
        ("two\nlines\x1b[31m", "two lines[31m"),
        ("x" * 300, "x" * 200),
    ],
)
def test_cells_are_short_single_lines(value, shown):
    assert cell(value) == shown


def test_chinese_columns_line_up():
    lines = rendered(table(("类别", "rows"), [("商品质量", 3), ("物流", 12), ("billing", 100)]))
    assert len({cell_len(line.rstrip()) for line in lines[2:]}) == 1


def test_only_the_long_column_is_cut():
    lines = rendered(table(("row", "label", "text"), [(1, "customer support", "word " * 40)]), width=60)
    assert "customer support" in lines[-1]
    assert lines[-1].rstrip().endswith("…")
    assert all(cell_len(line) <= 60 for line in lines)


def test_brackets_in_a_text_are_no_markup(capsys):
    print_answer(Answer({}, ["[bold]a[/bold]", table(("x",), [("[red]b",)])]), as_json=False)
    printed = capsys.readouterr().out
    assert "[bold]a[/bold]" in printed
    assert "[red]b" in printed


def test_a_sentence_stays_one_line(capsys):
    print_answer(Answer({}, ["word " * 60]), as_json=False)
    assert capsys.readouterr().out.count("\n") == 1


def test_json_is_one_document(capsys):
    print_answer(Answer([1], ["not shown"]), as_json=True)
    assert json.loads(capsys.readouterr().out) == [1]
