import numpy as np
import pandas as pd
import pytest

from lmcore.settings import Workspace
from lmcore.training.compression.speed import _speed
from lmcore.training.compression.tradeoff import Tradeoff, newest_tradeoff, pareto_front


def test_the_front_of_a_known_example() -> None:
    # quality (less is better here), time: c is worse than b in both, d as good as b and slower.
    costs = np.array([[0.1, 9], [0.2, 4], [0.3, 5], [0.2, 6], [0.9, 1]])
    assert pareto_front(costs).tolist() == [True, True, False, False, True]


def test_points_that_are_equal_are_both_on_the_front() -> None:
    assert pareto_front(np.array([[1.0, 1], [1, 1], [2, 1]])).tolist() == [True, True, False]


def test_a_third_cost_can_save_a_point() -> None:
    assert pareto_front(np.array([[1.0, 1, 5], [2, 2, 4]])).all()


def test_a_speed_is_of_the_times_measured() -> None:
    found = _speed([0.001 * i for i in range(1, 101)], [0.5, 0.25, 4.0], rows=10)
    assert found.single_ms == pytest.approx(50.5)
    assert found.single_p95_ms == pytest.approx(95.05)
    assert found.batch_per_second == pytest.approx(20)


def test_a_sentence_holds_a_version_against_the_original() -> None:
    points = pd.DataFrame(
        {
            "version": ["models:/a/1", "models:/a/2"], "how": ["original", "int8"], "quality": [0.9, 0.85],
            "low": [0.8, 0.7], "high": [1.0, 0.9], "bytes": [400, 100], "single_ms": [10.0, 5.0],
            "original": [True, False],
        }
    )  # fmt: skip
    found = Tradeoff("x", "models:/a/1", "a@1:test", "text-classification", points, {})
    assert found.sentence("models:/a/2") == (
        "models:/a/2 has 25% of the bytes of models:/a/1 and takes 50% of its time for a text (5.0 ms against 10.0 ms); "
        "macro f1 0.850 (0.700 to 0.900) against 0.900 (0.800 to 1.000)."
    )


def test_a_damaged_measurement_is_passed_over(workspace: Workspace) -> None:
    folder = workspace.results / "tradeoffs"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{")
    assert newest_tradeoff(workspace, "models:/a/1") is None
