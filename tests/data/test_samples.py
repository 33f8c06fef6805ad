import pytest

from lmcore.data.issues import find_issues
from lmcore.data.load import load_dataset
from lmcore.data.samples import SAMPLES, read_sample, sample_defects
from lmcore.data.text import is_chinese
from lmcore.errors import UnknownError
from lmcore.tasks import load_task

PLANTED = ("feedback-en", "feedback-zh")
PLAIN = [name for name in SAMPLES if SAMPLES[name].facts["task"] in {"text-generation", "completion"}]


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_sample_is_as_its_entry_says_and_has_no_defect(name):
    facts = SAMPLES[name].facts
    data = load_dataset(f"sample:{name}", task=facts["task"])
    assert data.frame.columns.tolist() == ["id", "text"]
    assert len(data) >= 120
    assert data.frame["text"].map(is_chinese).all() == (facts["language"] == "zh")
    issues = find_issues(data)
    assert {"duplicate", "empty_text"} <= set(issues.checked)
    assert sum(issues.counts.values()) == 0


@pytest.mark.parametrize("name", PLANTED)
class TestSample:
    def test_it_is_as_its_entry_says(self, name):
        table = read_sample(name)
        assert table.columns.tolist() == ["text", "label", "channel"]
        assert len(table) >= 300
        data = load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"])
        assert (data.name, len(data)) == (name, len(table))
        assert data.frame["text"].map(is_chinese).mean() > 0.9 or SAMPLES[name].facts["language"] == "en"

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
