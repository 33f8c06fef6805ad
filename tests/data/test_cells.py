import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lmcore.data.cells import cell_text, text_frame


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  as it is ", "  as it is "),
        (1, "1"),
        (np.int8(-3), "-3"),
        (1.0, "1"),
        (2.5, "2.5"),
        (np.float32(0.5), "0.5"),
        (1e300, "1e+300"),
        (float("nan"), ""),
        (True, "true"),
        (np.bool_(False), "false"),
        (None, ""),
        (pd.NA, ""),
        (pd.NaT, ""),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.datetime(2024, 5, 1), "2024-05-01"),
        (datetime.datetime(2024, 5, 1, 9, 30), "2024-05-01T09:30:00"),
        (pd.Timestamp("2024-05-01"), "2024-05-01"),
        (Decimal("1.50"), "1.50"),
        (["甲", 1], '["甲", 1]'),
        (np.array([1, 2]), "[1, 2]"),
        ({"a": None}, '{"a": null}'),
        (b"caf\xc3\xa9", "café"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
    ],
)
def test_cells_as_text(value, text):
    assert cell_text(value) == text


def test_every_column_becomes_text():
    frame = pd.DataFrame(
        {"s": ["a", None], "n": [1, 2], "f": [1.0, None], "b": [True, False], 5: pd.Categorical(["x", "y"])},
        index=[7, 7],
    )
    table = text_frame(frame)
    assert table.columns.tolist() == ["s", "n", "f", "b", "5"]
    assert table.index.tolist() == [0, 1]
    assert table.values.tolist() == [["a", "1", "1", "true", "x"], ["", "2", "", "false", "y"]]
    assert all(isinstance(dtype, pd.StringDtype) for dtype in table.dtypes)


def test_repeated_column_names_are_numbered():
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "a"])
    assert text_frame(frame).columns.tolist() == ["a", "a (2)", "a (3)"]


def test_arrays_inside_a_mapping_stay_lists():
    nested = {"text": np.array(["rome"]), "answer_start": np.array([3]), "when": datetime.date(2020, 1, 2)}
    assert cell_text(nested) == '{"text": ["rome"], "answer_start": [3], "when": "2020-01-02"}'
