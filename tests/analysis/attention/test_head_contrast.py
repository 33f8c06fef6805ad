"""Two heads side by side."""

import numpy as np
import pytest

from lmcore.analysis import attention_maps, contrast_heads
from lmcore.analysis.attention.maps import AttentionMaps
from lmcore.errors import InputError
from lmcore.models.text_tokens import TextTokens
from tests.analysis.readers import TEXT, reader


def maps_of(*heads):
    """Return the maps of one layer's heads over as many tokens as a row has weights."""
    weights = np.array(heads, dtype=np.float32)[None]
    size = weights.shape[-1]
    names = tuple(f"t{place}" for place in range(size))
    read = TextTokens("", names, np.zeros(size, int), np.zeros((size, 2), int), *np.zeros((2, size), bool), False)
    return AttentionMaps(read, weights, "f")


def test_heads_that_look_at_nothing_in_common_are_1_apart_and_a_head_0_from_itself():
    left, right = [[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]
    found = contrast_heads(maps_of(left, right), (1, 1), (1, 2))
    assert found.distances == pytest.approx([1.0, 0.0])
    assert found.difference == pytest.approx(np.array([[-1.0, 1.0], [0.0, 0.0]]))
    assert found.correlation == pytest.approx(-1.0)
    itself = contrast_heads(maps_of(left, right), (1, 1), (1, 1))
    assert itself.distances == pytest.approx([0.0, 0.0])
    assert itself.correlation == pytest.approx(1.0)


def test_the_distance_is_scipys():
    from scipy.spatial.distance import jensenshannon

    rng = np.random.default_rng(2)
    weights = rng.dirichlet(np.ones(6), size=(2, 6))
    weights[0, 0, 3:] = 0
    weights[0, 0] /= weights[0, 0].sum()
    found = contrast_heads(maps_of(*weights), (1, 1), (1, 2))
    expected = [jensenshannon(a, b, base=2) for a, b in zip(*weights, strict=True)]
    assert found.distances == pytest.approx(expected, abs=1e-6)


def test_both_heads_of_a_model_stand_in_a_table():
    maps = attention_maps(reader("text-classification"), TEXT)
    found = contrast_heads(maps, (1, 2), (2, 4))
    frame = found.to_frame()
    size = len(maps.tokens)
    assert frame["first"].to_numpy() == pytest.approx(maps.attentions[0, 1].ravel(), abs=1e-7)
    assert frame["second"].to_numpy() == pytest.approx(maps.attentions[1, 3].ravel(), abs=1e-7)
    assert found.difference.sum(axis=1) == pytest.approx(np.zeros(size), abs=1e-5)
    swapped = contrast_heads(maps, (2, 4), (1, 2))
    assert swapped.distances == pytest.approx(found.distances)
    assert list(found.by_row()["token"]) == list(maps.rows)
    assert found.fingerprint != swapped.fingerprint


@pytest.mark.parametrize("head", [(0, 1), (3, 1), (1, 5), (1, 0)])
def test_a_head_that_is_not_there_is_said(head):
    maps = attention_maps(reader("text-classification"), TEXT)
    with pytest.raises(InputError, match=r"the model has 2 layers of 4 heads, from 1\.1"):
        contrast_heads(maps, (1, 1), head)
