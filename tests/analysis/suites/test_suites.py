"""Suites: made, kept whole, run, and compared."""

import json

import numpy as np
import pandas as pd
import pytest

from lmcore.access import Actor, Role
from lmcore.analysis import Suite, SuiteStore, compare_runs, make_suite, run_suite
from lmcore.analysis.suites.cases import difference
from lmcore.analysis.suites.intervals import effective_cases, share_interval
from lmcore.data.store import DatasetStore
from lmcore.errors import AccessError, Cancelled, DataError, InputError, OptionError, StorageError, UnknownError
from lmcore.settings import Workspace
from lmcore.tasks.resampling import wilson
from lmcore.types import Prediction, Silent, Span
from tests.analysis.planted import Rule


@pytest.fixture
def stored(workspace, topics):
    return DatasetStore(workspace).save(topics)


@pytest.fixture
def store(workspace, stored):
    return SuiteStore(workspace, str(stored.ref))


@pytest.fixture
def suite(stored):
    return make_suite(stored, name="robust", rows=8, each=2, edits=("typos", "letter_case", "deletion"), seed=2)


def by_hand(rows, task="text-classification"):
    return Suite.from_frame(pd.DataFrame(rows), name="hand", data="films@1", task=task)


HAND = [
    {"text": "a superb film", "edited": "a suprb film", "expectation": "stays"},
    {"text": "a superb film", "edited": "a film", "expectation": "changes"},
    {"text": "a film", "edited": "", "expectation": "is", "label": "bad"},
    {"text": "a superb film", "edited": "a SUPERB film", "expectation": "Is", "label": "good"},
]


def test_cases_come_from_the_rows_that_were_drawn(suite, stored):
    test = stored.part("test").frame.set_index("id")
    assert len({case.row for case in suite.cases}) == 8
    assert len(suite) == 8 * 2 * 3
    for case in suite.cases:
        assert case.text == test.loc[case.row, "text"]
        assert case.edited != case.text
        assert case.expectation == "stays"
    assert suite.parameters["seed"] == 2


def test_a_seed_gives_the_same_suite_again(suite, stored):
    again = make_suite(stored, name="robust", rows=8, each=2, edits=("typos", "letter_case", "deletion"), seed=2)
    assert again.fingerprint == suite.fingerprint
    other = make_suite(stored, name="robust", rows=8, each=2, edits=("typos", "letter_case", "deletion"), seed=3)
    assert other.fingerprint != suite.fingerprint


def test_the_rows_own_labels_can_be_expected(stored):
    made = make_suite(stored, name="own", rows=5, edits=("typos",), expectation="is")
    labels = stored.frame.set_index("id")["label"]
    assert [case.label for case in made.cases] == [labels[case.row] for case in made.cases]


def test_a_suite_is_kept_and_read_as_it_was(store, suite):
    kept = store.save(suite)
    assert kept.ref == "robust@1"
    read = store.load("robust")
    assert read.cases == suite.cases
    assert read.parameters == json.loads(json.dumps(dict(suite.parameters)))
    assert [info.ref for info in store.list()] == ["robust@1"]
    assert store.info("robust@1").cases == len(suite)


def test_the_same_cases_are_kept_once_and_others_as_the_next_version(store, suite, stored):
    store.save(suite)
    assert store.save(suite).number == 1
    other = make_suite(stored, name="robust", rows=3, edits=("typos",))
    assert store.save(other).number == 2
    assert len(store.load("robust@1")) == len(suite)
    assert len(store.load("robust")) == len(other)
    assert [info.number for info in store.list()] == [2, 1]


def test_a_suite_that_fails_to_be_written_leaves_nothing(store, suite, workspace, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(StorageError, match="disk is full"):
        store.save(suite)
    assert store.list() == []
    assert not [path for path in workspace.suites.rglob("*") if path.is_file()]


def test_damaged_cases_are_refused_and_unknown_suites_named(store, suite, workspace):
    store.save(suite)
    next(workspace.suites.rglob("cases.parquet")).write_bytes(b"no")
    with pytest.raises(StorageError, match="robust@1 of topics@1 is damaged"):
        store.load("robust")
    with pytest.raises(UnknownError, match="no suite 'gone'; known: robust@1"):
        store.load("gone")


def test_somebody_who_may_only_look_cannot_keep_one(workspace, stored, suite):
    viewer = Workspace(workspace.root, Actor("vi", "python", Role.VIEW))
    with pytest.raises(AccessError):
        SuiteStore(viewer, str(stored.ref)).save(suite)


def test_a_suite_of_other_data_is_refused(store):
    with pytest.raises(InputError, match="is for films@1, not for topics@1"):
        store.save(by_hand(HAND))


def test_a_file_that_was_downloaded_gives_the_same_suite(suite, tmp_path):
    suite.to_frame().to_csv(tmp_path / "cases.csv", index=False)
    frame = pd.read_csv(tmp_path / "cases.csv", dtype=str, keep_default_na=False)
    again = Suite.from_frame(frame, name="robust", data=suite.data, task=suite.task)
    assert again.cases == suite.cases
    assert again.fingerprint == suite.fingerprint


def test_each_expectation_is_checked():
    run = run_suite(Rule(["superb", "SUPERB"]), by_hand(HAND))
    assert run.cases["passed"].tolist() == [False, True, True, True]
    assert run.cases["flips"].tolist() == [True, True, False, False]
    whole = run.rates.iloc[0]
    assert (whole["cases"], whole["failures"], whole["flips"]) == (4, 1, 2)
    assert (whole["failure_rate"], whole["flip_rate"]) == (0.25, 0.5)
    assert run.verdict().startswith("1 of 4 cases failed: 25.0%")
    assert run.failures["edit"].tolist() == ["without 'e'"]


def test_entities_are_expected_where_the_edit_has_moved_them():
    def finder(texts):
        return [Prediction(0, score=0.9, spans=(Span(t.find("Anna"), t.find("Anna") + 4, "per"),)) for t in texts]

    rows = [{"text": "so Anna came", "edited": "and so then Anna came", "expectation": "stays"}]
    assert run_suite(finder, by_hand(rows, "named-entity-recognition")).cases["passed"].all()


def test_a_case_that_cannot_be_predicted_fails():
    def picky(texts):
        if any("suprb" in text for text in texts):
            raise InputError("No.")
        return Rule(["superb", "SUPERB"])(texts)

    run = run_suite(picky, by_hand(HAND))
    assert run.cases["passed"].tolist() == [False, True, True, True]
    assert run.cases["after"].iloc[0] == "could not be predicted"


def test_runs_are_kept_by_version(store, suite, tiny_loaded):
    kept = store.save(suite)
    run = run_suite(tiny_loaded, kept, version="models:/topics/1")
    store.save_run(run)
    store.save_run(run_suite(Rule(["bread"]), kept, version="models:/topics/2"))
    found = store.runs(kept.ref)
    assert {item.version for item in found} == {"models:/topics/1", "models:/topics/2"}
    read = next(item for item in found if item.version == run.version)
    pd.testing.assert_frame_equal(read.rates, run.rates)
    pd.testing.assert_frame_equal(read.cases, run.cases, check_dtype=False)
    assert store.runs("robust@9") == ()


def test_two_versions_are_compared_on_the_same_cases():
    one = run_suite(Rule(["superb"]), by_hand(HAND), version="a")
    two = run_suite(Rule(["superb", "SUPERB"]), by_hand(HAND), version="b")
    found = compare_runs(one, two)
    assert found.changed["case"].tolist() == [4]
    assert found.changed["better"].tolist() == ["second"]
    whole = found.rates.iloc[0]
    assert (whole["first"], whole["second"], whole["difference"]) == (0.5, 0.25, -0.25)
    assert whole["low"] <= -0.25 <= whole["high"]
    assert "passes 1 cases that the other fails, and fails 0" in found.verdict()
    assert compare_runs(one, one).rates.iloc[0][["difference", "low", "high"]].tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="different cases"):
        compare_runs(one, run_suite(Rule(["x"]), by_hand(HAND[:2])))


def test_a_version_that_fails_less_is_said_to_be_better():
    words = [f"word{n}" for n in range(60)]
    rows = [{"text": f"{word} here", "edited": f"{word.upper()} here", "expectation": "stays"} for word in words]
    worse, better = Rule(words), Rule([*words, *(word.upper() for word in words)])
    found = compare_runs(run_suite(worse, by_hand(rows), version="a"), run_suite(better, by_hand(rows), version="b"))
    assert found.verdict().startswith("b fails less often than a, by 100.0%")


def test_the_interval_is_wilsons_where_each_row_has_one_case():
    hits = np.array([True] * 3 + [False] * 17)
    assert share_interval(hits, np.arange(20)) == pytest.approx((0.15, *wilson(3, 20)))
    assert share_interval(np.zeros(0, bool), np.zeros(0)) == pytest.approx((np.nan,) * 3, nan_ok=True)


def test_cases_of_a_row_that_are_all_alike_count_once():
    hits = np.repeat(np.array([True] * 6 + [False] * 24), 10)
    groups = np.repeat(np.arange(30), 10)
    assert 20 < effective_cases(hits, groups) <= 31
    assert effective_cases(np.ones(300, bool), groups) == 30


@pytest.mark.parametrize("alike", [0.0, 0.6])
def test_the_interval_covers_the_true_rate(alike):
    """Of many suites with a known failure rate, about 95 % of the intervals hold it, though cases of a row are alike."""
    rng, rate, covered, narrow = np.random.default_rng(1), 0.2, [], []
    groups = np.repeat(np.arange(40), 5)
    for _ in range(400):
        rows = np.repeat(rng.random(40) < rate, 5)
        hits = np.where(rng.random(200) < alike, rows, rng.random(200) < rate)
        _, low, high = share_interval(hits, groups)
        covered.append(low <= rate <= high)
        ends = wilson(hits.sum(), 200)
        narrow.append(ends[0] <= rate <= ends[1])
    assert 0.92 <= np.mean(covered) <= 0.99
    if alike:
        assert np.mean(narrow) < 0.85, "cases are not independent, and Wilson's own interval is too narrow"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "", "edited": "b", "expectation": "stays"}, "Case 1 has no text"),
        ({"text": "a", "edited": "b", "expectation": "falls"}, "Case 1 cannot be used: The expectation is 'falls'"),
        ({"text": "a", "edited": "b", "expectation": "is"}, "expects a label and names none"),
        ({"text": "a", "edited": "a", "expectation": "stays"}, "has no edit"),
        ({"text": "a", "edited": "b", "expectation": "stays", "edits": "x"}, "edits that cannot be read"),
        ({"text": "a"}, "no column expectation"),
    ],
)
def test_cases_that_cannot_be_used_are_refused(row, said):
    with pytest.raises(DataError, match=said):
        by_hand([row])


def test_several_texts_are_written_as_json():
    cell = json.dumps({"question": "who", "context": "Anna came"})
    rows = [{"text": cell, "edited": cell.replace("came", "went"), "expectation": "stays"}]
    made = by_hand(rows, "question-answering")
    assert made.cases[0].text == {"question": "who", "context": "Anna came"}
    assert [(e.column, e.before, e.after) for e in made.cases[0].changes()] == [("context", "came", "went")]
    with pytest.raises(DataError, match="reads question and context"):
        by_hand([{"text": "who", "edited": "what", "expectation": "stays"}], "question-answering")


@pytest.mark.parametrize(
    ("before", "after", "edit"),
    [
        ("a good film", "a bad film", (2, 5, "ba")),
        ("ab", "abb", (2, 2, "b")),
        ("质量好", "质量不好", (2, 2, "不")),
        ("aa", "a", (1, 2, "")),
    ],
)
def test_the_difference_of_two_texts_is_one_edit(before, after, edit):
    (found,) = difference(before, after)
    assert (found.start, found.end, found.after) == edit
    assert difference(before, before) == ()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"name": "a/b"}, InputError, "not a usable name"),
        ({"edits": ()}, InputError, "No edit is chosen"),
        ({"edits": ("hotflip",)}, InputError, "needs a model"),
        ({"rows": 0}, OptionError, "0 rows"),
        ({"rows": 4000, "edits": ("typos", "width")}, OptionError, "8,000 cases"),
        ({"expectation": "maybe"}, InputError, "expectation is 'maybe'"),
    ],
)
def test_suites_that_cannot_be_made_are_refused(stored, options, error, said):
    with pytest.raises(error, match=said):
        make_suite(stored, **{"name": "s", "edits": ("typos",), **options})


def test_a_suite_needs_stored_data_and_a_version_of_its_task(topics, suite, tiny_loaded):
    from dataclasses import replace

    with pytest.raises(DataError, match="not stored yet"):
        make_suite(topics, name="s")
    with pytest.raises(InputError, match="take a version of that task"):
        run_suite(tiny_loaded, replace(suite, task="named-entity-recognition"))


def test_it_stops_when_asked(suite, stored):
    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        run_suite(Rule(["a"]), suite, report=Stopped())
    with pytest.raises(Cancelled):
        make_suite(stored, name="s", report=Stopped())


def test_a_job_keeps_its_run(store, suite, tiny_folder, workspace):
    from lmcore.analysis.suites.job import run

    kept = store.save(suite)
    config = {"data": kept.data, "suite": kept.ref, "version": f"folder:{tiny_folder}"}
    with pytest.raises(InputError, match="does no task yet"):
        run(config, workspace=workspace, report=Silent(), resume=False)
