import numpy as np
import pandas as pd
import pytest

from lmcore.data import load_dataset
from lmcore.tasks import load_task
from lmcore.tasks.styled import styled
from lmcore.types import Prediction

NAMES = ["ann", "bo", "cy", "di", "ed", "flo", "gus", "hal", "ida", "jo"] * 4
PLAIN = [f"give {name} the {number}" for number, name in enumerate(NAMES)]
POLITE = [f"please would you give {name} the {number}" for number, name in enumerate(NAMES)]


def test_targets_are_in_the_style_and_sources_are_not():
    assert styled(PLAIN, POLITE, POLITE).value == 1.0
    assert styled(PLAIN, POLITE, PLAIN).value == 0.0
    half = styled(PLAIN, POLITE, [*POLITE[:20], *PLAIN[20:]])
    assert half.value == 0.5
    assert half.each.tolist() == [1.0] * 20 + [0.0] * 20
    low, high = half.interval(seed=0)
    assert 0.3 < low < 0.5 < high < 0.7


def test_a_row_is_judged_by_what_was_learnt_from_other_rows():
    """The words of a row's own target stand in no other row: a judge that had seen them would know them."""
    rng = np.random.default_rng(0)
    invented = ["".join(rng.choice(list("abcdefghij"), 8)) for _ in range(80)]
    sources, targets = invented[:40], invented[40:]
    assert styled(sources, targets, targets).each.tolist() == styled(sources, targets, sources).each.tolist()
    repeated = styled(sources[:1] * 40, targets, targets)
    assert repeated.value == 0.0, "all rows have the same source: there is nothing to learn from"


@pytest.mark.parametrize("sample", ["politeness-en", "register-zh"])
def test_the_styles_of_the_samples_are_told_apart(sample):
    frame = load_dataset(f"sample:{sample}", task="style-transfer").frame.dropna()
    sources, targets = frame["source"].tolist(), frame["target"].tolist()
    assert styled(sources, targets, targets).value > 0.8
    assert styled(sources, targets, sources).value < 0.2
    for nothing in ("", "zzqx qqq"):
        assert styled(sources, targets, [nothing] * len(sources)).value == 0.0
        assert styled(targets, sources, [nothing] * len(sources)).value == 0.0


def test_rows_that_nothing_is_learnt_for_count_in_neither_way():
    alone = styled(["hi there"], ["good day"], ["good day"])
    assert alone.counts.sum() == 0
    assert styled(["a\ud800b c"] * 3, ["x y"] * 3, ["x y"] * 3).value == 0.0


def test_it_stands_among_the_tasks_figures():
    task = load_task("style-transfer")
    frame = pd.DataFrame({"id": range(40), "source": PLAIN, "target": POLITE})
    copied = [Prediction(n, text=text) for n, text in enumerate(PLAIN)]
    scores = task.score(frame, copied, (), seed=0)
    assert (scores.metrics["style"], scores.metrics["content"]) == (0.0, pytest.approx(100))
    assert scores.intervals["style"] == (0.0, 0.0)
    assert task.tally(task.table(frame, copied)).figures() == pytest.approx(scores.metrics)


@pytest.mark.parametrize("texts", [[], ["!"], ["!", "?"]])
def test_without_words_nothing_is_in_the_style(texts):
    assert styled(texts, texts, texts).value == 0.0
