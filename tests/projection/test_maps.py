import numpy as np
import pytest

from lmcore.errors import Cancelled, DataError, OptionError, UnknownError
from lmcore.projection import Projection, project
from lmcore.projection.methods import PROJECTION
from lmcore.projection.quality import projection_quality


def _separation(points: np.ndarray, member: np.ndarray) -> float:
    """Return the smallest distance between two clusters over the largest from a row to its nearest in its own."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    same = member[:, None] == member[None]
    return float(distances[~same].min() / np.where(same, distances, np.inf).min(axis=1).max())


@pytest.mark.parametrize("method", PROJECTION)
def test_each_method_separates_two_clusters_and_keeps_neighbourhoods(clusters, method):
    x, member = clusters
    found = project(x, method=method)
    assert found.points.dtype == np.float32
    assert found.points.shape == (80, 2)
    assert _separation(found.points, member) > 2
    assert found.quality == projection_quality(x, found.points)
    assert found.quality.trustworthiness > 0.75
    assert (found.explained_variance is None) == (method != "pca")


def test_the_frame_carries_ids_and_axes(clusters):
    x, _ = clusters
    ids = np.arange(80)[::-1] + 1000
    flat, deep = project(x, ids=ids, quality=False), project(x, ids=ids, dimensions=3, quality=False)
    assert list(flat.to_frame().columns) == ["id", "x", "y"]
    frame = deep.to_frame()
    assert list(frame.columns) == ["id", "x", "y", "z"]
    assert frame["id"].tolist() == ids.tolist()
    assert np.array_equal(frame[["x", "y", "z"]].to_numpy(), deep.points)
    assert flat.quality is None


def test_every_option_is_recorded_with_the_value_in_effect(clusters):
    x, _ = clusters
    found = project(x[:13], method="tsne", seed=4, quality=False)
    assert found.parameters == {"dimensions": 2, "perplexity": 4.0, "metric": "euclidean", "seed": 4}


def test_the_fingerprint_follows_input_method_and_parameters(clusters):
    x, _ = clusters
    base = project(x, quality=False).fingerprint
    assert base == project(x.astype(np.float64), quality=False).fingerprint
    others = [
        project(x + 1, quality=False),
        project(x, dimensions=3, quality=False),
        project(x, seed=1, quality=False),
        project(x, method="tsne", quality=False),
    ]
    assert len({base, *(other.fingerprint for other in others)}) == 5


def test_the_input_is_left_as_it_was(clusters):
    x, _ = clusters
    x = x.astype(np.float64)
    before = x.copy()
    project(x, method="tsne", metric="cosine")
    assert np.array_equal(x, before)


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_mapped_and_their_quality_compares_what_there_is(method, rows):
    found = project(np.random.default_rng(0).normal(size=(rows, 4)), method=method)
    assert isinstance(found, Projection)
    assert np.isfinite(found.points).all()
    assert (found.quality.neighbors if found.quality else None) == (1 if rows == 3 else None)


@pytest.mark.parametrize("method", PROJECTION)
def test_identical_rows_give_one_point_and_perfect_quality(method):
    found = project(np.full((40, 3), 0.7), method=method)
    assert not found.points.any()
    assert found.quality.trustworthiness == found.quality.continuity == 1.0


def test_progress_runs_from_nothing_to_all(clusters, recorder):
    report = recorder()
    project(clusters[0], report=report)
    assert report.fractions == sorted(report.fractions)
    assert (report.fractions[0], report.fractions[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("check", [1, 2])
def test_it_stops_between_phases(clusters, recorder, check):
    with pytest.raises(Cancelled):
        project(clusters[0], report=recorder(stop_at=check))


def test_what_cannot_be_used_is_refused_before_any_work(clusters):
    x, _ = clusters
    with pytest.raises(UnknownError, match="known: pca, tsne, umap"):
        project(x, method="som")
    with pytest.raises(OptionError, match="perplexity"):
        project(x, perplexity=5)
    with pytest.raises(DataError, match="one whole number for each of 80 rows"):
        project(x, ids=[1, 2])
    with pytest.raises(DataError, match=r"shape \(0, 16\)"):
        project(x[:0])
