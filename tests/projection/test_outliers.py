import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

from lmcore.errors import Cancelled, DataError, OptionError, UnknownError
from lmcore.projection import find_outliers, project
from lmcore.projection.methods import OUTLIERS


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray]:
    """300 rows close to a cube in 3 of 48 features, and 6 that leave it by a little in each of the other 45."""
    rng = np.random.default_rng(0)
    x = 0.1 * rng.normal(size=(306, 48))
    x[:, :3] += rng.uniform(-1.5, 1.5, size=(306, 3))
    is_planted = np.arange(306) >= 300
    x[300:, 3:] += 0.6 * rng.choice([-1, 1], size=(6, 45))
    return x, is_planted


@pytest.mark.parametrize("method", OUTLIERS)
def test_planted_outliers_are_found_in_the_full_space(planted, method):
    x, is_planted = planted
    found = find_outliers(x, method=method, share=6 / 306)
    assert roc_auc_score(is_planted, found.scores) == 1.0
    assert np.array_equal(found.is_outlier, is_planted)


def test_a_map_hides_them(planted):
    x, is_planted = planted
    on_the_map = find_outliers(project(x, quality=False).points)
    assert roc_auc_score(is_planted, on_the_map.scores) < 0.9


def test_the_distance_score_is_the_mean_distance_in_the_units_of_the_rows():
    x = 1000 + np.array([[0.0], [1.0], [3.0], [10.0]])
    found = find_outliers(x, neighbors=2, share=0.25)
    np.testing.assert_allclose(found.scores, [2.0, 1.5, 2.5, 8.0], rtol=1e-5)
    assert found.is_outlier.tolist() == [False, False, False, True]


def test_the_distance_score_by_cosine_is_on_the_unit_sphere():
    x = np.array([[1.0, 0.0], [500.0, 0.0], [2.0, 0.0], [0.0, -3.0]])
    found = find_outliers(x, neighbors=1, metric="cosine", share=0.25)
    np.testing.assert_allclose(found.scores, [0, 0, 0, np.sqrt(2)], atol=1e-6)


def test_the_local_outlier_factor_equals_scikit_learn_without_duplicates(planted):
    x, _ = planted
    oracle = -LocalOutlierFactor(n_neighbors=15).fit(x).negative_outlier_factor_
    np.testing.assert_allclose(find_outliers(x, method="local_outlier_factor").scores, oracle, rtol=1e-5)


def test_a_heap_of_identical_rows_does_not_make_its_surroundings_outliers(planted):
    x, is_planted = planted
    heap = np.concatenate([x, np.repeat(x[:1], 100, axis=0)])
    found = find_outliers(heap, method="local_outlier_factor")
    assert found.scores.max() < 100
    np.testing.assert_array_equal(found.scores[306:], found.scores[0])
    assert roc_auc_score(is_planted, found.scores[:306]) == 1.0


@pytest.mark.parametrize("method", OUTLIERS)
@pytest.mark.parametrize("rows", [2, 3, 30])
def test_identical_rows_are_never_outliers(method, rows):
    found = find_outliers(np.full((rows, 4), 0.3), method=method, share=0.5)
    assert not found.is_outlier.any()
    assert len(set(found.scores.tolist())) == 1


@pytest.mark.parametrize("method", OUTLIERS)
@pytest.mark.parametrize("factor", [1e-30, 1e29])
def test_rows_of_any_size_are_scored_and_flagged_alike(planted, method, factor):
    x, is_planted = planted
    found = find_outliers(x * factor, method=method, share=6 / 306)
    assert np.isfinite(found.scores).all()
    assert np.array_equal(found.is_outlier, is_planted)


@pytest.mark.parametrize("method", OUTLIERS)
def test_two_rows_and_one_feature_are_enough(method):
    found = find_outliers(np.array([[0.0], [1.0]]), method=method)
    assert np.isfinite(found.scores).all()


def test_neighbours_are_lowered_and_recorded():
    x = np.random.default_rng(0).normal(size=(5, 3))
    assert find_outliers(x).parameters == {"share": 0.02, "neighbors": 4, "metric": "euclidean"}
    assert find_outliers(np.repeat(x, 9, axis=0), method="local_outlier_factor").parameters["neighbors"] == 4


@pytest.mark.parametrize(("share", "flagged"), [(0.0, 0), (0.001, 1), (0.1, 3), (0.5, 15)])
def test_the_share_is_rounded_up_to_whole_rows(share, flagged):
    x = np.random.default_rng(0).normal(size=(30, 3))
    assert find_outliers(x, share=share).is_outlier.sum() == flagged


def test_the_forest_follows_its_seed(planted):
    x, _ = planted
    first, again, other = (find_outliers(x, method="isolation_forest", seed=s, trees=20) for s in (1, 1, 2))
    assert np.array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_the_frame_has_one_row_for_each(planted):
    x, _ = planted
    frame = find_outliers(x, ids=np.arange(306) + 7).to_frame()
    assert list(frame.columns) == ["id", "score", "is_outlier"]
    assert frame["id"].tolist() == list(range(7, 313))


def test_progress_and_cancelling(planted, recorder):
    report = recorder()
    find_outliers(planted[0], report=report)
    assert report.fractions == [0.0, 1.0]
    for check in (1, 2):
        with pytest.raises(Cancelled):
            find_outliers(planted[0], report=recorder(stop_at=check))


def test_what_cannot_be_used_is_refused(planted):
    x, _ = planted
    with pytest.raises(DataError, match="at least 2 rows"):
        find_outliers(x[:1])
    with pytest.raises(UnknownError, match="knn_distance"):
        find_outliers(x, method="guess")
    with pytest.raises(OptionError, match="share"):
        find_outliers(x, share=0.6)
    with pytest.raises(OptionError, match="seed"):
        find_outliers(x, seed=1)
