import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lmcore.errors import InputError
from lmcore.models.linear import fit_linear, fit_linear_labels


def clusters(classes, rows=300, features=8, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    centres = rng.normal(size=(classes, features)) * 1.5
    scale = 10.0 ** rng.integers(-2, 3, features)
    return ((centres[y] + rng.normal(size=(rows, features))) * scale + 5).astype(np.float32), y


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_equals_scikit_learn_on_standardised_features(classes, strength):
    x, y = clusters(classes)
    fit = fit_linear(x, y, seed=0, C=strength)
    scaled = StandardScaler().fit_transform(x.astype(np.float64))
    oracle = LogisticRegression(C=strength, max_iter=2000).fit(scaled, y)
    logits = fit.logits(x)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert probabilities == pytest.approx(oracle.predict_proba(scaled), abs=5e-3)
    assert (fit.predict(x) == oracle.predict(scaled)).mean() > 0.99
    assert (fit.weight.shape, fit.bias.shape) == ((classes, 8), (classes,))
    assert fit.weight.dtype == fit.bias.dtype == np.float32


def test_two_classes_share_one_decision():
    fit = fit_linear(*clusters(2), seed=0, C=1.0)
    assert fit.weight[0] == pytest.approx(-fit.weight[1])
    assert fit.bias[0] == pytest.approx(-fit.bias[1])


def test_a_feature_that_never_changes_does_no_harm():
    x, y = clusters(3)
    with_constant = np.hstack([x, np.full((len(x), 1), 7, np.float32)])
    assert fit_linear(with_constant, y, seed=0, C=1.0).logits(with_constant) == pytest.approx(
        fit_linear(x, y, seed=0, C=1.0).logits(x), abs=1e-2
    )


def test_more_features_than_rows():
    x, y = clusters(2, rows=20, features=50)
    assert (fit_linear(x, y, seed=0, C=1.0).predict(x) == y).all()


@pytest.mark.parametrize(
    ("x", "y", "strength", "sentence"),
    [
        (np.zeros((3, 2)), np.array([0, 1]), 1, "have the shape"),
        (np.zeros((0, 2)), np.zeros(0, int), 1, "have the shape"),
        (np.zeros(3), np.array([0, 1, 1]), 1, "have the shape"),
        (np.array([[1.0], [np.nan]]), np.array([0, 1]), 1, "not finite"),
        (np.array([[1.0], [np.inf]]), np.array([0, 1]), 1, "not finite"),
        (np.eye(2), np.array([0, 0]), 1, "two classes or more"),
        (np.eye(2), np.array([0, 2]), 1, "Every class needs"),
        (np.eye(2), np.array([0, 1]), 0, "C is 0"),
        (np.eye(2), np.array([0, 1]), float("nan"), "C is nan"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, y, strength, sentence):
    with pytest.raises(InputError, match=sentence):
        fit_linear(x, y, seed=0, C=strength)


def test_labels_are_fitted_one_by_one_and_constant_ones_get_their_odds():
    x, y = clusters(3)
    has = np.stack([y == 0, y > 0, np.ones(len(y), bool), np.zeros(len(y), bool)], axis=1)
    fit = fit_linear_labels(x, has, seed=0, C=1.0)
    scaled = StandardScaler().fit_transform(x.astype(np.float64))
    wanted = LogisticRegression(max_iter=2000).fit(scaled, has[:, 0]).predict_proba(scaled)[:, 1]
    assert 1 / (1 + np.exp(-fit.logits(x)[:, 0])) == pytest.approx(wanted, abs=5e-3)
    assert fit.logits(x)[:, 1] == pytest.approx(-fit.logits(x)[:, 0], abs=1e-2)
    assert fit.logits(x)[0, 2:] == pytest.approx([np.log(600 + 1), -np.log(600 + 1)], rel=1e-3)
