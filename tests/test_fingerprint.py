import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lmcore.fingerprint import fingerprint, fingerprint_array, fingerprint_file, fingerprint_frame


def test_equal_parts_give_equal_digits_in_every_process():
    parts = ["é中", 1, 1.5, None, True, {"b": [1], "a": {}}]
    script = f"from lmcore.fingerprint import fingerprint; print(fingerprint(*{parts!r}))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert out == fingerprint(*parts)
    assert len(out) == 16
    assert int(out, 16) >= 0


def test_the_order_of_keys_does_not_count():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((1,), ("1",)),
        ((1,), (1.5,)),
        (([],), (None,)),
        (("a",), ("a", "a")),
        ((b"1",), (1, 1)),
    ],
)
def test_what_differs_has_other_digits(one, other):
    assert fingerprint(*one) != fingerprint(*other)


def test_a_frame_counts_every_cell_name_and_row_order():
    frame = pd.DataFrame({"text": ["a", "b", None], "n": [1, 2, 3]})
    same = fingerprint_frame(frame)
    assert fingerprint_frame(frame.copy()) == same
    assert fingerprint_frame(frame.set_axis([5, 6, 7])) == same, "the index is no content"
    changed = frame.copy()
    changed.loc[2, "text"] = ""
    for other in (changed, frame.iloc[::-1], frame[["n", "text"]], frame.rename(columns={"n": "m"}), frame.head(2)):
        assert fingerprint_frame(other) != same


def test_an_array_counts_shape_type_and_values():
    array = np.arange(6, dtype=np.float32)
    same = fingerprint_array(array)
    assert fingerprint_array(array[::1].copy()) == same
    for other in (array.reshape(2, 3), array.astype(np.float64), array + 1):
        assert fingerprint_array(other) != same
    grid = array.reshape(2, 3)
    assert fingerprint_array(np.asfortranarray(grid)) == fingerprint_array(grid)


def test_a_file_counts_its_content_alone(tmp_path):
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"x" * (3 << 19))
    other.write_bytes(b"x" * (3 << 19))
    assert fingerprint_file(one) == fingerprint_file(other)
    other.write_bytes(b"x" * ((3 << 19) - 1) + b"y")
    assert fingerprint_file(one) != fingerprint_file(other)
