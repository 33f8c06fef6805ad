"""shap (Lundberg & Lee) on the same games, and games of which the textbook gives the values."""

import numpy as np
import pytest

from lmcore.analysis.attribution.games import Tree, play
from lmcore.analysis.attribution.partition import partition_shapley
from lmcore.analysis.attribution.shapley import kernel_shap
from tests.analysis.attribution.test_games import orders, played, tangled, tree
from tests.analysis.oracles.quietly import oracle, quiet


def rows_of(game):
    return lambda rows: np.array([float(game(np.asarray(row) > 0.5)) for row in rows])


def glove(kept):
    """One owner of a left glove, two of a right one: a pair is worth 1."""
    return float(kept[0] and (kept[1] or kept[2]))


def majority(kept):
    return float(np.dot(kept, [3, 2, 2, 1]) >= 5)


def airport(kept):
    """A runway costs what its largest aeroplane needs."""
    return float(max((cost for cost, there in zip((1, 3, 7, 12), kept, strict=True) if there), default=0))


KNOWN = {
    "glove": (glove, [2 / 3, 1 / 6, 1 / 6]),
    "majority": (majority, [5 / 12, 3 / 12, 3 / 12, 1 / 12]),
    "airport": (airport, [1 / 4, 1 / 4 + 2 / 3, 1 / 4 + 2 / 3 + 4 / 2, 1 / 4 + 2 / 3 + 4 / 2 + 5]),
    "unanimity": (lambda kept: float(kept[0] and kept[2]), [1 / 2, 0, 1 / 2]),
    "parity": (lambda kept: float(kept.sum() % 2), [1 / 3] * 3),
}


@pytest.mark.parametrize("name", KNOWN)
def test_textbook_games_have_their_values(name):
    game, values = KNOWN[name]
    found = played(kernel_shap(tree(len(values)), samples=100, seed=0), game, len(values))
    assert found.scores[:, 0] == pytest.approx(values, abs=1e-9)
    assert found.scores[:, 0] == pytest.approx(orders(game, len(values)), abs=1e-9)


@pytest.mark.parametrize("units", [2, 3, 5, 7])
def test_kernel_shap_is_shaps_where_every_coalition_is_asked(units):
    shap = oracle("shap")
    rng = np.random.default_rng(units)
    table = rng.normal(size=2**units)

    def game(kept):
        return table[int(np.asarray(kept, dtype=int) @ 2 ** np.arange(units))]

    with quiet():
        explainer = shap.KernelExplainer(rows_of(game), np.zeros((1, units)), silent=True)
        wanted = explainer.shap_values(np.ones((1, units)), nsamples=2**units + 100, l1_reg=False, silent=True)
    found = played(kernel_shap(tree(units), samples=2**units, seed=0), game, units)
    assert found.scores[:, 0] == pytest.approx(np.ravel(wanted), abs=1e-6)


def test_sampled_kernel_shap_is_as_near_as_shaps():
    """Of 12 units some coalitions are drawn: the error over seeds is at most 1.5 times that of shap with as many."""
    shap = oracle("shap")
    rng = np.random.default_rng(0)
    pairs = np.triu(rng.normal(size=(12, 12)), 1)
    weights = rng.normal(size=12)

    def game(kept):
        k = np.asarray(kept, dtype=float)
        return float(k @ weights + k @ pairs @ k)

    exact = weights + (pairs + pairs.T).sum(axis=1) / 2
    errors = {"ours": [], "theirs": []}
    for seed in range(6):
        own = played(kernel_shap(tree(12), samples=300, seed=seed), game, 12)
        errors["ours"].append(np.abs(own.scores[:, 0] - exact).mean())
        with quiet():
            np.random.seed(seed)
            explainer = shap.KernelExplainer(rows_of(game), np.zeros((1, 12)), silent=True)
            values = explainer.shap_values(np.ones((1, 12)), nsamples=300, l1_reg=False, silent=True)
        errors["theirs"].append(np.abs(np.ravel(values) - exact).mean())
    assert np.mean(errors["ours"]) <= 1.5 * np.mean(errors["theirs"]) + 1e-9
    assert np.mean(errors["ours"]) < 0.1


def test_the_partition_is_shaps():
    shap = oracle("shap")
    # Rows of a linkage: which two clusters are joined; ((0 1) ((2 3) 4)).
    linkage = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [6, 4, 0.3, 3], [5, 7, 1.0, 5]], dtype=float)
    leaf = [Tree((n,)) for n in range(5)]
    inner = Tree((2, 3), (leaf[2], leaf[3]))
    whole = Tree((0, 1, 2, 3, 4), (Tree((0, 1), (leaf[0], leaf[1])), Tree((2, 3, 4), (inner, leaf[4]))))
    with quiet():
        masker = shap.maskers.Independent(np.zeros((1, 5)))
        masker.clustering = linkage
        explainer = shap.explainers.Partition(rows_of(tangled), masker)
        wanted = explainer(np.ones((1, 5)), max_evals=1000, silent=True).values[0]
    (found,) = play([partition_shapley(whole, calls=1000)], [5], lambda n, rows: [np.array([tangled(r)]) for r in rows],
                    calls=10)  # fmt: skip
    assert found.scores[:, 0] == pytest.approx(wanted, abs=1e-6)


def test_permutations_of_shap_come_to_the_same():
    shap = oracle("shap")
    with quiet():
        explainer = shap.explainers.Exact(rows_of(tangled), shap.maskers.Independent(np.zeros((1, 5))))
        exact = explainer(np.ones((1, 5))).values[0]
        drawn = shap.explainers.Permutation(rows_of(tangled), shap.maskers.Independent(np.zeros((1, 5))), seed=0)
        near = drawn(np.ones((1, 5)), max_evals=2000, silent=True).values[0]
    found = played(kernel_shap(tree(5), samples=30, seed=0), tangled)
    assert found.scores[:, 0] == pytest.approx(exact, abs=1e-6)
    assert found.scores[:, 0] == pytest.approx(near, abs=0.1)
