import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lmcore.analysis.concepts.directions import Directions, concept_vectors, direction_accuracy
from lmcore.analysis.concepts.sets import concept_from_words, random_concept
from lmcore.errors import InputError


def planted(rows=600, features=6, *, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features)) @ rng.normal(size=(features, features))
    has = rng.random(rows) < 0.4
    x[has, 2] += 2.0
    return x, has


def test_the_direction_is_that_of_fishers_discriminant():
    x, has = planted()
    unit, gap = Directions(x).of(has[None])
    fisher = LinearDiscriminantAnalysis(solver="lsqr").fit(x, has).coef_[0]
    assert unit[0] @ fisher / np.linalg.norm(fisher) > 0.999
    assert np.linalg.norm(unit[0]) == pytest.approx(1)
    assert gap[0] == pytest.approx((x[has].mean(axis=0) - x[~has].mean(axis=0)) @ unit[0])
    assert gap[0] > 0


def test_many_parts_at_once_are_the_same_as_one_by_one():
    x, has = planted()
    other = np.random.default_rng(3).random(len(x)) < 0.2
    together = Directions(x).of(np.vstack([has, other]))
    for number, part in enumerate((has, other)):
        alone = Directions(x).of(part[None])
        assert together[0][number] == pytest.approx(alone[0][0])
        assert together[1][number] == pytest.approx(alone[1][0])


def test_the_complement_points_the_other_way():
    x, has = planted()
    unit, gap = Directions(x).of(np.vstack([has, ~has]))
    assert unit[0] == pytest.approx(-unit[1])
    assert gap[0] == pytest.approx(gap[1])


def test_features_that_say_nothing_and_fewer_examples_than_features_do_no_harm():
    x, has = planted(rows=20, features=4)
    wide = np.hstack([x, np.full((20, 1), 5.0), np.random.default_rng(0).normal(size=(20, 60))])
    unit, _ = Directions(wide).of(has[None])
    assert np.isfinite(unit).all()
    assert unit[0, 4] == 0
    same = Directions(np.ones((20, 3))).of(has[None])
    assert not same[0].any()
    assert not same[1].any()
    with pytest.raises(InputError, match="not finite"):
        Directions(np.full((4, 2), np.nan))


def test_held_out_texts_are_told_apart_only_where_there_is_something():
    rng = np.random.default_rng(1)
    x, has = rng.normal(size=(600, 6)), rng.random(600) < 0.3
    x[has, 2] += 2
    assert direction_accuracy(x, has, seed=0) == pytest.approx(0.841, abs=0.03)  # the normal distribution's up to 1
    chance = [direction_accuracy(rng.normal(size=(200, 30)), rng.random(200) < 0.3, seed=0) for _ in range(5)]
    assert np.mean(chance) == pytest.approx(0.5, abs=0.06)


def test_a_concept_of_words_has_a_direction_in_every_layer(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()
    found = concept_vectors(tiny_loaded, concept_from_words("food", ["bread", "soup", "cheese", "rice", "tea"], texts))
    assert found.vectors.shape == (3, 32)
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert (found.accuracies > 0.8).all()
    assert found.to_frame()["layer"].tolist() == [0, 1, 2]
    chance = concept_vectors(tiny_loaded, random_concept(texts, 40, seed=2))
    assert (chance.accuracies < 0.7).all()
    assert chance.fingerprint != found.fingerprint
