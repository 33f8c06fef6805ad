import os
from pathlib import Path

import pandas as pd
import pytest

from lmcore.data.load import Upload, load_dataset, safe_name
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, InputError, OptionError, UnknownError
from lmcore.types import NAME, DatasetRef

TASK = "text-classification"
CSV = b"review,stars,shop\ntoo slow,1,a\nfine,5,b\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "my reviews.csv"
    path.write_bytes(CSV.replace(b"stars", b"label"))
    return path


def test_a_path_an_upload_and_a_frame_give_the_same_rows(path):
    from_path = load_dataset(path, task=TASK)
    sources = [str(path), Upload("folder/my reviews.csv", path.read_bytes()), pd.read_csv(path)]
    for source in sources:
        data = load_dataset(source, task=TASK)
        assert data.fingerprint == from_path.fingerprint
        assert data.ref is None
    assert from_path.frame.columns.tolist() == ["id", "text", "label", "shop"]
    assert from_path.frame["text"].tolist() == ["too slow", "fine"]
    assert (from_path.name, from_path.source) == ("my-reviews", str(path))
    assert load_dataset(sources[1], task=TASK).source == "upload:my reviews.csv"


def test_a_mapping(tmp_path):
    data = load_dataset(Upload("a.csv", CSV), task=TASK, columns={"label": "stars"})
    assert data.frame["label"].tolist() == ["1", "5"]


def test_positions_say_that_there_is_no_header():
    content = b"label\ttext\nyes\tplease\n"
    data = load_dataset(Upload("a.tsv", content), task=TASK, columns={"text": 1, "label": 0})
    assert data.frame["text"].tolist() == ["text", "please"]
    named = load_dataset(Upload("a.tsv", content), task=TASK, columns={"text": 1, "label": 0}, header="yes")
    assert named.frame["text"].tolist() == ["please"]


def test_without_a_label_column_the_file_and_its_columns_are_named():
    with pytest.raises(DataError, match=r"a\.csv has no column that is called label .*it has: review, stars, shop"):
        load_dataset(Upload("a.csv", CSV), task=TASK)


def test_one_row_is_loaded():
    assert len(load_dataset(Upload("a.csv", b"text,label\nonly,one\n"), task=TASK)) == 1


@pytest.mark.parametrize("frame", [pd.DataFrame({"text": [], "label": []}), pd.DataFrame()])
def test_no_rows_are_refused(frame):
    with pytest.raises(DataError, match="the frame has no rows"):
        load_dataset(frame, task=TASK)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"])
def test_chinese_encodings(encoding):
    content = "评论,标签\n很慢，等了三天,差评\n不错,好评\n".encode(encoding)
    data = load_dataset(Upload("评论.csv", content), task=TASK)
    assert data.frame[["text", "label"]].values.tolist() == [["很慢，等了三天", "差评"], ["不错", "好评"]]
    assert NAME.fullmatch(data.name)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("reviews", "reviews"),
        ("my reviews (final)", "my-reviews-final"),
        ("waimai_外卖", "waimai"),
        ("外卖2024", "2024"),
        ("..hidden", "hidden"),
        ("a" * 100, "a" * 64),
    ],
)
def test_names_from_titles(title, name):
    assert safe_name(title) == name


def test_chinese_titles_give_different_usable_names():
    names = {safe_name(title) for title in ("外卖评论", "客户反馈", "", "。。。")}
    assert len(names) == 4
    assert all(NAME.fullmatch(name) for name in names)


def test_a_given_name_must_be_usable():
    assert load_dataset("sample:feedback-en", task=TASK, name="mine").name == "mine"
    with pytest.raises(InputError, match="is not a usable name"):
        load_dataset("sample:feedback-en", task=TASK, name="../mine")


def test_unknown_task_and_sample():
    with pytest.raises(UnknownError, match="no task 'singing'"):
        load_dataset("sample:feedback-en", task="singing")
    with pytest.raises(UnknownError, match=r"no sample 'none'; known: .*feedback-en, feedback-zh"):
        load_dataset("sample:none", task=TASK)


def test_a_stored_data_set_and_its_part(workspace, topics):
    stored = DatasetStore(workspace).save(topics)
    data = load_dataset("topics@1", task=TASK, workspace=workspace)
    assert (data.ref, data.fingerprint) == (stored.ref, stored.fingerprint)
    part = load_dataset(DatasetRef("topics", 1, "dev"), task=TASK, workspace=workspace)
    assert set(part.frame["split"]) == {"dev"}


def test_a_stored_data_set_needs_a_workspace_and_its_task(workspace, topics, monkeypatch):
    DatasetStore(workspace).save(topics)
    with pytest.raises(OptionError, match="say in which workspace"):
        load_dataset("topics@1", task=TASK)
    monkeypatch.setattr("lmcore.data.load.load_task", lambda name: None)
    with pytest.raises(DataError, match="was stored for the task text-classification, not other"):
        load_dataset("topics@1", task="other", workspace=workspace)


def test_a_path_that_is_not_there():
    for source in ("no/such/file.csv", Path("none.csv"), ""):
        with pytest.raises(DataError, match="There is no file"):
            load_dataset(source, task=TASK)


def test_a_home_that_is_not_there_and_no_source_at_all():
    with pytest.raises(DataError, match=r"There is no file '~nosuchuser/reviews\.csv'"):
        load_dataset("~nosuchuser/reviews.csv", task=TASK)
    with pytest.raises(DataError, match="There is no file '': give a file, sample:NAME"):
        load_dataset("", task=TASK)


def test_a_file_name_in_another_encoding_can_be_stored(tmp_path, workspace):
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    path.write_text("text,label\na b,x\nc d,y\n")
    stored = DatasetStore(workspace).save(load_dataset(path, task=TASK))
    assert DatasetStore(workspace).load(stored.ref).source.endswith("caf\ufffd.csv")


def test_a_text_of_a_hundred_thousand_characters_is_split_and_stored(workspace, topic_frame):
    long = "很长 long, " * 12_500
    frame = topic_frame.assign(text=[long, *topic_frame["text"][1:]])
    upload = Upload("long.csv", frame.drop(columns="id").to_csv(index=False).encode())
    data = load_dataset(upload, task=TASK)
    stored = DatasetStore(workspace).save(split_dataset(data))
    assert DatasetStore(workspace).load(str(stored.ref)).frame["text"][0] == long
