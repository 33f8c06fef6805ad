"""The black-box methods on games whose answers are known."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lmcore.analysis.attribution.cost import calls_of
from lmcore.analysis.attribution.erasure import leave_one_out, occlusion
from lmcore.analysis.attribution.games import Tree, play
from lmcore.analysis.attribution.local_linear import lime
from lmcore.analysis.attribution.methods import ATTRIBUTION, is_black_box
from lmcore.analysis.attribution.partition import partition_shapley
from lmcore.analysis.attribution.shapley import coalitions, kernel_shap
from lmcore.analysis.attribution.units import halved
from lmcore.errors import Cancelled
from lmcore.types import Silent

WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0, 0.0])


def tree(count):
    return halved([Tree((n,)) for n in range(count)])


def linear(kept):
    return kept @ WEIGHTS[: kept.shape[-1]] + 0.25


def tangled(kept):
    """Weights, a pair that only counts together, and one that counts where another is absent."""
    k = kept.astype(float)
    return linear(kept) + 4 * k[..., 0] * k[..., 3] - 2 * k[..., 1] * (1 - k[..., 2]) + np.sin(k.sum(axis=-1))


def played(game, function, count=5, **others):
    def values(numbers, rows):
        return [np.array([function(row)]) for row in rows]

    return play([game], [count], values, calls=10, **others)[0]


def orders(function, count, allowed=lambda order: True):
    """Mean contribution over all orders that are allowed, by trying every one."""
    found, number = np.zeros(count), 0
    for order in permutations(range(count)):
        if not allowed(order):
            continue
        kept = np.zeros(count, dtype=bool)
        before = function(kept)
        for unit in order:
            kept[unit] = True
            after = function(kept)
            found[unit] += after - before
            before = after
        number += 1
    return found / number


def test_leave_one_out_is_the_fall_without_each():
    found = played(leave_one_out(tree(5)), tangled)
    everything = np.ones(5, dtype=bool)
    for unit in range(5):
        without = everything.copy()
        without[unit] = False
        assert found.scores[unit, 0] == pytest.approx(tangled(everything) - tangled(without))
    assert not found.adds_up
    assert found.calls == 7


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2), (2, 2), (9, 1)])
def test_occlusion_is_captums(window, stride):
    import torch
    from captum.attr import Occlusion

    def rows(x):
        return torch.tensor([tangled(row) for row in (x.numpy() == 1)])

    oracle = Occlusion(rows).attribute(
        torch.ones(1, 5), sliding_window_shapes=(min(window, 5),), strides=min(stride, window), baselines=0.0
    )
    found = played(occlusion(tree(5), window=window, stride=stride), tangled)
    assert found.scores[:, 0] == pytest.approx(oracle[0].numpy(), abs=1e-5)


def test_few_units_get_their_exact_shapley_values():
    found = played(kernel_shap(tree(5), samples=30, seed=0), tangled)
    assert found.scores[:, 0] == pytest.approx(orders(tangled, 5), abs=1e-9)
    assert found.calls == 32
    assert found.scores.sum() == pytest.approx(found.value[0] - found.nothing[0], abs=1e-12)


def test_sampled_shapley_values_are_near_and_add_up():
    exact = orders(tangled, 5)
    found = [played(kernel_shap(tree(5), samples=20, seed=seed), tangled) for seed in range(12)]
    for each in found:
        assert each.calls <= 22
        assert each.scores.sum() == pytest.approx(each.value[0] - each.nothing[0], abs=1e-9)
    assert np.mean([each.scores[:, 0] for each in found], axis=0) == pytest.approx(exact, abs=0.15)
    same = played(kernel_shap(tree(5), samples=20, seed=3), tangled)
    assert same.scores.tolist() == found[3].scores.tolist()


def test_many_units_are_sampled_without_asking_for_too_much():
    weights = np.linspace(-1, 2, 40)
    found = played(kernel_shap(tree(40), samples=400, seed=1), lambda kept: kept @ weights, 40)
    assert found.scores[:, 0] == pytest.approx(weights, abs=1e-6)
    assert found.calls <= 402


@pytest.mark.parametrize("samples", [8, 14, 30, 500])
def test_the_weights_are_those_of_the_shapley_kernel(samples):
    rows, weights = coalitions(5, samples, np.random.default_rng(0))
    assert len(rows) <= samples
    assert len({row.tobytes() for row in rows}) == len(rows)
    assert weights.sum() == pytest.approx(sum(4 / (s * (5 - s)) for s in range(1, 5)))
    assert (rows.sum(axis=1) % 5 > 0).all()


def test_the_partition_gives_owen_values():
    """Every order in which each part of the tree stands together counts the same."""
    whole = Tree(
        (0, 1, 2, 3, 4), (Tree((0, 1), (Tree((0,)), Tree((1,)))), halved([Tree((2,)), Tree((3,)), Tree((4,))]))
    )

    def together(order):
        def joined(part):
            places = sorted(order.index(unit) for unit in part.units)
            return places[-1] - places[0] == len(places) - 1 and all(joined(half) for half in part.parts)

        return joined(whole)

    found = played(partition_shapley(whole, calls=1000), tangled)
    assert found.scores[:, 0] == pytest.approx(orders(tangled, 5, together), abs=1e-12)
    plain = played(partition_shapley(tree(2), calls=1000), lambda kept: tangled(np.append(kept, [True] * 3)), 2)
    assert plain.scores[:, 0] == pytest.approx(orders(lambda k: tangled(np.append(k, [True] * 3)), 2), abs=1e-12)


def test_a_partition_that_may_ask_little_still_adds_up():
    found = played(partition_shapley(tree(5), calls=6), tangled)
    assert found.calls <= 6
    assert found.scores.sum() == pytest.approx(found.value[0] - found.nothing[0], abs=1e-12)
    assert len(set(np.round(found.scores[:, 0], 9))) < 5


def test_lime_finds_the_weights_of_a_linear_game():
    found = played(lime(tree(5), samples=300, width=25.0, penalty=1e-6, seed=0), linear)
    assert found.scores[:, 0] == pytest.approx(WEIGHTS, abs=1e-4)
    assert not found.adds_up


def test_lime_is_a_weighted_ridge_of_what_it_drew():
    seen = []

    def values(numbers, rows):
        seen.extend(rows)
        return [np.array([tangled(row)]) for row in rows]

    game = lime(tree(5), samples=60, width=10.0, penalty=1.0, seed=4)
    kept = next(game)
    found = play([lime(tree(5), samples=60, width=10.0, penalty=1.0, seed=4)], [5], values, calls=60)[0]
    distance = 1 - np.sqrt(kept.sum(axis=1) / 5)
    weights = np.exp(-((distance * 100 / 10.0) ** 2) / 2)
    expected = Ridge(alpha=1.0).fit(kept, [tangled(row) for row in kept], sample_weight=weights).coef_
    assert found.scores[:, 0] == pytest.approx(expected, abs=1e-9)
    assert kept[0].all()
    assert {row.tobytes() for row in kept} <= {row.tobytes() for row in seen}


@pytest.mark.parametrize("name", [name for name in ATTRIBUTION if is_black_box(name)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_method_takes_any_number_of_units_and_asks_no_more_than_it_says(name, count):
    parameters = ATTRIBUTION[name].check({})
    settings = {key: value for key, value in parameters.items() if key not in ("unit", "baseline")}
    found = played(ATTRIBUTION[name].load()(tree(count), **settings), linear, count)
    assert found.scores.shape == (count, 1)
    assert found.calls <= calls_of(name, tree(count), parameters) + 2
    signs = np.sign(found.scores[:, 0].round(6))
    if not name.startswith(("lime", "occlusion")):
        assert signs.tolist() == np.sign(WEIGHTS[:count]).tolist()


def test_several_outputs_are_explained_at_once():
    def values(numbers, rows):
        return [np.array([tangled(row), -2 * tangled(row)]) for row in rows]

    for name in (name for name in ATTRIBUTION if is_black_box(name)):
        settings = {k: v for k, v in ATTRIBUTION[name].check({}).items() if k not in ("unit", "baseline")}
        (found,) = play([ATTRIBUTION[name].load()(tree(5), **settings)], [5], values, calls=1)
        alone = played(ATTRIBUTION[name].load()(tree(5), **settings), tangled)
        assert found.scores[:, 0] == pytest.approx(alone.scores[:, 0], abs=1e-9)
        assert found.scores[:, 1] == pytest.approx(-2 * alone.scores[:, 0], abs=1e-9)


def test_games_in_step_get_what_each_gets_alone_and_never_ask_twice():
    asked = []

    def values(numbers, rows):
        asked.extend((int(n), row.tobytes()) for n, row in zip(numbers, rows, strict=True))
        return [np.array([tangled(row) if n else linear(row)]) for n, row in zip(numbers, rows, strict=True)]

    first, second = play(
        [partition_shapley(tree(3), calls=100), kernel_shap(tree(5), samples=30, seed=0)], [3, 5], values, calls=40
    )
    assert first.scores[:, 0] == pytest.approx(WEIGHTS[:3])
    assert second.scores[:, 0] == pytest.approx(orders(tangled, 5), abs=1e-9)
    assert len(set(asked)) == len(asked)


def test_work_can_be_stopped_and_says_how_far_it_is():
    class Watching(Silent):
        def __init__(self):
            self.fractions, self.left = [], 3

        def progress(self, fraction, message=""):
            self.fractions.append(fraction)

        def check(self):
            self.left -= 1
            if not self.left:
                raise Cancelled("The user asked to stop.")

    watching = Watching()
    with pytest.raises(Cancelled):
        played(partition_shapley(tree(5), calls=1000), tangled, report=watching)
    assert watching.fractions == sorted(watching.fractions) != []
