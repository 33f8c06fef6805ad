import pandas as pd
import pytest

from lmcore.data.dataset import TextDataset
from lmcore.data.label_table import queue_table, read_label_table
from lmcore.data.load import load_dataset
from lmcore.errors import DataError


@pytest.fixture
def texts():
    frame = pd.DataFrame({"id": [0, 1, 2], "text": ["a", "b", "c"], "label": ["", "x", ""]})
    return TextDataset("texts", "text-classification", frame)


def test_a_queue_is_a_table_in_its_order(texts):
    table = queue_table(texts, [2, 0], {2: 0.75, 0: 0.5})
    assert table.to_dict("list") == {"row": [3, 1], "text": ["c", "a"], "label": ["", ""], "doubt": [0.75, 0.5]}
    assert list(queue_table(texts, [])) == ["row", "text", "label"]


def test_filled_rows_are_read_and_empty_ones_passed_over(texts):
    table = queue_table(texts, [2, 0]).astype(str)
    table["label"] = ["tea", " "]
    assert read_label_table(texts, table, "queue.csv") == {2: {"label": "tea"}}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"row": ["1"]}, "queue.csv has no column 'label': give row"),
        ({"row": ["4"], "label": ["x"]}, "has row 4, which 'texts' has not"),
        ({"row": ["0"], "label": ["x"]}, "has the row '0': give its number, from 1"),
        ({"row": ["1", "1"], "label": ["x", "y"]}, "has row 1 twice"),
        ({"row": ["1"], "label": [""]}, "has no row with a label: fill label"),
    ],
)
def test_what_cannot_be_read_is_refused(texts, table, said):
    with pytest.raises(DataError, match=said):
        read_label_table(texts, pd.DataFrame(table), "queue.csv")


def test_an_unlabelled_file_is_brought_in_to_be_labelled(tmp_path):
    file = tmp_path / "texts.csv"
    file.write_text("text,channel\nIt rained.,mail\n下雨了。,app\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no column that is called label"):
        load_dataset(file, task="text-classification")
    data = load_dataset(file, task="text-classification", unlabelled=True)
    assert data.frame["label"].tolist() == ["", ""]
    assert data.frame["channel"].tolist() == ["mail", "app"]
    names = load_dataset(file, task="named-entity-recognition", unlabelled=True)
    assert names.frame["text"].tolist() == ["It rained .", "下 雨 了 。"], "cut as when a model is asked"
    assert names.frame["tags"].tolist() == ["", ""]
