import pytest
import torch

from lmcore.analysis.attribution.path_integrals import Path, input_x_gradient, integrate_paths


def path(x, baseline=None):
    """One input of as many tokens as values, each of one feature."""
    end = torch.tensor(x, dtype=torch.float64)[:, None]
    return Path(
        end, torch.zeros_like(end) if baseline is None else torch.tensor(baseline, dtype=torch.float64)[:, None]
    )


def rows_only(function):
    return lambda inputs, numbers, lengths: function(inputs[..., 0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.relu(torch.relu(x[:, 0]) - 1 - torch.relu(x[:, 1])),
        lambda x: torch.relu(torch.relu(x[:, 0] - 1) - torch.relu(x[:, 1])),
    ],
)
def test_two_networks_of_one_function_get_the_same_scores(function):
    (fixed,) = integrate_paths(rows_only(function), [path([3.0, 1.0])], steps=50)
    assert fixed.scores == pytest.approx([1.5, -0.5], abs=1e-12)
    (adaptive,) = integrate_paths(rows_only(function), [path([3.0, 1.0])], tolerance=0.02)
    assert adaptive.scores == pytest.approx([1.5, -0.5], abs=0.06)
    assert adaptive.completeness_error <= 0.02
    assert (adaptive.value, adaptive.baseline_value) == (1.0, 0.0)


def test_a_linear_function_gives_its_weights_times_the_step_whatever_the_baseline():
    (found,) = integrate_paths(rows_only(lambda x: 2 * x[:, 0] - 3 * x[:, 1]), [path([4.0, 1.0], [1.0, 2.0])])
    assert found.scores == pytest.approx([6.0, 3.0], rel=1e-3)
    assert found.steps <= 17
    (plain,) = input_x_gradient(rows_only(lambda x: 2 * x[:, 0] - 3 * x[:, 1]), [path([4.0, 1.0], [1.0, 2.0])])
    assert plain.scores == pytest.approx([6.0, 3.0])
    assert (plain.steps, plain.completeness_error) == (1, pytest.approx(0, abs=1e-12))


def test_a_product_is_shared_evenly():
    (found,) = integrate_paths(rows_only(lambda x: x[:, 0] * x[:, 1]), [path([2.0, 5.0])])
    assert found.scores == pytest.approx([5.0, 5.0], rel=1e-3)


def test_input_times_gradient_reports_what_it_misses():
    (found,) = input_x_gradient(rows_only(lambda x: x[:, 0] * x[:, 1]), [path([2.0, 5.0])])
    assert found.scores == pytest.approx([10.0, 10.0])
    assert found.completeness_error == pytest.approx(1.0)


def test_each_input_gets_as_many_points_as_it_needs():
    def function(x):
        return torch.where(x[:, 1] == 0, x[:, 0], torch.atan(60 * (x[:, 0] - 0.7)))

    easy, hard = integrate_paths(rows_only(function), [path([1.0, 0.0]), path([1.0, 1.0], [0.0, 1.0])], tolerance=1e-3)
    assert easy.steps <= 17
    assert hard.steps > 30
    assert hard.completeness_error <= 1e-3


def test_a_sum_that_is_right_by_accident_is_not_taken():
    # The sum of the scores is right at any points, since the two parts cancel; the parts themselves are not.
    def function(x):
        wave = torch.sin(40 * x[:, 0]) / 40
        return wave + (0.5 * x[:, 1] - torch.sin(40 * x[:, 1]) / 40)

    (found,) = integrate_paths(rows_only(function), [path([1.0, 1.0])])
    expected = float(torch.sin(torch.tensor(40.0))) / 40
    assert found.steps > 17
    assert found.scores == pytest.approx([expected, 0.5 - expected], abs=0.05)


def test_the_most_points_are_kept_to_and_the_error_is_told():
    (found,) = integrate_paths(
        rows_only(lambda x: torch.sin(300 * x[:, 0])), [path([1.0])], tolerance=1e-6, max_steps=20
    )
    assert found.steps <= 20
    assert found.completeness_error > 1e-6


def test_inputs_of_different_lengths_do_not_disturb_each_other():
    paths = [path([1.0, 2.0, 3.0]), path([4.0]), path([0.5, -1.0])]
    seen = []

    def function(inputs, numbers, lengths):
        seen.append(inputs.shape)
        assert [len(paths[n].x) for n in numbers] == lengths.tolist()
        return (inputs[..., 0] ** 2).sum(dim=1)

    found = integrate_paths(function, paths, steps=5)
    assert [list(f.scores) for f in found] == [pytest.approx([1, 4, 9]), pytest.approx([16]), pytest.approx([0.25, 1])]
    assert seen[0] == (15, 3, 1)


def test_an_input_that_is_its_baseline_scores_nothing():
    (found,) = integrate_paths(rows_only(lambda x: x[:, 0] ** 2), [path([2.0], [2.0])])
    assert found.scores == pytest.approx([0.0])
    assert found.completeness_error == 0.0
