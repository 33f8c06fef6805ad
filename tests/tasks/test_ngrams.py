import numpy as np
import pytest

from lmcore.tasks.ngrams import NgramModel

TEXTS = [[0, 1, 2, 1, 2], [0, 1, 3]]
EVERY = np.arange(5)


def test_unigram_is_add_one():
    model = NgramModel.count(TEXTS, 5)
    assert model.unigram(EVERY) == pytest.approx(np.array([3, 4, 3, 2, 1]) / 13)
    assert model.unigram_ranks(EVERY).tolist() == [1, 0, 1, 3, 4]


def test_bigram_is_interpolated_kneser_ney():
    model = NgramModel.count(TEXTS, 5)
    # Pairs: 01 twice, 12 twice, 21, 13; token 1 follows 0 and 2, so that its share of the rest is (2 + 1) / (4 + 5).
    found = model.bigram(np.array([0, 1, 1, 4]), np.array([1, 2, 0, 1]))
    assert found == pytest.approx(
        [1.25 / 2 + 0.75 / 2 * 3 / 9, 1.25 / 3 + 0.75 * 2 / 3 * 2 / 9, 0.75 * 2 / 3 * 1 / 9, 3 / 9]
    )


@pytest.mark.parametrize("context", range(5))
def test_probabilities_sum_to_one(context):
    model = NgramModel.count(TEXTS, 5)
    assert model.bigram(np.full(5, context), EVERY).sum() == pytest.approx(1)
    assert model.unigram(EVERY).sum() == pytest.approx(1)


def test_nothing_counted_is_uniform():
    model = NgramModel.count([], 5)
    assert model.unigram(EVERY) == pytest.approx(np.full(5, 0.2))
    assert model.bigram(EVERY, EVERY) == pytest.approx(np.full(5, 0.2))
