"""Uniform manifold approximation and projection."""

import warnings

import numpy as np

from lmcore.errors import DataError
from lmcore.projection.layout import Layout, distinct_neighbourhood


def umap(rows: np.ndarray, *, dimensions: int, neighbors: int, min_dist: float, metric: str, seed: int) -> Layout:
    """Lay out rows with UMAP (McInnes, Healy & Melville 2018).

    Identical rows are laid out once and share a point; all-identical rows lie at the origin. One thread does the
    work, because only then does a seed fix the result.

    Args:
        rows: float64, shape (rows, features).
        dimensions: number of axes.
        neighbors: size of a neighbourhood; lowered to the number of different rows less one.
        min_dist: smallest distance between points of the map, in its own units.
        metric: ``euclidean`` or ``cosine`` (Euclidean distance between rows scaled to length 1).
        seed: seed of the start, of the neighbour search and of the optimiser.

    Returns:
        Points without a unit; the effective number of neighbours.

    Raises:
        DataError: two or more rows are different, but fewer than the axes and two more.
    """
    different, of_row = distinct_neighbourhood(rows, metric)
    neighbors = max(1, min(neighbors, len(different) - 1))
    effective = {"neighbors": neighbors}
    if len(different) == 1:
        return Layout(np.zeros((len(rows), dimensions)), effective)
    if len(different) < dimensions + 2:
        raise DataError(
            f"UMAP in {dimensions} dimensions needs at least {dimensions + 2} different rows and got "
            f"{len(different)}: take PCA or more rows."
        )
    with warnings.catch_warnings():
        # On import umap says that its TensorFlow part is absent, and later that it started from noise instead of
        # the graph's eigenvectors; neither asks anything of the user.
        warnings.filterwarnings("ignore", category=ImportWarning)
        warnings.filterwarnings("ignore", "Spectral initialisation failed", UserWarning)
        from umap import UMAP

        model = UMAP(n_components=dimensions, n_neighbors=neighbors, min_dist=min_dist, random_state=seed, n_jobs=1)
        points = model.fit_transform(different)
    return Layout(points[of_row], effective)
