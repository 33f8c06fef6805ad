from collections import Counter

import pytest

from lmcore.data.issues import find_issues
from lmcore.data.load import load_dataset
from lmcore.data.samples import SAMPLES, read_sample, sample_defects
from lmcore.data.split import split_dataset
from lmcore.data.text import is_chinese
from lmcore.errors import UnknownError
from lmcore.tasks import load_task
from lmcore.tasks.tagging import kinds_of

TAGGING = ("named-entity-recognition", "slot-filling")

FEEDBACK = [name for name in SAMPLES if sample_defects(name)]


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_as_its_entry_says(name):
    facts = SAMPLES[name].facts
    table = read_sample(name)
    data = load_dataset(f"sample:{name}", task=facts["task"])
    assert (data.name, len(data)) == (name, len(table))
    assert len(data) >= 60
    task = load_task(facts["task"])
    chinese = data.frame[task.required()[0]].map(is_chinese).mean()
    assert chinese > 0.9 if facts["language"] == "zh" else chinese < 0.1


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in FEEDBACK])
def test_a_sample_without_planted_defects_has_none_and_can_be_split_and_trained_on(name):
    data = load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"])
    assert not find_issues(data).frame.shape[0]
    task, parts = load_task(data.task), split_dataset(data)
    labels = task.labels(parts.part("train").frame)
    for split in ("train", "dev", "test"):
        task.check(parts.part(split).frame, split, labels or None)


@pytest.mark.parametrize("name", ["questions-en", "questions-zh"])
def test_of_each_question_there_is_a_pair_that_asks_the_same_and_one_that_does_not(name):
    frame = load_dataset(f"sample:{name}", task="text-classification").frame
    assert SAMPLES[name].summary.startswith(f"{len(frame)} pairs")
    assert frame.groupby("text")["label"].agg(lambda labels: tuple(sorted(labels))).nunique() == 1
    assert frame["label"].value_counts().tolist() == [len(frame) // 2] * 2
    assert not set(frame["text"]) & set(frame["text_pair"])
    assert frame["text_pair"].is_unique


@pytest.mark.parametrize("name", [name for name, s in SAMPLES.items() if s.facts["task"] in TAGGING])
def test_the_summary_of_a_tagged_sample_counts_its_rows_and_every_type_is_frequent(name):
    data = load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"])
    assert SAMPLES[name].summary.startswith(f"{len(data)} ")
    assert len(data) >= 120
    counts = Counter(kind for tags in data.frame["tags"] for kind in kinds_of(tags))
    assert min(counts.values()) >= 5, counts


@pytest.mark.parametrize("name", FEEDBACK)
class TestFeedback:
    def test_it_has_a_channel_and_enough_rows(self, name):
        table = read_sample(name)
        assert table.columns.tolist() == ["text", "label", "channel"]
        assert len(table) >= 300

    def test_every_planted_defect_of_the_checked_kinds_is_found_and_nothing_else(self, name):
        issues = find_issues(load_dataset(f"sample:{name}", task="text-classification"))
        planted = sample_defects(name)
        for kind in issues.checked:
            found = issues.frame.loc[issues.frame["kind"] == kind, "id"]
            assert tuple(found) == tuple(sorted(planted[kind])), kind

    def test_the_kinds_that_are_not_checked_are_named(self, name):
        issues = find_issues(load_dataset(f"sample:{name}", task="text-classification"))
        assert set(sample_defects(name)) <= set(issues.checked) | set(issues.not_checked)


WRITING = {"translation-en-zh": 120, "translation-zh-en": 120, "summaries-en": 60, "summaries-zh": 60, "politeness-en": 120,
           "register-zh": 120}  # fmt: skip


@pytest.mark.parametrize("name", WRITING)
def test_pairs_of_texts_are_whole_and_in_their_language(name):
    facts = SAMPLES[name].facts
    data = load_dataset(f"sample:{name}", task=facts["task"])
    assert len(data) >= WRITING[name]
    assert f"{len(data)} " in SAMPLES[name].summary
    issues = find_issues(data)
    assert issues.frame.empty, issues.frame
    assert sample_defects(name) == {}
    read, written = (data.frame[column.name] for column in load_task(facts["task"]).columns)
    assert (read.map(is_chinese).mean() > 0.9) == (facts["language"] == "zh")
    assert (written.map(is_chinese).mean() > 0.9) == ((facts["language"] == "zh") != (facts["task"] == "translation"))
    if facts["task"] == "summarisation":
        assert (written.str.len() < 0.7 * read.str.len()).all()


def test_unknown_samples_list_the_known_ones():
    for function in (read_sample, sample_defects):
        with pytest.raises(UnknownError, match=r"known: .*feedback-en, feedback-zh"):
            function("none")
