import pytest

from lmcore.data.clean import clean_dataset
from lmcore.data.issues import find_issues
from lmcore.data.load import load_dataset
from lmcore.data.samples import SAMPLES, read_sample, sample_defects
from lmcore.data.split import split_dataset
from lmcore.data.text import is_chinese
from lmcore.errors import UnknownError
from lmcore.tasks import load_task
from lmcore.types import SPLITS

FEEDBACK = [name for name, sample in SAMPLES.items() if sample.facts["task"] == "text-classification"]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_fits_its_task_and_can_be_split(name):
    data = load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"])
    assert (data.name, len(data)) == (name, len(read_sample(name)))
    assert len(data) >= 60
    texts = load_task(data.task).texts(data.frame)
    assert texts.map(is_chinese).mean() > 0.9 or SAMPLES[name].facts["language"] == "en"
    clean = data if name not in FEEDBACK else clean_dataset(data).data
    parts = split_dataset(clean)
    assert {split: len(parts.part(split)) > 0 for split in SPLITS} == dict.fromkeys(SPLITS, True)
    load_task(data.task).check(clean.frame, name)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in FEEDBACK])
def test_a_sample_without_planted_defects_has_none(name):
    assert sample_defects(name) == {}
    assert set(find_issues(load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"])).counts.values()) == {0}


@pytest.mark.parametrize("name", FEEDBACK)
class TestSample:
    def test_it_is_as_its_entry_says(self, name):
        table = read_sample(name)
        assert table.columns.tolist() == ["text", "label", "channel"]
        assert len(table) >= 300
        data = load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"])
        assert len(data) == len(table)

    def test_every_planted_defect_of_the_checked_kinds_is_found_and_nothing_else(self, name):
        issues = find_issues(load_dataset(f"sample:{name}", task="text-classification"))
        planted = sample_defects(name)
        for kind in issues.checked:
            found = issues.frame.loc[issues.frame["kind"] == kind, "id"]
            assert tuple(found) == tuple(sorted(planted[kind])), kind

    def test_the_kinds_that_are_not_checked_are_named(self, name):
        issues = find_issues(load_dataset(f"sample:{name}", task="text-classification"))
        assert set(sample_defects(name)) <= set(issues.checked) | set(issues.not_checked)


def test_unknown_samples_list_the_known_ones():
    for function in (read_sample, sample_defects):
        with pytest.raises(UnknownError, match="known: feedback-en, feedback-zh"):
            function("none")
