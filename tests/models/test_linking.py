import numpy as np
import pytest

from lmcore.errors import OptionError, UnknownError
from lmcore.models.linking import ALIGNMENT, argmax_links, diagonal_links, find_links, itermax_links, softmax_links

SIMILARITY = np.array([[0.9, 0.1, 0.0, 0.2], [0.8, 0.7, 0.1, 0.0], [0.1, 0.2, 0.3, 0.6], [0.0, 0.1, 0.2, 0.5]])


def pairs(linked):
    return set(zip(*(places.tolist() for places in np.nonzero(linked)), strict=True))


def itermax_by_the_paper(similarity, count, alpha=0.9):
    """The paper's matrices: a weight of 1 where both words are free, of alpha where one is, and of 0 where none is."""
    shares = (similarity + 1) / 2
    m, n = shares.shape

    def mutual(values):
        return np.eye(n)[values.argmax(axis=1)] * np.eye(m)[values.argmax(axis=0)].T

    linked = mutual(shares)
    for _ in range(count - 1 if min(m, n) > 2 else 0):
        rows, columns = linked.sum(axis=1)[:, None], linked.sum(axis=0)[None, :]
        weights = np.where(np.maximum(rows, columns) == 0, 1, np.where(np.minimum(rows, columns) > 0, 0, alpha))
        if (rows > 0).all() or (columns > 0).all():
            break
        linked = np.maximum(linked, mutual(shares * weights) * (weights > 0))
    return linked > 0


def test_argmax_links_what_is_mutual():
    assert pairs(argmax_links(SIMILARITY)) == {(0, 0), (2, 3)}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_itermax_is_that_of_the_paper(seed, iterations):
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-1, 1, rng.integers(1, 9, 2))
    linked = itermax_links(similarity, iterations=iterations)
    assert pairs(linked) == pairs(itermax_by_the_paper(similarity, iterations))
    assert pairs(linked) >= pairs(argmax_links(similarity))


def test_softmax_asks_both_directions():
    scaled = np.exp(SIMILARITY / 0.1)
    wanted = (scaled / scaled.sum(1, keepdims=True) > 0.2) & (scaled / scaled.sum(0, keepdims=True) > 0.2)
    assert pairs(softmax_links(SIMILARITY, threshold=0.2, temperature=0.1)) == pairs(wanted)
    assert not softmax_links(SIMILARITY, threshold=1.0).any()


@pytest.mark.parametrize(("source", "target", "links"), [(3, 3, {(0, 0), (1, 1), (2, 2)}),
                                                         (2, 4, {(0, 0), (0, 1), (1, 2), (1, 3)}), (0, 3, set())])  # fmt: skip
def test_the_diagonal_reaches_every_word(source, target, links):
    assert pairs(diagonal_links(source, target)) == links


@pytest.mark.parametrize("method", ALIGNMENT)
def test_words_without_a_vector_get_no_link(method):
    similarity = np.full((4, 5), np.nan)
    similarity[:3, :4] = SIMILARITY[:3]
    linked = find_links(similarity, method)
    assert linked.shape == (4, 5)
    assert linked[0, 0]
    assert not linked[3].any()
    assert not linked[:, 4].any()
    assert not find_links(np.full((2, 2), np.nan), method).any()


def test_unknown_methods_and_options_are_refused():
    with pytest.raises(UnknownError, match="known: argmax, itermax, softmax"):
        find_links(SIMILARITY, "magic")
    with pytest.raises(OptionError, match="iterations"):
        find_links(SIMILARITY, "itermax", {"iterations": 0})
