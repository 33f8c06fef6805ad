import json
import time
from typing import ClassVar

import pytest

from lmcore.data.load import load_dataset
from lmcore.data.profile import profile_dataset
from lmcore.errors import Cancelled, DataError
from lmcore.types import Silent

TASK = "text-classification"


def test_counts(defective):
    profile = profile_dataset(defective)
    assert profile.rows == 10
    assert profile.columns.to_dict("records") == [
        {"column": "text", "missing": 1, "share": 0.1, "distinct": 9},
        {"column": "label", "missing": 1, "share": 0.1, "distinct": 3},
    ]
    assert profile.labels["label"].tolist() == ["billing", "delivery"]
    assert profile.labels["rows"].tolist() == [5, 4]
    assert profile.labels["share"].tolist() == pytest.approx([5 / 9, 4 / 9])
    assert profile.imbalance == 1.25
    assert profile.fingerprint == defective.fingerprint == profile.issues.fingerprint


def test_lengths_in_characters_and_words(make_data):
    profile = profile_dataset(make_data(("don't go", "a"), ("", "b"), ("快递员态度很好。", "b")))
    assert profile.to_frame()["characters"].tolist() == [8, 0, 8]
    counted = profile.lengths["words"].tolist()
    assert counted[:2] == [2, 0]
    assert 3 <= counted[2] < 7
    assert profile.lengths["id"].tolist() == [0, 1, 2]


def test_verdict_of_a_defective_set(defective):
    assert profile_dataset(defective).verdict[:6] == (
        "2 classes, the largest has 1.2 times the rows of the smallest.",
        "2 classes have fewer than 10 rows.",
        "1 row has no label.",
        "2 rows have no text.",
        "2 rows repeat an earlier one.",
        "3 rows share their text with a row of another label.",
    )


def test_verdict_of_a_sound_set(topics):
    assert profile_dataset(topics).verdict == (
        "3 classes of the same size.",
        "None of the checked defects was found.",
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("x", "a"), ("y", "a")], "There is only the class 'a': a classifier needs at least two classes."),
        ([("x", ""), ("y", "")], "There are no labels: a classifier needs at least two classes."),
    ],
)
def test_too_few_classes(make_data, rows, sentence):
    profile = profile_dataset(make_data(*rows))
    assert profile.verdict[0] == sentence


def test_a_set_without_a_label_column(topics):
    profile = profile_dataset(topics.derive(topics.frame.drop(columns="label")))
    assert (len(profile.labels), profile.imbalance) == (0, 0.0)
    json.dumps(profile.describe())


def test_a_very_long_text_is_said(make_data):
    profile = profile_dataset(make_data(("word " * 20_000, "a"), ("short", "b")))
    assert "The longest text has 100,000 characters: models read its beginning alone." in profile.verdict


@pytest.mark.parametrize(("sample", "language"), [("feedback-en", "en"), ("feedback-zh", "zh")])
def test_languages(sample, language):
    languages = profile_dataset(load_dataset(f"sample:{sample}", task=TASK)).languages
    assert next(iter(languages)) == language
    assert languages[language] > 0.95
    assert sum(languages.values()) == pytest.approx(1)


def test_several_languages_are_said(make_data):
    english = [(f"The parcel number {n} arrived late and was damaged", "a") for n in range(5)]
    chinese = [(f"快递{n}很慢，等了三天才送到我家", "b") for n in range(5)]
    verdict = profile_dataset(make_data(*english, *chinese)).verdict
    assert any(sentence.startswith("The texts are in several languages: ") for sentence in verdict)


def test_no_language_is_told_from_a_word_or_two(make_data):
    profile = profile_dataset(make_data(("good soup", "a"), ("bye now", "b"), ("foo bar", "b"), ("不错", "a")))
    assert profile.languages == {}
    assert not any("languages" in sentence for sentence in profile.verdict)


def test_progress_is_told_and_a_stop_is_heard(defective):
    class Stopping(Silent):
        told: ClassVar[list[float]] = []

        def progress(self, fraction, message=""):
            self.told.append(fraction)

        def check(self):
            if len(self.told) == 6:
                raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        profile_dataset(defective, report=Stopping())
    assert Stopping.told == sorted(Stopping.told)
    assert len(set(Stopping.told)) >= 5


def test_all_texts_empty(make_data):
    profile = profile_dataset(make_data(("", "a"), (" ", "b")))
    assert profile.languages == {}


def test_the_description_is_json(defective):
    described = json.loads(json.dumps(profile_dataset(defective).describe()))
    assert described["issues"]["duplicate"] == 2
    assert described["lengths"]["characters"]["smallest"] == 0
    assert described["labels"][0] == {"label": "billing", "rows": 5, "share": pytest.approx(5 / 9)}
    assert "typo" in described["not_checked"]


def test_no_rows(topics):
    with pytest.raises(DataError, match="has no rows"):
        profile_dataset(topics.derive(topics.frame.iloc[:0]))


def test_ten_thousand_rows_take_a_few_seconds(make_data):
    words = ["快递", "很慢", "parcel", "late", "客服", "不错", "refund", "café", "质量"]
    rows = ((" ".join(words[(n * k) % 9] for k in range(1, 16)) + str(n), "ab"[n % 2]) for n in range(10_000))
    data = make_data(*rows)
    profile_dataset(make_data(("warm", "a"), ("up", "b")))
    before = time.process_time()
    profile_dataset(data)
    assert time.process_time() - before < 6
