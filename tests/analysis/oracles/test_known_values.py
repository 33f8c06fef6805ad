"""Values that can be worked out on paper, through the names that programs outside use."""

import numpy as np
import pytest
import torch

from lmcore.analysis import attention_flow, attention_rollout, cross_rollout, integrated_gradients, part_contributions
from lmcore.analysis.trust.erasure_curve import erasure_curve
from lmcore.errors import OptionError
from lmcore.models.linking import argmax_links, itermax_links, softmax_links
from lmcore.tasks.resampling import wilson

relu = torch.relu
# A function, an input, a baseline, and the integral of its gradient by hand.
INTEGRALS = {
    "maximum": (lambda x: torch.maximum(x[0], x[1]), (3.0, 1.0), 0.0, (3, 0)),
    "minimum": (lambda x: torch.minimum(x[0], x[1]), (3.0, 1.0), 0.0, (0, 1)),
    "maximum that changes hands": (lambda x: torch.maximum(x[0], x[1] + 1), (3.0, 1.0), 0.0, (1.5, 0.5)),
    "times a constant": (lambda x: 5 * x[0] - 2 * x[1], (3.0, 1.0), 1.0, (10, 0)),
    "product": (lambda x: x[0] * x[1], (2.0, 6.0), 0.0, (6, 6)),
    "product from 1": (lambda x: x[0] * x[1], (2.0, 6.0), (1.0, 0.0), (3, 9)),
    "power": (lambda x: x[0] ** 3 * x[1], (2.0, 4.0), 0.0, (24, 8)),
    "saturated": (lambda x: 1 - relu(1 - x[0]), (4.0, 9.0), 0.0, (1, 0)),
    "dead": (lambda x: relu(x[0] - 9) + x[1], (4.0, 2.0), 0.0, (0, 2)),
    "symmetric": (lambda x: relu(x[0] + x[1] - 1) ** 2, (2.0, 2.0), 0.0, (4.5, 4.5)),
    "absolute": (lambda x: (x[0] - x[1]).abs(), (3.0, 1.0), (0.0, 2.0), (0, 0)),
    "exclusive or": (lambda x: relu(x[0] + x[1]) - 2 * relu(x[0] + x[1] - 1), (1.0, 1.0), 0.0, (0, 0)),
    "logistic": (lambda x: torch.sigmoid(x[0] + 2 * x[1]), (1.0, 1.0), 0.0, None),
}


@pytest.mark.parametrize("name", INTEGRALS)
def test_integrated_gradients_by_hand(name):
    function, x, baseline, scores = INTEGRALS[name]
    if scores is None:  # of a function of one sum each variable's share is its part of the sum
        whole = 1 / (1 + np.exp(-3.0)) - 0.5
        scores = (whole / 3, whole * 2 / 3)
    assert integrated_gradients(function, x, baseline) == pytest.approx(scores, abs=1e-6)


def test_two_networks_of_one_function_and_what_is_not_used():
    first = lambda x: relu(relu(2 * x[0]) - relu(x[1]) - 2)  # noqa: E731
    second = lambda x: relu(2 * relu(x[0] - 1) - relu(x[1]))  # noqa: E731
    for x in ((4.0, 1.0, 8.0), (2.0, 1.0, -3.0), (0.5, 3.0, 1.0)):
        one, other = integrated_gradients(first, x), integrated_gradients(second, x)
        assert one == pytest.approx(other, abs=1e-6)
        assert one[2] == 0
        assert one.sum() == pytest.approx(float(first(torch.tensor(x))), abs=1e-6)
    both = integrated_gradients(lambda x: 3 * first(x) + x[2], (4.0, 1.0, 8.0))
    assert both == pytest.approx(3 * integrated_gradients(first, (4.0, 1.0, 8.0)) + [0, 0, 8], abs=1e-6)


@pytest.mark.parametrize(("layers", "heads", "tokens"), [(1, 1, 1), (3, 1, 2), (3, 4, 5), (6, 2, 3)])
def test_rollout_is_the_product_of_half_attention_and_half_identity(layers, heads, tokens):
    maps = np.random.default_rng(layers).dirichlet(np.ones(tokens), size=(layers, heads, tokens))
    wanted = np.eye(tokens)
    for layer in maps:
        wanted = (0.5 * sum(layer) / heads + 0.5 * np.eye(tokens)) @ wanted
    assert attention_rollout(maps) == pytest.approx(wanted)
    assert attention_rollout(maps.mean(axis=1)) == pytest.approx(wanted)
    assert attention_rollout(maps).sum(axis=1) == pytest.approx(np.ones(tokens))
    assert (attention_flow(maps) >= wanted - 1e-6).all()


def test_rollout_of_three_layers_by_hand():
    look = np.array([[[1, 0], [1, 0]]] * 3, dtype=float)
    assert attention_rollout(look) == pytest.approx(np.array([[1, 0], [7 / 8, 1 / 8]]))
    assert attention_rollout(look[:, None]) == pytest.approx(np.array([[1, 0], [7 / 8, 1 / 8]]))
    swap = np.array([[[0, 1], [1, 0]]], dtype=float)
    assert attention_rollout(swap) == pytest.approx(np.full((2, 2), 0.5))
    source, prefix = cross_rollout(swap, np.ones((1, 1, 1)), np.array([[[1.0, 0.0]]]))
    assert source == pytest.approx(np.array([[0.25, 0.25]]))
    assert prefix == pytest.approx(np.array([[0.5]]))


@pytest.mark.parametrize(
    ("parts", "order", "shares"),
    [
        (((1, 1), (-1, 0), (2, 1)), 2, (0.43613, 0, 0.56387)),
        (((1, 1), (-1, 0), (2, 1)), 1, (0.4, 0, 0.6)),
        (((3, 0), (0, 4)), 2, (1 / 3, 2 / 3)),
        (((3, 0), (0, 4)), 1, (3 / 7, 4 / 7)),
        (((1, 0), (0, 1), (0, 0)), 2, (1 / 2, 1 / 2, 0)),
        (((2, 2), (2, 2)), 1, (1 / 2, 1 / 2)),
        (((6, 0), (-2, 0)), 1, (1, 0)),
        (((1, 0), (-1, 0)), 2, (0, 0)),
    ],
)
def test_contributions_to_a_sum_by_hand(parts, order, shares):
    assert part_contributions(parts, order=order) == pytest.approx(shares, abs=1e-5)


def test_lengths_of_another_order_are_refused():
    with pytest.raises(OptionError, match="The order of the lengths is 3: give 1 or 2"):
        part_contributions([(1, 1)], order=3)


def test_comprehensiveness_and_sufficiency_by_hand():
    """Probability .9 of all, .2 less for each of the first two units that is missing, .1 for each other."""
    falls = np.array([0.2, 0.2, 0.1, 0.1, 0.1])

    def values(numbers, rows):
        return [np.array([0.9 - falls[~row].sum()]) for row in rows]

    found = erasure_curve(values, np.array([5.0, 4, 3, 2, 1]), shares=(0.2, 0.4, 0.6, 1.0), draws=0)
    assert found.by_share["units"].tolist() == [1, 2, 3, 5]
    assert found.by_share["comprehensiveness"].to_numpy() == pytest.approx([0.2, 0.4, 0.5, 0.7])
    assert found.by_share["sufficiency"].to_numpy() == pytest.approx([0.5, 0.3, 0.2, 0])
    assert found.mean("comprehensiveness") == pytest.approx(0.45)
    assert found.mean("sufficiency") == pytest.approx(0.25)


def test_a_share_that_floating_point_makes_a_little_more_takes_no_unit_more():
    def values(numbers, rows):
        return [np.array([row.mean()]) for row in rows]

    found = erasure_curve(values, np.arange(100.0), shares=(0.07, 0.14, 0.55, 0.29), draws=0)
    assert found.by_share["units"].tolist() == [7, 14, 55, 29]


def test_links_by_hand():
    cosines = np.array([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1], [0.1, 0.2, 0.7]])
    assert np.argwhere(argmax_links(cosines)).tolist() == [[0, 0], [2, 2]]
    # The second time the word without a link takes (1 + .8) / 2 · .9 = .81 before its free neighbour's (1 + .3) / 2 = .65 …
    assert np.argwhere(itermax_links(cosines)).tolist() == [[0, 0], [1, 0], [2, 2]]
    # … and with a cosine of .4 in place of .8 the free one's .65 before .63.
    cosines[1, 0] = 0.4
    assert np.argwhere(itermax_links(cosines)).tolist() == [[0, 0], [1, 1], [2, 2]]
    sharp = softmax_links(cosines, threshold=0.5, temperature=0.05)
    assert np.argwhere(sharp).tolist() == [[0, 0], [2, 2]]


@pytest.mark.parametrize(
    ("flipped", "texts", "low", "high"), [(0, 10, 0, 0.27753), (5, 10, 0.23659, 0.76341), (10, 10, 0.72247, 1)]
)
def test_intervals_by_hand(flipped, texts, low, high):
    assert wilson(flipped, texts) == pytest.approx((low, high), abs=1e-4)
