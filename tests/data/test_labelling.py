import pandas as pd
import pytest

from lmcore.access import Actor, Role
from lmcore.audit import AuditLog
from lmcore.data.dataset import TextDataset
from lmcore.data.label_store import GivenLabel
from lmcore.data.labelling import LABELLED_BY, keep_labels, label_progress, label_queue, queue_rows, store_labels
from lmcore.data.store import DatasetStore
from lmcore.errors import AccessError, DataError, OptionError
from lmcore.settings import Workspace
from lmcore.tasks import load_task


def given(row, author, label):
    return GivenLabel(row, author, None if label is None else {"label": label}, float(row))


@pytest.fixture
def texts():
    frame = pd.DataFrame(
        {
            "id": [10, 11, 12, 13, 14],
            "text": ["tea and rain", "a cup", "a cloud", "茶", "雨"],
            "label": ["tea", "", "rain", "", " "],
            "split": ["train", "train", "test", "test", "train"],
        }
    )
    return TextDataset("texts", "text-classification", frame)


def test_the_queue_is_about_rows_without_a_label_or_all_in_a_split(texts):
    assert queue_rows(texts) == [11, 13, 14]
    assert queue_rows(texts, rows="all") == [10, 11, 12, 13, 14]
    assert queue_rows(texts, split="test") == [13]
    with pytest.raises(OptionError, match="give unlabelled or all"):
        queue_rows(texts, rows="some")
    twice = TextDataset("twice", texts.task, pd.concat([texts.frame, texts.frame]))
    with pytest.raises(DataError, match="has an id twice"):
        queue_rows(twice)


def test_who_is_asked_what(texts):
    wanted = queue_rows(texts, rows="all")
    labels = [given(10, "ann", "tea"), given(11, "ann", None), given(12, "bo", "rain")]
    assert label_queue(wanted, labels, "ann") == [13, 14]
    assert label_queue(wanted, labels, "bo") == [11, 13, 14], "what others skip is still asked"
    assert label_queue(wanted, labels, "bo", again=True) == [10, 11, 13, 14]
    assert label_queue(wanted, labels, "ann", order=[14, 99, 13]) == [14, 13]
    assert label_queue(wanted, [], "ann", order=[12], taken={12, 13}) == [10, 11, 14]


def test_progress_counts_rows_authors_and_agreement(texts):
    labels = [given(11, "ann", "tea"), given(11, "bo", "tea"), given(13, "ann", "tea"), given(13, "bo", "rain"),
              given(14, "ann", None), given(10, "bo", "tea")]  # fmt: skip
    found = label_progress(queue_rows(texts), labels, "ann")
    assert (found.rows, found.labelled, found.skipped) == (3, 2, 1)
    assert found.authors == {"ann": 2, "bo": 3}
    assert (found.shared, found.agreed) == (2, 1)
    mine = label_progress(queue_rows(texts, rows="all"), labels, "ann", again=True)
    assert (mine.rows, mine.labelled) == (5, 2)


def test_labels_become_a_version_that_knows_its_authors(texts, workspace):
    store = DatasetStore(workspace)
    stored = store.save(texts)
    labels = [given(10, "ann", "tea"), given(11, "ann", "tea"), given(12, "bo", "cloud"), given(13, "bo", "tea")]
    kept = store.save(keep_labels(stored, labels))
    assert kept.frame["id"].tolist() == [10, 11, 12, 13]
    assert kept.frame["label"].tolist() == ["tea", "tea", "cloud", "tea"]
    assert kept.frame[LABELLED_BY].tolist() == ["ann", "ann", "bo", "bo"]
    assert kept.frame["split"].tolist() == ["train", "train", "test", "test"]
    info = store.info(str(kept.ref))
    assert (str(info.parent), info.operation) == (
        "texts@1",
        {"name": "label", "authors": {"ann": 2, "bo": 2}, "new": 2, "changed": 1, "confirmed": 1, "unsettled": 0,
         "left_out": 1},
    )  # fmt: skip
    assert store.load("texts@1").frame.equals(texts.frame), "the version that was labelled stays as it is"


def test_rows_without_a_label_may_stay_and_are_refused_by_training(texts):
    kept = keep_labels(texts, [given(11, "ann", "tea")], unlabelled=True)
    assert len(kept) == 5
    assert kept.operation["left_out"] == 0
    with pytest.raises(DataError, match="has 2 rows without a label, the first is row 14: label them or"):
        load_task(kept.task).check(kept.frame, "The data")


def test_where_authors_differ_most_voices_win_and_a_tie_stays_as_it_was(texts):
    labels = [given(12, "ann", "cloud"), given(12, "bo", "cloud"), given(12, "cy", "tea"), given(13, "ann", "tea"),
              given(13, "bo", "rain"), given(10, "ann", "rain"), given(10, "bo", "cup")]  # fmt: skip
    kept = keep_labels(texts, labels)
    rows = kept.frame.set_index("id")
    assert rows.loc[12, ["label", LABELLED_BY]].tolist() == ["cloud", "ann, bo"]
    assert rows.loc[10, ["label", LABELLED_BY]].tolist() == ["tea", ""]
    assert 13 not in rows.index
    assert (kept.operation["unsettled"], kept.operation["left_out"]) == (2, 3)
    alone = keep_labels(texts, labels, authors=["bo"]).frame.set_index("id")
    assert alone.loc[[10, 12, 13], "label"].tolist() == ["cup", "cloud", "rain"]


def test_a_second_round_keeps_who_labelled_in_the_first(texts):
    first = keep_labels(texts, [given(11, "ann", "tea")], unlabelled=True)
    second = keep_labels(first, [given(13, "bo", "rain")])
    assert second.frame.set_index("id").loc[[11, 13], LABELLED_BY].tolist() == ["ann", "bo"]


def test_nothing_is_kept_where_nobody_has_labelled(texts):
    for labels in ([], [given(10, "ann", None)], [given(99, "ann", "tea")]):
        with pytest.raises(DataError, match="has labelled a row of 'texts' yet"):
            keep_labels(texts, labels)
    with pytest.raises(DataError, match="has labelled a row"):
        keep_labels(texts, [given(10, "ann", "tea")], authors=["bo"])


def test_the_audit_log_says_whose_labels_were_kept_and_who_was_refused(texts, workspace):
    editor = Workspace(workspace.root, Actor("eve@example.org", "page", Role.EDIT))
    stored = DatasetStore(editor).save(texts)
    labels = [given(10, "ann", "rain"), given(11, "ann", "tea"), given(12, "bo", "rain")]
    kept = store_labels(editor, stored, labels)
    assert DatasetStore(editor).load(kept.ref).frame["label"].tolist() == ["rain", "tea", "rain"]
    (entry,) = AuditLog(editor).find(action="label")
    assert (entry.who, entry.object, entry.outcome) == ("eve@example.org", str(kept.ref), "done")
    counted = {"new": 1, "changed": 1, "confirmed": 1, "unsettled": 0}
    assert dict(entry.details) == {"authors": "ann 2, bo 1"} | counted
    assert not any(label in str(entry.details) for label in ("tea", "rain")), "labels are texts"
    with pytest.raises(AccessError, match="Labelling rows needs the role edit"):
        store_labels(Workspace(workspace.root, Actor("guest", "page", Role.VIEW)), stored, labels)
    assert AuditLog(editor).find(action="label", who="guest")[0].outcome == "refused"
