import numpy as np
import pytest

from lmcore.analysis import layer_similarity, linear_cka
from lmcore.errors import InputError
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_kernels(x, y):
    """The definition: centred Gram matrices, as cosine."""
    centre = np.eye(len(x)) - 1 / len(x)
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


@pytest.mark.parametrize(("rows", "features"), [(40, 6), (6, 40)])
def test_equals_its_definition_by_kernels(rows, features):
    x, y = normal(rows, features), normal(rows, features + 3, seed=1) + 5
    y[:, :3] += x[:, :3]
    assert linear_cka(x, y) == pytest.approx(by_kernels(x, y), abs=1e-10)
    assert linear_cka(x, y) == pytest.approx(linear_cka(y, x))


def test_rotation_scaling_and_shift_do_not_matter_but_a_linear_map_does():
    x, y = normal(50, 8), normal(50, 8, seed=1)
    rotation, _ = np.linalg.qr(normal(8, 8, seed=2))
    assert linear_cka(x, x) == pytest.approx(1.0)
    assert linear_cka(x, 3 * x @ rotation + 7) == pytest.approx(1.0)
    assert linear_cka(2 * x @ rotation, y) == pytest.approx(linear_cka(x, y))
    assert linear_cka(x, x * np.array([30.0] + [1.0] * 7)) < 0.9


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e200])
def test_the_size_of_the_values_does_not_matter(size):
    x, y = normal(30, 4), normal(30, 4, seed=1)
    assert linear_cka(x * size, y) == pytest.approx(linear_cka(x, y))
    assert linear_cka(x * size, x * size) == pytest.approx(1.0)


def test_a_constant_is_like_nothing_whatever_its_rounding():
    assert linear_cka(np.full((7, 3), 0.1), np.full((7, 3), 0.1)) == 0.0
    assert linear_cka(np.full((7, 3), 1e9 / 3), normal(7, 3)) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_and_not_taken_for_unlike(bad):
    x = normal(6, 3)
    x[4, 1] = bad
    for pair in ((x, normal(6, 3)), (normal(6, 3), x)):
        with pytest.raises(InputError, match="NaN or infinite"):
            linear_cka(*pair)


def test_what_shares_nothing_is_near_zero():
    assert linear_cka(normal(5000, 3), normal(5000, 3, seed=1)) < 0.01
    assert linear_cka(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0], [1.0], [-1.0], [-1.0]])) == 0.0
    assert linear_cka(np.ones((4, 2)), normal(4, 2)) == 0.0


def test_large_float32_values_keep_their_digits():
    x = (normal(60, 5) + 1e3).astype(np.float32)
    assert linear_cka(x, x * 1e3) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("x", "y"), [((3, 2), (4, 2)), ((1, 2), (1, 2)), ((4,), (4,))])
def test_other_shapes_are_refused(x, y):
    with pytest.raises(InputError, match="the same examples, at least 2"):
        linear_cka(np.ones(x), np.ones(y))


def test_layers_are_compared_over_mean_vectors(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()[:20]
    found = layer_similarity(tiny_loaded, texts)
    states = mean_pooled_states(tiny_loaded, encode_texts(tiny_loaded.tokenizer, texts, 64))
    assert (found.matrix.shape, found.rows) == ((3, 3), 20)
    assert np.array_equal(found.matrix, found.matrix.T)
    assert np.diag(found.matrix).tolist() == [1.0, 1.0, 1.0]
    assert found.matrix[0, 2] == pytest.approx(by_kernels(states[0].astype(float), states[2].astype(float)), abs=1e-6)
    frame = found.to_frame()
    assert frame.query("layer == 0 and other == 2")["similarity"].item() == found.matrix[0, 2]


def test_two_texts_are_too_few(tiny_loaded):
    with pytest.raises(InputError, match=r"There are 2 texts: .* at least 3"):
        layer_similarity(tiny_loaded, ["rain", "soup"])
