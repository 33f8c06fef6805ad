"""Public research data, read as a user would bring them."""

from pathlib import Path

import pytest

from lmcore.data.issues import find_issues
from lmcore.data.load import load_dataset
from lmcore.data.profile import profile_dataset
from lmcore.data.split import split_dataset
from lmcore.data.text import comparison_key

REAL = Path(__file__).parents[3] / "shared" / "data"
TASK = "text-classification"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="the public research data (shared/data) are not here"),
]


@pytest.fixture(scope="module")
def waimai():
    return load_dataset(REAL / "waimai" / "waimai_10k.csv", task=TASK)


@pytest.mark.parametrize(("part", "rows", "positive"), [("train", 6920, 3610), ("dev", 872, 444), ("test", 1821, 909)])
def test_sst2_has_no_header_and_loses_no_line(part, rows, positive):
    path = REAL / "sst2" / f"{part}.tsv"
    data = load_dataset(path, task=TASK, columns={"text": 0, "label": 1})
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{text}\t{label}" for text, label in zip(data.frame["text"], data.frame["label"], strict=True)] == lines
    assert len(data) == rows
    assert (data.frame["label"] == "1").sum() == positive


def test_sst2_is_seen_to_have_no_header_without_being_told():
    data = load_dataset(REAL / "sst2" / "dev.tsv", task=TASK, columns={"text": "column 1", "label": "column 2"})
    assert len(data) == 872


def test_relations_are_read_line_by_line():
    path = REAL / "semeval10t8" / "test.tsv"
    data = load_dataset(path, task=TASK, columns={"label": 0, "text": 1})
    assert len(data) == len(path.read_text(encoding="utf-8").splitlines())


def test_waimai(waimai):
    assert len(waimai) == 11987
    profile = profile_dataset(waimai)
    assert profile.labels.set_index("label")["rows"].to_dict() == {"0": 7987, "1": 4000}
    assert next(iter(profile.languages)) == "zh"


def test_well_written_texts_are_not_called_mojibake(waimai):
    sst2 = load_dataset(REAL / "sst2" / "train.tsv", task=TASK, columns={"text": 0, "label": 1})
    for data in (waimai, sst2):
        assert find_issues(data, ["mojibake"]).counts == {"mojibake": 0}


@pytest.mark.parametrize("stratify", [True, False])
def test_the_split_leaks_nothing(waimai, stratify):
    frame = split_dataset(waimai, seed=3, stratify=stratify).frame
    keys = {split: set(rows["text"].map(comparison_key)) for split, rows in frame.groupby("split")}
    assert not keys["train"] & keys["test"]
    assert not keys["train"] & keys["dev"]
    assert not keys["dev"] & keys["test"]
    shares = frame["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.005)
    assert shares["test"] == pytest.approx(0.1, abs=0.005)


def test_gb18030_and_utf16_copies_read_the_same(waimai, tmp_path):
    text = (REAL / "waimai" / "waimai_10k.csv").read_text(encoding="utf-8")
    for encoding in ("gb18030", "utf-16", "utf-16-le"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        assert load_dataset(path, task=TASK).fingerprint == waimai.fingerprint
