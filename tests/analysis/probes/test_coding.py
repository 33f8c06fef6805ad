import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lmcore.analysis.probes.classifiers import fit_probe, linear, mlp
from lmcore.analysis.probes.coding import online_code
from lmcore.analysis.probes.control import control_classes
from lmcore.analysis.probes.scoring import accuracy, compression, selectivity


def vectors(rows=400, *, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)


def uninformed(x, y, *, seed):
    """A probe that gives every class it was shown the same probability."""
    classes = int(y.max()) + 1
    return lambda other: np.zeros((len(other), classes))


def test_the_code_is_that_of_a_probe_fitted_to_all_portions_before():
    x = vectors(200)
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    found = online_code(linear(strength=0.5), x, y, 2, seed=3, portions=(0.1, 0.5, 1.0))
    assert found.ends == (20, 100, 200)
    assert found.uniform == 200
    order = np.random.default_rng(3).permutation(200)
    expected = [20.0]
    for sent, end in ((20, 100), (100, 200)):
        known, new = order[:sent], order[sent:end]
        scaler = StandardScaler().fit(x[known])
        model = LogisticRegression(C=0.5).fit(scaler.transform(x[known]), y[known])
        chances = model.predict_proba(scaler.transform(x[new]))[np.arange(len(new)), y[new]]
        expected.append(-np.log2(chances).sum())
    assert found.portions == pytest.approx(expected, abs=0.02)
    assert found.length == pytest.approx(sum(expected), abs=0.05)


def test_vectors_that_say_nothing_cost_what_the_uniform_code_does():
    y = np.arange(400) % 4
    found = online_code(uninformed, vectors(), y, 4, seed=0, portions=(0.5, 1.0))
    assert found.length == pytest.approx(800)
    assert found.compression == pytest.approx(1)


def test_a_class_that_was_not_sent_yet_has_the_share_left_for_it():
    y = np.array([0, 0, 0, 0, 1, 2])
    found = online_code(linear(strength=1.0), vectors(6), y, 3, seed=0, groups=np.arange(6) // 4, portions=(4 / 6, 1.0))
    first = found.bits[:4] if found.bits[0] == math.log2(3) else found.bits[4:]
    assert (first == math.log2(3)).all()
    if len(first) == 4:  # the four of class 0 were sent first; then t = 4 and u = 2
        assert found.bits[4:] == pytest.approx([math.log2(6)] * 2)


def test_an_easy_property_is_shorter_than_a_hard_one_and_than_chance():
    x = vectors()
    easy = (x[:, 0] > 0).astype(int)
    hard = np.where(np.random.default_rng(1).random(400) < 0.3, 1 - easy, easy)
    chance = np.random.default_rng(2).integers(2, size=400)
    found = [online_code(linear(strength=0.1), x, y, 2, seed=0) for y in (easy, hard, chance)]
    assert found[0].length < found[1].length < found[2].length
    assert found[0].compression > 2
    assert found[2].compression < 1.05
    low, high = (lambda s: (s.low, s.high))(compression(found[0], np.arange(400), seed=0))
    assert low < found[0].compression < high
    assert low > 1


def test_words_of_one_text_are_sent_together():
    groups = np.repeat(np.arange(50), 8)
    y = groups % 2
    found = online_code(uninformed, vectors(), y, 2, seed=0, groups=groups, portions=(0.25, 1.0))
    assert found.ends == (100, 400)
    again = online_code(uninformed, vectors(), y, 2, seed=0, groups=groups, portions=(0.25, 1.0))
    assert (found.bits == again.bits).all()


@pytest.mark.parametrize(("fit", "reads"), [(linear(strength=0.1), False), (mlp(strength=0.1, hidden=32), True)])
def test_only_a_hidden_layer_finds_what_is_folded(fit, reads):
    x, other = vectors(800), vectors(400, seed=9)
    folded = lambda v: (v[:, 0] * v[:, 1] > 0).astype(int)  # noqa: E731
    probe = fit_probe(fit, x, folded(x), 2, seed=0)
    share = (probe.predict(other) == folded(other)).mean()
    assert share > 0.85 if reads else share < 0.65
    assert np.exp(probe.probabilities(other)).sum(axis=1) == pytest.approx(np.ones(400))


def test_a_probe_that_saw_one_class_says_that():
    probe = fit_probe(linear(strength=1.0), vectors(5), np.full(5, 2), 4, seed=0)
    assert (probe.predict(vectors(3)) == 2).all()
    assert np.exp(probe.probabilities(vectors(3)))[0].tolist() == [0, 0, 1, 0]


def test_control_labels_stick_to_the_word_and_come_as_often_as_in_the_task():
    types = [f"word{n % 3000}" for n in range(6000)]
    found = control_classes(types, np.array([0.7, 0.2, 0.1]), seed=1)
    assert (found[:3000] == found[3000:]).all()
    assert np.bincount(found) / 6000 == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    assert (control_classes(types[5:9], np.array([0.7, 0.2, 0.1]), seed=1) == found[5:9]).all()
    assert (control_classes(types, np.array([0.7, 0.2, 0.1]), seed=2) != found).any()


def test_a_class_that_never_comes_is_never_drawn():
    assert set(control_classes([str(n) for n in range(500)], np.array([1.0, 0.0, 1.0]), seed=0)) == {0, 2}


def test_intervals_take_the_words_of_a_text_as_one_draw():
    rng = np.random.default_rng(0)
    of_text = rng.random(100) < 0.7
    right, texts = np.repeat(of_text, 10), np.repeat(np.arange(100), 10)
    whole, alone = accuracy(right, texts, seed=0), accuracy(right, np.arange(1000), seed=0)
    assert whole.value == alone.value == right.mean()
    assert whole.high - whole.low > 2.5 * (alone.high - alone.low)
    none = selectivity(right, right, texts, seed=0)
    assert (none.value, none.low, none.high) == (0, 0, 0)
