"""BLEU, chrF and ROUGE against the libraries that define them."""

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from lmcore.tasks.overlap import bleu, chrf, rouge

WORDS = [
    "a",
    "the",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "under",
    "mat",
    ",",
    ".",
    "it",
    "was",
    "very",
    "old",
    "and",
    "red",
    "house",
]
CHARACTERS = list("我们今天去吃饭他说好的了在家天气很，。")


def pairs(rows, words=WORDS, joiner=" ", seed=0):
    rng = np.random.default_rng(seed)
    wanted = [list(rng.choice(words, rng.integers(1, 15))) for _ in range(rows)]
    written = [
        [w if rng.random() < 0.7 else str(rng.choice(words)) for w in row][: rng.integers(1, 16)] for row in wanted
    ]
    return [joiner.join(row) for row in written], [joiner.join(row) for row in wanted]


@pytest.mark.parametrize("rows", [1, 3, 60])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_sacrebleu(rows, seed):
    written, wanted = pairs(rows, seed=seed)
    assert bleu(written, wanted).value == pytest.approx(BLEU(force=True).corpus_score(written, [wanted]).score)
    assert chrf(written, wanted).value == pytest.approx(CHRF().corpus_score(written, [wanted]).score)


def test_chinese_is_cut_by_sacrebleus_zh():
    written, wanted = pairs(40, CHARACTERS, "")
    assert bleu(written, wanted).value == pytest.approx(BLEU(tokenize="zh").corpus_score(written, [wanted]).score)
    assert bleu(written, wanted).value > 10
    assert chrf(written, wanted).value == pytest.approx(CHRF().corpus_score(written, [wanted]).score)


@pytest.mark.parametrize("written", [["", ""], ["x y", "z"], ["the cat", ""]])
def test_nothing_in_common_is_as_in_sacrebleu(written):
    wanted = ["the cat sat on the mat", "it was old"]
    assert bleu(written, wanted).value == pytest.approx(BLEU(force=True).corpus_score(written, [wanted]).score)
    assert chrf(written, wanted).value == pytest.approx(CHRF().corpus_score(written, [wanted]).score)
    assert all(
        low <= high for low, high in (bleu(written, wanted).interval(seed=0), chrf(written, wanted).interval(seed=0))
    )


def test_equal_to_rouge_score_on_english():
    written, wanted = pairs(50)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    scores = [scorer.score(gold, text) for text, gold in zip(written, wanted, strict=True)]
    found = rouge(written, wanted)
    for name, kind in {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL"}.items():
        assert found[name].value == pytest.approx(np.mean([s[kind].fmeasure for s in scores]))
        assert found[name].each.tolist() == pytest.approx([s[kind].fmeasure for s in scores])


def test_rouge_compares_chinese_by_character_and_knows_other_letters():
    assert rouge(["今天下雨"], ["今天下雪"])["rouge1"].value == pytest.approx(0.75)
    assert rouge(["今天下雨"], ["今天下雪"])["rouge2"].value == pytest.approx(2 / 3)
    assert rouge(["Schöne Grüße"], ["schöne Grüße!"])["rouge_l"].value == 1.0


@pytest.mark.parametrize("figure", [bleu, chrf, lambda written, wanted: rouge(written, wanted)["rouge_l"]])
def test_the_interval_is_that_of_resampled_corpora(figure):
    written, wanted = pairs(80)
    overlap = figure(written, wanted)
    rng = np.random.default_rng(5)
    drawn = [rng.integers(0, 80, 80) for _ in range(300)]
    values = [overlap.figure(overlap.counts[rows].sum(axis=0)) for rows in drawn]
    some = drawn[0]
    again = figure([written[i] for i in some], [wanted[i] for i in some]).value
    assert values[0] == pytest.approx(again)
    low, high = overlap.interval(seed=1)
    wide = np.percentile(values, 97.5) - np.percentile(values, 2.5)
    assert (low, high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])), abs=0.2 * wide)
    assert low < overlap.value < high
    assert overlap.interval(seed=1) == (low, high) != overlap.interval(seed=2)
