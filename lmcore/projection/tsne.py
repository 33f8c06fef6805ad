"""t-distributed stochastic neighbour embedding."""

import numpy as np

from lmcore.projection.layout import Layout, distinct_neighbourhood


def tsne(rows: np.ndarray, *, dimensions: int, perplexity: float, metric: str, seed: int) -> Layout:
    """Lay out rows with Barnes-Hut t-SNE (van der Maaten & Hinton 2008; van der Maaten 2014).

    Identical rows are laid out once and share a point; all-identical rows lie at the origin. The start is the PCA
    of the rows, or seeded noise where they have fewer components than the map has axes.

    Args:
        rows: float64, shape (rows, features).
        dimensions: number of axes.
        perplexity: effective number of neighbours; lowered to a third of the different rows less one, since the
            method looks at three times as many.
        metric: ``euclidean`` or ``cosine`` (Euclidean distance between rows scaled to length 1).
        seed: seed of the optimiser.

    Returns:
        Points without a unit; the effective perplexity.
    """
    from sklearn.manifold import TSNE

    different, of_row = distinct_neighbourhood(rows, metric)
    perplexity = max(1.0, min(perplexity, (len(different) - 1) / 3))
    effective = {"perplexity": perplexity}
    if len(different) == 1:
        return Layout(np.zeros((len(rows), dimensions)), effective)
    start = "pca" if min(different.shape) >= dimensions else "random"
    model = TSNE(dimensions, perplexity=perplexity, init=start, random_state=seed)
    return Layout(model.fit_transform(different)[of_row], effective)
