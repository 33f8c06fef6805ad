import tracemalloc

import numpy as np
import pytest

from lmcore.analysis import debiased_cka, layer_similarity, rbf_cka
from lmcore.analysis.similarity.batches import BatchedCka, even_batches, kernel_fit
from lmcore.models.encode import encode_texts
from lmcore.models.hidden import mean_pooled_states
from tests.analysis.similarity.made import hsic_unbiased, normal, related


def layers(rows, features, *, seed=0, layers=3):
    """Representations that drift away from the first one."""
    found = [normal(rows, features, seed=seed)]
    for layer in range(1, layers):
        found.append(found[-1] + 0.7 * normal(rows, features, seed=100 * seed + layer))
    return np.stack(found)


@pytest.mark.parametrize("threshold", [None, 0.8])
def test_one_batch_with_all_examples_is_the_debiased_value(threshold):
    first, second = layers(40, 6), layers(40, 9, seed=2, layers=2)
    sums = BatchedCka(kernel_fit(threshold))
    sums.add(first, second)
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            wanted = debiased_cka(x, y) if threshold is None else rbf_cka(x, y, threshold, debiased=True)
            assert sums.matrix()[i, j] == pytest.approx(wanted, abs=1e-12)


def test_several_batches_are_the_ratio_of_the_sums():
    first, second = layers(60, 6), layers(60, 9, seed=2)
    parts = even_batches(60, 16, seed=1)
    sums = BatchedCka(kernel_fit(None))
    both = own = other = 0.0
    for part in parts:
        sums.add(first[:, part], second[:, part])
        k, m = first[1, part] @ first[1, part].T, second[2, part] @ second[2, part].T
        both, own, other = both + hsic_unbiased(k, m), own + hsic_unbiased(k, k), other + hsic_unbiased(m, m)
    assert sums.matrix()[1, 2] == pytest.approx(both / np.sqrt(own * other), abs=1e-12)


def test_many_small_batches_come_near_to_the_value_of_all():
    x, y = related(4000, 6, 6)
    sums = BatchedCka(kernel_fit(None))
    for part in even_batches(4000, 64, seed=0):
        sums.add(x[None, part], y[None, part])
    assert sums.matrix()[0, 0] == pytest.approx(debiased_cka(x, y), abs=0.01)
    assert abs(sums.chance()[0]) < 0.02


def test_a_layer_that_is_constant_is_like_nothing():
    first = layers(40, 5)
    first[1] = 7.0
    sums = BatchedCka(kernel_fit(None))
    for part in even_batches(40, 10, seed=0):
        sums.add(first[:, part])
    assert sums.constant() == ([1], [1])
    assert not sums.matrix()[1].any()
    assert sums.matrix()[0, 0] == pytest.approx(1.0)


@pytest.mark.parametrize(("count", "most"), [(8, 8), (9, 8), (17, 8), (100, 33), (5, 8), (4, 256), (1000, 256)])
def test_batches_hold_every_example_once_and_none_is_too_small(count, most):
    parts = even_batches(count, most, seed=5)
    assert sorted(np.concatenate(parts)) == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most
    assert min(sizes) >= 4
    assert max(sizes) - min(sizes) <= 1


def test_texts_in_one_batch_are_the_debiased_value_and_in_several_near_to_it(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()
    whole = layer_similarity(tiny_loaded, texts, method="debiased_cka")
    one = layer_similarity(tiny_loaded, texts, method="debiased_cka", batch=256)
    assert one.matrix == pytest.approx(whole.matrix, abs=1e-9)
    assert (one.batch, one.rows, one.texts) == (256, 120, 120)
    several = layer_similarity(tiny_loaded, texts, method="debiased_cka", batch=30)
    assert several.matrix == pytest.approx(whole.matrix, abs=0.1)
    assert np.array_equal(several.matrix, several.matrix.T)
    assert np.diag(several.matrix).tolist() == [1.0, 1.0, 1.0]
    again = layer_similarity(tiny_loaded, texts, method="debiased_cka", batch=30)
    assert np.array_equal(several.matrix, again.matrix)
    assert several.fingerprint == again.fingerprint


def test_two_models_in_batches_read_the_same_texts(tiny_loaded, changed, topic_frame):
    texts = topic_frame["text"].tolist()[:40]
    found = layer_similarity(tiny_loaded, texts, other=changed(2), method="debiased_cka", batch=16)
    sums = BatchedCka(kernel_fit(None))
    states = [mean_pooled_states(m, encode_texts(m.tokenizer, texts, 64)) for m in (tiny_loaded, changed(2))]
    for part in even_batches(40, 16, seed=0):
        sums.add(*(side[:, part] for side in states))
    assert found.matrix == pytest.approx(sums.matrix(), abs=1e-5)
    assert found.matrix[1, 1] == pytest.approx(1.0)
    assert found.matrix[2, 2] < 0.999


def test_a_gaussian_kernel_in_batches(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()[:60]
    options = {"threshold": 0.8, "debiased": True}
    whole = layer_similarity(tiny_loaded, texts, method="rbf_cka", options=options)
    one = layer_similarity(tiny_loaded, texts, method="rbf_cka", options=options, batch=64)
    assert one.matrix == pytest.approx(whole.matrix, abs=1e-9)
    assert (whole.low, one.low) == (-1.0, -1.0)


def test_of_a_batch_as_many_tokens_are_drawn_as_it_may_have_texts(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()[:40]
    found = layer_similarity(tiny_loaded, texts, method="debiased_cka", batch=20, pooling="tokens")
    assert found.rows == 40
    assert np.isfinite(found.matrix).all()


def test_memory_does_not_grow_with_the_number_of_texts(tiny_loaded, topic_frame):
    texts = topic_frame["text"].tolist()
    few, many = texts[:64], texts * 5
    layer_similarity(tiny_loaded, few, method="debiased_cka", batch=16)  # what is imported and cached on the way

    def peak(some, **given):
        tracemalloc.start()
        layer_similarity(tiny_loaded, some, method="debiased_cka", **given)
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high

    in_batches = [peak(some, batch=16) for some in (few, many)]
    at_once = [peak(some) for some in (few, many)]
    assert in_batches[1] < 1.1 * in_batches[0] + 100_000
    assert at_once[1] > 10 * in_batches[1]
