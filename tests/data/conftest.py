"""A small data set with one of each defect."""

import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset

TASK = "text-classification"


@pytest.fixture
def make_data():
    """Return a function that makes a data set from (text, label) pairs."""

    def make(*rows, name="small"):
        frame = pd.DataFrame(rows, columns=["text", "label"], dtype="str")
        frame.insert(0, "id", range(len(frame)))
        return TextDataset(name, TASK, frame.astype({"id": "int64"}), source="test")

    return make


@pytest.fixture
def defective(make_data):
    """Ten rows whose defects are in the comments."""
    return make_data(
        ("the parcel came late", "delivery"),  # 0
        ("The  parcel came LATE ", "delivery"),  # 1 duplicate of 0
        ("", "delivery"),  # 2 empty
        (" \u3000\u200b", "billing"),  # 3 empty
        ("no label here", ""),  # 4 unlabelled
        ("which is it", "delivery"),  # 5 conflict
        ("Which is it", "billing"),  # 6 conflict
        ("the cafÃ© bill", "billing"),  # 7 mojibake
        ("很好，真的！“是的”", "billing"),  # 8 sound
        ("which is it", "billing"),  # 9 conflict, and duplicate of 6
    )
