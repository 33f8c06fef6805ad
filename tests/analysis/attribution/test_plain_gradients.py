import numpy as np
import pytest
import torch

from lmcore.analysis import integrated_gradients
from lmcore.errors import InputError, OptionError

NETWORKS = [
    lambda x: torch.relu(torch.relu(x[0]) - 1 - torch.relu(x[1])),
    lambda x: torch.relu(torch.relu(x[0] - 1) - torch.relu(x[1])),
]


@pytest.mark.parametrize("function", NETWORKS)
@pytest.mark.parametrize(("x", "scores"), [((3, 1), (1.5, -0.5)), ((5, 1), (3.75, -0.75)), ((2, 2), (0, 0))])
def test_two_networks_of_one_function_get_the_same_exact_scores_wherever_the_kink_is(function, x, scores):
    assert integrated_gradients(function, x) == pytest.approx(scores, abs=1e-6)


def test_the_name_is_the_function_whatever_is_imported_first():
    import lmcore.analysis
    import lmcore.analysis.attribution.path_integrals

    assert callable(lmcore.analysis.integrated_gradients)


def test_a_baseline_a_shape_and_a_fixed_number_of_points():
    def product(x):
        return x.prod()

    assert integrated_gradients(product, [2.0, 5.0]) == pytest.approx([5, 5])
    found = integrated_gradients(product, np.array([[2.0, 5.0]]), 1.0, steps=2)
    assert found.shape == (1, 2)
    assert found.sum() == pytest.approx(10 - 1)
    assert integrated_gradients(product, [2.0, 5.0], [1.0, 1.0]) == pytest.approx(found[0])
    single = torch.nn.Linear(2, 1)  # float32, and a batch of one row
    weights = single.weight.detach().numpy()
    assert integrated_gradients(single, torch.tensor([[1.0, 2.0]])) == pytest.approx(weights * [1, 2], abs=1e-6)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: integrated_gradients(lambda x: x, [1, 2]), "single number"),
        (lambda: integrated_gradients(lambda x: 3.0, [1, 2]), "single number"),
        (lambda: integrated_gradients(lambda x: torch.tensor(1.0), [1, 2]), "no gradient"),
        (lambda: integrated_gradients(lambda x: x.sum(), [1, 2], [0, 0, 0]), "shape"),
        (lambda: integrated_gradients(lambda x: x.sum(), ["a"]), "no array of numbers"),
        (lambda: integrated_gradients(lambda x: x.sum(), [float("nan")]), "not finite"),
        (lambda: integrated_gradients(lambda x: (1 / x).sum(), [1, 2]), "way from the baseline"),
        (lambda: integrated_gradients(lambda x: x.log().sum(), [1, -2]), "not finite"),
    ],
)
def test_what_cannot_be_integrated_is_said(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_an_integral_that_does_not_settle_is_said(monkeypatch):
    from lmcore.analysis.attribution import plain_gradients

    monkeypatch.setattr(plain_gradients, "_STRETCHES", 20)
    with pytest.raises(InputError, match="does not settle"):
        integrated_gradients(lambda x: torch.sin(1e7 * x).sum(), [1.0])


def test_numbers_out_of_range_are_refused():
    with pytest.raises(OptionError, match="steps"):
        integrated_gradients(lambda x: x.sum(), [1.0], steps=0)
    with pytest.raises(OptionError, match="tolerance"):
        integrated_gradients(lambda x: x.sum(), [1.0], tolerance=0)
