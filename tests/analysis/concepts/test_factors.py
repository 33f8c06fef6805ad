import numpy as np
import pytest

from lmcore.analysis.concepts.factors import factorise, find_factors, split_signs
from lmcore.errors import DataError, InputError, OptionError


def test_planted_factors_are_recovered():
    rng = np.random.default_rng(0)
    patterns = np.kron(np.eye(3), np.ones(5)) * rng.uniform(0.5, 1.5, (3, 15))
    weights = rng.exponential(size=(200, 3)) * (rng.random((200, 3)) < 0.4)
    found = factorise(weights @ patterns, 3)
    unit = patterns / np.linalg.norm(patterns, axis=1, keepdims=True)
    alike = unit @ found.patterns.T
    assert (alike.max(axis=1) > 0.99).all()
    assert sorted(alike.argmax(axis=1)) == [0, 1, 2]
    for planted, got in zip(weights.T, found.weights.T[alike.argmax(axis=1)], strict=True):
        assert np.corrcoef(planted, got)[0, 1] > 0.99
    assert found.error < 0.02
    assert found.weights.min() >= 0
    assert found.patterns.min() >= 0


def test_the_error_is_what_is_left_as_a_share():
    x = np.abs(np.random.default_rng(1).normal(size=(40, 10)))
    found = factorise(x, 4, seed=2)
    left = np.linalg.norm(x - found.weights @ found.patterns) / np.linalg.norm(x)
    assert found.error == pytest.approx(left)
    assert factorise(x, 8, seed=2).error < found.error
    assert factorise(np.zeros((4, 3)), 2).error == 0


def test_signs_are_split_without_loss():
    x = np.random.default_rng(0).normal(3, 2, size=(50, 4))
    x[:, 3] = 7
    split = split_signs(x)
    assert split.min() == 0
    varied = x[:, :3]
    assert (split[:, :4] - split[:, 4:])[:, :3] == pytest.approx((varied - varied.mean(axis=0)) / varied.std(axis=0))
    assert not split[:, [3, 7]].any()


@pytest.mark.parametrize(
    ("x", "factors", "error", "said"),
    [
        (np.array([[1.0, -1.0]]), 1, InputError, "numbers from 0 on"),
        (np.array([[1.0, np.nan]]), 1, InputError, "finite"),
        (np.ones((3, 2)), 3, OptionError, "from 1 to 2"),
    ],
)
def test_what_cannot_be_factored_is_refused(x, factors, error, said):
    with pytest.raises(error, match=said):
        factorise(x, factors)


def test_words_of_one_kind_share_a_factor_at_the_embeddings(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()
    found = find_factors(tiny_loaded, texts, layer=0, factors=5, top=6)
    assert (found.layer, found.level) == (0, "word")
    assert found.top.groupby("factor").size().tolist() == [6] * 5
    shares = found.top.groupby("factor")["share"].first()
    assert shares.is_monotonic_decreasing
    assert shares.sum() == pytest.approx(1)
    for _, each in found.top.groupby("factor"):
        assert each["weight"].is_monotonic_decreasing
    for row in found.top.itertuples():
        assert texts[row.row] == row.text
        assert row.word in row.text.split()
    assert found.directions.shape == (5, 32)


def test_whole_texts_are_factored_too_and_the_seed_fixes_it(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()
    one, again = (find_factors(tiny_loaded, texts, level="text", factors=3, most=50, seed=4) for _ in range(2))
    assert one.layer == 2
    assert one.weights.shape == (50, 3)
    assert (one.top["word"] == "").all()
    assert one.top.equals(again.top)
    assert one.fingerprint == again.fingerprint


def test_layers_and_texts_that_are_not_there_are_refused(tiny_loaded):
    with pytest.raises(OptionError, match="from 0 to 2"):
        find_factors(tiny_loaded, ["rain"], layer=3)
    with pytest.raises(DataError, match="no texts"):
        find_factors(tiny_loaded, [])
    with pytest.raises(DataError, match="no word in the texts"):
        find_factors(tiny_loaded, ["..."])
