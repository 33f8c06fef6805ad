import pytest

from lmcore.data.clean import CLEANING, clean_dataset
from lmcore.data.issues import find_issues
from lmcore.data.load import load_dataset
from lmcore.data.samples import SAMPLES, sample_defects
from lmcore.errors import DataError, OptionError, UnknownError
from lmcore.types import DatasetRef


def test_all_rules_leave_the_sound_rows(defective):
    cleaning = clean_dataset(defective)
    assert cleaning.data.frame["id"].tolist() == [0, 7, 8]
    assert cleaning.data.frame["text"].tolist() == ["the parcel came late", "the café bill", "很好，真的！“是的”"]
    assert cleaning.data.frame.index.tolist() == [0, 1, 2]
    assert cleaning.fingerprint == defective.fingerprint


def test_every_change_is_recorded(defective):
    changes = clean_dataset(defective).to_frame()
    assert changes.values.tolist() == [
        [7, "fix_mojibake", "changed", "the cafÃ© bill", "the café bill"],
        [1, "tidy_space", "changed", "The  parcel came LATE ", "The parcel came LATE"],
        [3, "tidy_space", "changed", " \u3000\u200b", ""],
        [2, "drop_empty", "dropped", "", ""],
        [3, "drop_empty", "dropped", "", ""],
        [4, "drop_unlabelled", "dropped", "no label here", ""],
        [5, "resolve_conflicts", "dropped", "which is it", ""],
        [6, "resolve_conflicts", "dropped", "Which is it", ""],
        [9, "resolve_conflicts", "dropped", "which is it", ""],
        [1, "drop_duplicates", "dropped", "The parcel came LATE", ""],
    ]


@pytest.mark.parametrize("strategy", ["drop", "majority"])
@pytest.mark.parametrize("sample", [name for name in SAMPLES if sample_defects(name)])
def test_nothing_that_is_handled_is_left(sample, strategy):
    data = load_dataset(f"sample:{sample}", task="text-classification")
    cleaning = clean_dataset(data, options={"resolve_conflicts": {"strategy": strategy}})
    assert set(find_issues(cleaning.data).counts.values()) == {0}
    assert sum(cleaning.changes["action"] == "dropped") == len(data) - len(cleaning.data)
    assert cleaning.counts == cleaning.changes["rule"].value_counts().to_dict()


@pytest.mark.parametrize("rule", CLEANING)
def test_each_rule_alone_removes_what_it_handles(defective, rule):
    cleaning = clean_dataset(defective, [rule])
    left = find_issues(cleaning.data).counts
    assert all(left[kind] == 0 for kind in CLEANING[rule].facts["handles"])
    assert set(cleaning.changes["rule"]) == {rule}


def test_cleaning_twice_changes_nothing_more(defective):
    once = clean_dataset(defective).data
    again = clean_dataset(once)
    assert again.changes.empty
    assert again.data.fingerprint == once.fingerprint


def test_the_original_is_not_changed(defective):
    before = defective.frame.copy()
    clean_dataset(defective)
    assert defective.frame.equals(before)


def test_the_majority_stays_and_ties_go(make_data):
    data = make_data(
        ("one", "a"), ("One", "b"), ("one ", "a"), ("two", "a"), ("two", "b"), ("three", "c"), ("four", "d")
    )
    cleaning = clean_dataset(data, ["resolve_conflicts"], {"resolve_conflicts": {"strategy": "majority"}})
    assert cleaning.data.frame["id"].tolist() == [0, 2, 5, 6]


def test_rules_are_applied_in_their_own_order_and_recorded(make_data):
    data = make_data((" x ", "a"), ("\u200b", "a"), ("y", "b"))
    data = type(data)(**{**data.__dict__, "ref": DatasetRef("small", 4)})
    cleaned = clean_dataset(data, ["resolve_conflicts", "drop_empty", "tidy_space"]).data
    assert cleaned.operation == {
        "name": "clean",
        "rules": ["tidy_space", "drop_empty", "resolve_conflicts"],
        "options": {"resolve_conflicts": {"strategy": "drop"}},
    }
    assert cleaned.parent == DatasetRef("small", 4)


def test_no_rules_change_nothing(defective):
    cleaning = clean_dataset(defective, [])
    assert cleaning.data.fingerprint == defective.fingerprint
    assert cleaning.changes.empty
    assert cleaning.changes.columns.tolist() == ["id", "rule", "action", "before", "after"]


def test_cleaning_that_would_leave_nothing_is_refused(make_data):
    with pytest.raises(DataError, match="would leave no row of 'small'"):
        clean_dataset(make_data(("", "a"), ("x", "")))


@pytest.mark.parametrize(
    ("rules", "options", "error", "message"),
    [
        (["polish"], {}, UnknownError, "no cleaning rule 'polish'; known: drop_duplicates"),
        (None, {"polish": {}}, UnknownError, "no cleaning rule 'polish'"),
        (None, {"resolve_conflicts": {"strategy": "vote"}}, OptionError, "one of drop, majority"),
        (None, {"drop_empty": {"strategy": "drop"}}, OptionError, "takes: none"),
        (["drop_empty"], {"resolve_conflicts": {}}, OptionError, "which is not applied"),
    ],
)
def test_wrong_rules_and_options(defective, rules, options, error, message):
    with pytest.raises(error, match=message):
        clean_dataset(defective, rules, options)


def test_a_rule_whose_column_is_missing_is_refused(defective):
    texts = defective.derive(defective.frame.drop(columns="label"))
    with pytest.raises(DataError, match=r"drop_unlabelled cannot be applied .* the data set has no column label"):
        clean_dataset(texts, ["drop_unlabelled"])
    assert len(clean_dataset(texts, ["drop_empty"]).data) == 8
    assert "drop_unlabelled" not in clean_dataset(texts).counts


def test_a_split_stays(topics):
    cleaned = clean_dataset(topics).data
    assert cleaned.frame["split"].tolist() == topics.frame["split"].tolist()
