import json

import numpy as np
import pandas as pd
import pytest

from lmcore.data import load_dataset, pair_unanswerable, split_dataset
from lmcore.data.dataset import TextDataset
from lmcore.data.load import Upload
from lmcore.errors import DataError, OptionError
from lmcore.tasks import load_task
from lmcore.tasks.answer_text import place_answers

ANSWERED = {"id": "1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}] * 2}
IMPOSSIBLE = {
    "id": "2",
    "question": "Why?",
    "is_impossible": True,
    "answers": [],
    "plausible_answers": [{"text": "ran", "answer_start": 4}],
}
CHINESE = {"question": "谁？", "answers": [{"text": "安娜", "answer_start": 4}]}
DOCUMENT = {
    "version": "v2.0",
    "data": [
        {"title": "Running", "paragraphs": [{"context": "Ann ran.", "qas": [ANSWERED, IMPOSSIBLE]}]},
        {"paragraphs": [{"context": "谁来了？安娜。", "qas": [CHINESE]}]},
    ],
}


def load(document, **dumps):
    content = json.dumps(document, **dumps).encode()
    return load_dataset(Upload("file.json", content), task="question-answering")


@pytest.mark.parametrize("dumps", [{}, {"indent": 2, "ensure_ascii": False}])
def test_both_versions_of_the_form_are_read(dumps):
    frame = load(DOCUMENT, **dumps).frame
    assert frame["question"].tolist() == ["Who?", "Why?", "谁？"]
    assert frame["answers"].tolist() == ['[{"text": "Ann", "start": 0}]', "[]", '[{"text": "安娜", "start": 4}]']
    assert frame["article"].tolist() == ["Running", "Running", "article 2"]
    assert frame["key"].tolist() == ["1", "2", ""]
    load_task("question-answering").check(frame, "it")


@pytest.mark.parametrize(
    ("article", "sentence"),
    [
        ({"paragraphs": [{"qas": []}]}, r"Article 1 of file\.json has not the form of SQuAD \('context'\)"),
        ({"paragraphs": 3}, r"Article 1 of file\.json has not the form of SQuAD"),
        ({"paragraphs": [{"context": "x", "qas": [{"question": "q", "answers": [{"text": "x"}]}]}]}, "answer_start"),
        ({"paragraphs": []}, r"file\.json has no question: give a list"),
    ],
)
def test_what_is_not_there_is_named(article, sentence):
    with pytest.raises(DataError, match=sentence):
        load({"data": [article]})


def test_other_json_is_read_as_before():
    lines = '{"question": "q", "context": "has \\"paragraphs\\" in it", "answers": "it"}\n' * 2
    data = load_dataset(Upload("rows.json", lines.encode()), task="question-answering")
    assert len(data) == 2


@pytest.fixture
def paired():
    rows = []
    for article in range(6):
        for paragraph in range(3):
            context = f"Paragraph {paragraph} of article {article} is about thing{paragraph} and sun."
            for answer in (f"thing{paragraph}", "sun"):
                cell = json.dumps([{"text": answer, "start": context.index(answer)}])
                rows.append((f"Which {answer} {article}?", context, cell, f"a{article}"))
    frame = pd.DataFrame(rows, columns=["question", "context", "answers", "article"])
    frame.insert(0, "id", np.arange(len(frame)))
    return TextDataset("paired", "question-answering", frame)


def test_paired_questions_have_no_answer_in_their_new_paragraph(paired):
    data = pair_unanswerable(paired, share=0.25, seed=3)
    new = data.frame[data.frame["answers"] == "[]"]
    assert len(new) == 12
    assert (data.frame["answers"] == "[]").mean() == 0.25
    assert data.frame["id"].is_unique
    home = paired.frame.set_index("question")
    for _, row in new.iterrows():
        origin = home.loc[row["question"]]
        assert row["article"] == origin["article"]
        assert row["context"] != origin["context"]
        for text, _ in place_answers(origin["answers"], origin["context"]):
            assert text not in row["context"]
    assert not new["question"].str.contains("sun").any(), "sun stands in every paragraph"
    assert data.frame[: len(paired)].equals(paired.frame)


def test_pairing_is_seeded_keeps_splits_and_stops_where_nothing_fits(paired):
    one, again, other = (pair_unanswerable(paired, share=0.2, seed=s).frame for s in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)
    split = split_dataset(paired, seed=0)
    data = pair_unanswerable(split, share=0.3)
    assert data.frame.groupby("article")["split"].nunique().max() == 1
    assert (pair_unanswerable(paired, share=0.9).frame["answers"] == "[]").sum() == 18, "only the things can be paired"
    assert len(pair_unanswerable(data, share=0.1)) == len(data)
    with pytest.raises(OptionError, match=r"is 1\.0: give 0 to below 1"):
        pair_unanswerable(paired, share=1.0)


def test_rows_that_are_no_questions_cannot_be_paired(topics):
    with pytest.raises(OptionError, match="'topics' has no questions with answers to pair"):
        pair_unanswerable(topics)
