import numpy as np
import pytest

from lmcore.analysis import rsa
from lmcore.analysis.similarity.distances import DISTANCES, ranked_distances
from lmcore.errors import InputError, OptionError
from tests.analysis.similarity.made import invertible, normal, related, rotation

each = pytest.mark.parametrize("distance", DISTANCES)


def one_distance(a, b, distance):
    if distance == "euclidean":
        return np.sqrt(((a - b) ** 2).sum())
    if distance == "correlation":
        a, b = a - a.mean(), b - b.mean()
    return 1 - a @ b / np.sqrt((a @ a) * (b @ b))


@each
def test_it_is_the_rank_correlation_of_the_distances(distance):
    from scipy.stats import spearmanr

    x, y = related(25, 6, 9)
    places = [(i, j) for i in range(25) for j in range(i)]
    lists = [[one_distance(a[i], a[j], distance) for i, j in places] for a in (x, y)]
    assert rsa(x, y, distance) == pytest.approx(spearmanr(*lists).statistic, abs=1e-10)
    assert rsa(x, y, distance) == pytest.approx(rsa(y, x, distance), abs=1e-12)
    assert rsa(x, x, distance) == pytest.approx(1.0)


def test_values_by_hand():
    x = np.array([[0.0], [1.0], [3.0]])  # distances 1, 3, 2 between 01, 02, 12: ranks 1, 3, 2
    assert rsa(x, np.array([[0.0], [5.0], [3.0]])) == pytest.approx(-0.5)  # 5, 3, 2: ranks 3, 2, 1
    assert rsa(x, np.array([[0.0], [1.0], [9.0]])) == pytest.approx(1.0)  # 1, 9, 8: in the same order
    # Two that are equally far share a rank: distances 1, 2, 1 have the ranks 1.5, 3, 1.5.
    assert rsa(x, np.array([[0.0], [1.0], [2.0]])) == pytest.approx(np.sqrt(3) / 2)


def test_what_each_distance_does_not_see():
    x, y = related(40, 8, 8)
    turned = rotation(8)
    assert rsa(3 * x @ turned + 7, y) == pytest.approx(rsa(x, y), abs=1e-9)
    assert rsa(3 * x @ turned, y, "cosine") == pytest.approx(rsa(x, y, "cosine"), abs=1e-9)
    lengths = np.geomspace(1, 50, 40)[:, None]
    for distance in ("cosine", "correlation"):
        assert rsa(x * lengths, y, distance) == pytest.approx(rsa(x, y, distance), abs=1e-9)
    assert rsa(x + lengths, y, "correlation") == pytest.approx(rsa(x, y, "correlation"), abs=1e-9)
    assert abs(rsa(x * lengths, y) - rsa(x, y)) > 0.05
    assert abs(rsa(x @ turned, y, "correlation") - rsa(x, y, "correlation")) > 1e-3
    assert abs(rsa(x + 5, y, "cosine") - rsa(x, y, "cosine")) > 0.01
    assert rsa(x, x @ invertible(8)) < 0.9
    assert abs(rsa(normal(100, 5), normal(100, 5, seed=1))) < 0.1


@each
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_the_size_of_the_values_does_not_matter(distance, size):
    x, y = related(20, 4, 4)
    assert rsa(x * size, y, distance) == pytest.approx(rsa(x, y, distance))


@each
def test_examples_that_are_all_alike_are_like_nothing(distance):
    alike = np.tile(normal(1, 7), (6, 1))
    assert rsa(alike, normal(6, 3), distance) == 0.0
    assert rsa(alike, alike, distance) == 0.0
    assert ranked_distances(alike, distance=distance).constant
    assert rsa(np.eye(6), normal(6, 3)) == 0.0  # equally far from each other


def test_an_example_without_a_direction_is_named():
    x = normal(6, 3)
    x[3] = 0.0
    with pytest.raises(InputError, match="Example 4 is 0 in all features"):
        rsa(x, normal(6, 3), "cosine")
    x[3] = 2.0
    with pytest.raises(InputError, match="Example 4 is the same in all features"):
        rsa(x, normal(6, 3), "correlation")
    assert -1 <= rsa(x, normal(6, 3)) <= 1


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="NaN or infinite"):
        rsa(np.full((9, 2), np.nan), normal(9, 2))
    with pytest.raises(InputError, match="the same examples, at least 3"):
        rsa(normal(2, 2), normal(2, 2))
    with pytest.raises(OptionError, match="one of euclidean, correlation, cosine"):
        rsa(normal(9, 2), normal(9, 2), "manhattan")


def test_shuffled_ranks_are_those_of_shuffled_examples():
    x, y = related(30, 6, 5)
    order = np.random.default_rng(1).permutation(30)
    one, two = (ranked_distances(a, distance="euclidean") for a in (x, y))
    assert one.compare(two.shuffled(order)) == pytest.approx(rsa(x, y[order]), abs=1e-10)
