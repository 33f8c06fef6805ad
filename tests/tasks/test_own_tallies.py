"""The tally of each task against what the task measures itself, on all rows and on any part of them."""

import numpy as np
import pandas as pd
import pytest

from lmcore.tasks import load_task
from lmcore.tasks.answering import write_answers
from lmcore.tasks.tally import like_tallies
from lmcore.training.beside import set_beside
from lmcore.training.comparison import compare
from lmcore.training.evaluation import Evaluation
from lmcore.training.slices import measure_slices
from lmcore.types import Prediction, Span

WRITING = ("translation", "summarisation", "style-transfer")
WORDS = [
    "the",
    "old",
    "mill",
    "stands",
    "by",
    "a",
    "river",
    "and",
    "grinds",
    "corn",
    "for",
    "bread",
    "every",
    "morning",
]
ROWS = 40


def tagged(rng, intents=False):
    """Return rows with up to two stretches, and predictions that find some of them and invent others."""
    texts, tags, found = [], [], []
    for _ in range(ROWS):
        words = [f"w{n}" for n in range(6)]
        marks = [f"B-{'xy'[rng.integers(2)]}" if rng.random() < 0.2 else "O" for _ in words]
        said = [mark if rng.random() < 0.7 else ("O", "B-x")[rng.integers(2)] for mark in marks]
        texts.append(" ".join(words))
        tags.append(" ".join(marks))
        found.append(tuple(Span(3 * n, 3 * n + 2, mark[2:]) for n, mark in enumerate(said) if mark != "O"))
    frame = pd.DataFrame({"id": range(ROWS), "text": texts, "tags": tags})
    if intents:
        frame["label"] = rng.choice(["go", "stop"], ROWS)
    wanted = [label if rng.random() < 0.8 else "go" for label in frame["label"]] if intents else [""] * ROWS
    return frame, [Prediction(n, wanted[n], spans=spans) for n, spans in enumerate(found)]


def asked(rng):
    answers = [write_answers([("dark blue", 0)]) if rng.random() < 0.7 else "[]" for _ in range(ROWS)]
    said = rng.choice(["", "blue", "dark blue", "red"], ROWS)
    frame = pd.DataFrame({"id": range(ROWS), "question": "q", "context": "dark blue", "answers": answers})
    odds = {"answer": 0.5, "no answer": 0.5}
    return frame, [Prediction(n, probabilities=odds, text=str(text)) for n, text in enumerate(said)]


def labelled(rng):
    cells = [["-", "a", "b", "a|b", "a|c"], ["-", "a", "b|c", "a|b"]]
    gold, said = (rng.choice(each, ROWS) for each in cells)
    frame = pd.DataFrame({"id": range(ROWS), "text": [f"t{n}" for n in range(ROWS)], "label": gold})
    odds = dict.fromkeys("abc", 0.5)
    return frame, [Prediction(n, str(label), probabilities=odds) for n, label in enumerate(said)]


def written(rng, task):
    texts = [[" ".join(rng.choice(WORDS, rng.integers(5, 12))) for _ in range(ROWS)] for _ in range(2)]
    said = [" ".join(word for word in text.split() if rng.random() < 0.8) for text in texts[1]]
    frame = pd.DataFrame({"id": range(ROWS), task.source: texts[0], task.target: texts[1]})
    return frame, [Prediction(n, text=text) for n, text in enumerate(said)]


def made(name):
    task, rng = load_task(name), np.random.default_rng(4)
    if name in WRITING:
        return (task, *written(rng, task), ())
    if name == "multi-label-classification":
        return (task, *labelled(rng), ("a", "b", "c"))
    if name == "question-answering":
        return (task, *asked(rng), ())
    return (task, *tagged(rng, intents=name == "slot-filling"), ())


def evaluation(task, frame, predictions, version):
    """Return what the task makes of predictions, as an evaluation."""
    scores = task.score(frame, predictions, ("a", "b", "c"), seed=0)
    table = task.table(frame, predictions)
    return Evaluation(
        "", version, "made@1:test", task.name, scores.metrics, scores.intervals, table, {}, {"rows": len(frame)}
    )


@pytest.mark.parametrize(
    "name",
    [*WRITING, "named-entity-recognition", "slot-filling", "question-answering", "multi-label-classification"],
)
def test_the_tally_measures_what_the_task_measures_and_its_main_figure_first(name):
    task, frame, predictions, labels = made(name)
    tally = task.tally(task.table(frame, predictions))
    left_out = {"auroc_macro"}
    for chosen in (np.arange(ROWS), np.arange(0, ROWS, 3), np.arange(5)):
        part, said = frame.iloc[chosen], [predictions[row] for row in chosen]
        wanted = {key: value for key, value in task.measure(part, said, labels).items() if key not in left_out}
        found = tally.part(chosen).figures()
        assert set(found) == set(wanted)
        assert next(iter(found)) == task.main_metric
        by_all = {"style"} if len(chosen) < ROWS else set()  # all rows of a table teach its judge
        by_all |= {"f1_macro"} if len(chosen) == 5 else set()  # its average is over the labels of the whole table
        assert {k: v for k, v in found.items() if k not in by_all} == pytest.approx(
            {k: v for k, v in wanted.items() if k not in by_all}
        )


@pytest.mark.parametrize("name", ["translation", "named-entity-recognition", "multi-label-classification"])
def test_comparisons_and_slices_are_about_the_main_figure(name):
    task, frame, predictions, _ = made(name)
    first = evaluation(task, frame, predictions, "models:/made/1")
    gold = first.predictions["gold"]
    better = [Prediction(p.id, g, p.score, p.probabilities, p.spans, g) for p, g in zip(predictions, gold, strict=True)]
    if name == "named-entity-recognition":
        better = [Prediction(n, spans=spans) for n, spans in enumerate(task.gold_spans(frame))]
    found = compare([first, evaluation(task, frame, better, "models:/made/2")])
    assert found.main.name == task.main_metric
    (said,) = found.verdicts()
    assert said.startswith("models:/made/2 is better than models:/made/1 by ")
    assert f"of {task.metric(task.main_metric).title} " in said
    origin = np.where(np.arange(ROWS) % 2, "web", "shop")
    report = measure_slices(first, frame.assign(origin=origin))
    assert report.metric.name == task.main_metric
    assert report.overall == pytest.approx(first.metrics[task.main_metric])
    assert set(report.slices.loc[report.slices["by"] == "origin", "slice"]) == {"web", "shop"}


def test_more_right_rows_are_not_taken_for_a_better_f1():
    task = load_task("named-entity-recognition")
    text, tags = "w0 w1 w2 w3", "B-x B-x B-x B-x"
    frame = pd.DataFrame({"id": range(40), "text": text, "tags": [tags] * 20 + ["O O O O"] * 20})
    every = [Span(3 * n, 3 * n + 2, "x") for n in range(4)]
    bold = [Prediction(n, spans=tuple(every if n < 20 else every[:1])) for n in range(40)]  # 20 of 40 rows right
    shy = [Prediction(n, spans=tuple(every[:1] if 5 <= n < 20 else every if n < 5 else ())) for n in range(40)]
    one, two = (evaluation(task, frame, p, f"models:/made/{n}") for n, p in ((1, bold), (2, shy)))
    assert two.predictions["correct"].mean() > one.predictions["correct"].mean()
    assert compare([one, two]).verdicts()[0].startswith("models:/made/1 is better than models:/made/2 by ")


def test_a_slice_without_anything_to_find_is_neither_good_nor_bad():
    task = load_task("named-entity-recognition")
    frame = pd.DataFrame({"id": range(60), "text": "w0 w1", "tags": ["B-x O", "O O", "O B-x"] * 20})
    spans = [(Span(0, 2, "x"),), (), (Span(3, 5, "x"),)] * 20
    wrong = [() if n < 12 else given for n, given in enumerate(spans)]
    result = evaluation(task, frame, [Prediction(n, spans=given) for n, given in enumerate(wrong)], "models:/made/1")
    report = measure_slices(result, frame.assign(kind=["named", "plain", "named"] * 20, half=["a"] * 12 + ["b"] * 48))
    assert report.slices[report.slices["by"] == "kind"]["slice"].tolist() == ["named"]
    whole = report.slices.set_index("slice").loc["b"]
    assert whole["value"] == 1
    assert whole["low"] < 1, "all of 32 sentences with entities are right, which leaves room for errors"


def test_an_evaluation_from_before_the_counts_is_compared_by_the_rows_that_are_right():
    task, frame, predictions, _ = made("named-entity-recognition")
    table = task.table(frame, predictions)
    old = table.drop(columns=["right", "found", "wanted"])
    for tally in like_tallies(task, [old, table]):
        assert tally.figures() == {"share_right": pytest.approx(table["correct"].mean())}
    assert set(like_tallies(task, [table, table])[0].figures()) == {"precision", "recall", "f1"}


def test_a_sentence_in_which_nothing_is_to_be_found_and_nothing_was_counts_as_right():
    task = load_task("named-entity-recognition")
    frame = pd.DataFrame({"id": range(3), "text": "w0 w1", "tags": ["B-x O", "O O", "O O"]})
    spans = (Span(0, 2, "x"),)
    said = [[(), (), ()], [spans, (), spans]]
    two = [
        evaluation(task, frame, [Prediction(n, spans=found) for n, found in enumerate(each)], f"models:/made/{k}")
        for k, each in enumerate(said)
    ]
    assert set_beside(*two).rows["change"].tolist() == ["fixed", "still right", "broken"]
