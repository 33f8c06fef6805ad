import pandas as pd
import pytest

from lmcore.data.issues import ISSUES, NOT_CHECKED, find_issues, mend
from lmcore.errors import UnknownError
from lmcore.tasks import load_task


def ids(issues, kind):
    return issues.frame.loc[issues.frame["kind"] == kind, "id"].tolist()


def test_each_kind_finds_its_rows(defective):
    issues = find_issues(defective)
    assert {kind: ids(issues, kind) for kind in ISSUES} == {
        "missing_label": [4],
        "empty_text": [2, 3],
        "duplicate": [1, 9],
        "conflicting_labels": [5, 6, 9],
        "mojibake": [7],
    }
    assert issues.counts == {
        "missing_label": 1,
        "empty_text": 2,
        "duplicate": 2,
        "conflicting_labels": 3,
        "mojibake": 1,
    }
    assert issues.fingerprint == defective.fingerprint
    assert issues.to_frame().columns.tolist() == ["id", "kind", "detail"]


def test_details_name_the_other_row_and_the_labels(defective):
    issues = find_issues(defective).frame.set_index(["kind", "id"])["detail"]
    assert issues["duplicate", 1] == "repeats row 1"
    assert issues["duplicate", 9] == "repeats row 7"
    assert issues["conflicting_labels", 5] == "labelled billing, delivery"
    assert issues["mojibake", 7] == "reads: the café bill"
    assert issues["empty_text", 2] == "no text"
    assert issues["empty_text", 3] == "white space only in text"


def test_empty_and_unlabelled_rows_are_no_duplicates_or_conflicts(make_data):
    data = make_data(("", "a"), ("", "a"), (" ", "b"), ("x", ""), ("x", ""), ("x", "a"))
    issues = find_issues(data)
    assert issues.counts["duplicate"] == issues.counts["conflicting_labels"] == 0


def test_ids_are_those_of_the_frame(defective):
    later = defective.derive(defective.frame.iloc[5:])
    assert ids(find_issues(later), "conflicting_labels") == [5, 6, 9]


def test_sound_data_has_no_issues(topics):
    issues = find_issues(topics)
    assert issues.frame.empty
    assert issues.frame.columns.tolist() == ["id", "kind", "detail"]
    assert set(issues.counts.values()) == {0}


def test_only_the_kinds_asked_for_are_checked(defective):
    issues = find_issues(defective, ["mojibake"])
    assert issues.checked == ("mojibake",)
    assert set(issues.frame["kind"]) == {"mojibake"}
    assert set(issues.not_checked) == {*NOT_CHECKED, *ISSUES} - {"mojibake"}


def test_a_kind_whose_column_is_missing_is_named_as_not_checked(defective):
    issues = find_issues(defective.derive(defective.frame.drop(columns="label")))
    assert issues.checked == ("empty_text", "mojibake")
    assert issues.not_checked["duplicate"] == "Duplicate is not checked: the data set has no column label."


def test_unknown_kinds_list_the_known_ones(defective):
    with pytest.raises(UnknownError, match="known: conflicting_labels, duplicate"):
        find_issues(defective, ["spelling"])


@pytest.mark.parametrize(
    ("text", "mended"),
    [("cafÃ©", "café"), ("itâ€™s", "it’s"), ("è¢«å¤šæ‰£äº†ä¸€ç¬”é’±", "被多扣了一笔钱"), ("Â£5", "£5")],
)
def test_mojibake_is_mended(text, mended):
    assert mend(text) == mended
    assert mend(mended) == mended


@pytest.mark.parametrize(
    "text",
    [
        "很好，真的！（是）“的”…—《书》：；？～",
        "全角ＡＢＣ１２３",
        "it’s “curly” — and … 5 € &amp; ﬁne",
        "Ærøskøbing, Łódź, naïve São Paulo",
        "👍🏽 très bien",
        "\u3000\u3000",
    ],
)
def test_what_is_written_well_is_left_alone(text):
    assert mend(text) == text


def test_checks_of_an_empty_frame(topics):
    empty = topics.frame.iloc[:0]
    for method in ISSUES.values():
        found = method.load()(empty, load_task(topics.task))
        assert isinstance(found, pd.DataFrame)
        assert found.empty
