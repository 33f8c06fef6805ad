import io

import pandas as pd
import pytest

from lmcore.data.parquet import read_parquet
from lmcore.errors import DataError
from lmcore.settings import MIB


def packed(frame):
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def test_every_type_becomes_text():
    frame = pd.DataFrame(
        {
            "text": ["很好", None],
            "label": [1, 0],
            "score": [0.5, None],
            "tags": [["a", "b"], []],
            "seen": pd.to_datetime(["2024-05-01", None]),
            "kind": pd.Categorical(["x", "y"]),
        }
    )
    table = read_parquet(packed(frame), "a.parquet", MIB)
    assert table.values.tolist() == [
        ["很好", "1", "0.5", '["a", "b"]', "2024-05-01", "x"],
        ["", "0", "", "[]", "", "y"],
    ]


def test_rows_of_several_batches_are_in_order():
    frame = pd.DataFrame({"text": [f"row {n}" for n in range(10_000)]})
    table = read_parquet(packed(frame), "a.parquet", MIB)
    assert table["text"].tolist() == frame["text"].tolist()
    assert table.index.tolist() == list(range(10_000))


@pytest.mark.parametrize("content", [b"PAR1 is not enough PAR1", b"text,label\n", b"PAR1"])
def test_what_is_not_parquet_is_refused(content):
    with pytest.raises(DataError, match=r"a\.parquet is not a Parquet file or is damaged"):
        read_parquet(content, "a.parquet", MIB)


def test_a_damaged_file_is_refused():
    content = bytearray(packed(pd.DataFrame({"text": [f"row {n}" for n in range(1000)]})))
    content[10:200] = bytes(190)
    with pytest.raises(DataError, match="is damaged"):
        read_parquet(bytes(content), "a.parquet", MIB)


@pytest.mark.parametrize("frame", [pd.DataFrame({"text": []}), pd.DataFrame()])
def test_no_rows_are_refused(frame):
    with pytest.raises(DataError, match=r"a\.parquet has no rows"):
        read_parquet(packed(frame), "a.parquet", MIB)


def test_a_small_file_that_unpacks_to_much_is_refused():
    content = packed(pd.DataFrame({"text": ["x" * 1000] * 20_000}))
    assert len(content) < MIB / 4
    with pytest.raises(DataError, match="MB or more once unpacked and the limit is 4 MB"):
        read_parquet(content, "a.parquet", 4 * MIB)
