"""The projections and outlier scores that can be picked, with their options."""

from lmcore.methods import Method, Option, Registry

_SEED = Option(
    "seed",
    "int",
    0,
    "Seed of whatever is random in the method; the same seed gives the same result.",
    minimum=0,
    maximum=2**32 - 1,
)
_DIMENSIONS = Option("dimensions", "int", 2, "Number of axes of the map.", minimum=2, maximum=3)
_METRIC = Option(
    "metric",
    "choice",
    "euclidean",
    "Distance between representations; cosine ignores how long a vector is.",
    choices=("euclidean", "cosine"),
)
_SHARE = Option(
    "share",
    "float",
    0.02,
    "Share of the rows to flag, those with the highest scores first; rows that tie are flagged together or not at all.",
    minimum=0.0,
    maximum=0.5,
)
_NEIGHBORS = Option(
    "neighbors",
    "int",
    15,
    "How many nearest rows each row is held against; lowered where there are too few rows.",
    minimum=1,
    maximum=500,
)

PROJECTION = Registry(
    "projection",
    Method(
        name="pca",
        title="PCA",
        summary="Principal component analysis turns the space so that the first axes hold the most variance; linear, "
        "so distances keep their meaning.",
        target="lmcore.projection.pca:pca",
        options=(_DIMENSIONS, _SEED),
    ),
    Method(
        name="tsne",
        title="t-SNE",
        summary="t-distributed stochastic neighbour embedding keeps close rows close; sizes of clusters and distances "
        "between them mean little.",
        target="lmcore.projection.tsne:tsne",
        options=(
            _DIMENSIONS,
            Option(
                "perplexity",
                "float",
                30.0,
                "About how many neighbours each row keeps; lowered to a third of the rows where there are too few.",
                minimum=1.0,
                maximum=500.0,
            ),
            _METRIC,
            _SEED,
        ),
    ),
    Method(
        name="umap",
        title="UMAP",
        summary="Uniform manifold approximation lays out the graph of nearest neighbours; distances between clusters "
        "mean little.",
        target="lmcore.projection.umap:umap",
        options=(
            _DIMENSIONS,
            Option(
                "neighbors",
                "int",
                15,
                "How many neighbours make up a row's surroundings: few show detail, many the broad shape; lowered "
                "where there are too few rows.",
                minimum=2,
                maximum=200,
            ),
            Option(
                "min_dist",
                "float",
                0.1,
                "How tightly rows may be packed on the map, 0 being the tightest.",
                minimum=0.0,
                maximum=1.0,
            ),
            _METRIC,
            _SEED,
        ),
    ),
)

OUTLIERS = Registry(
    "outlier score",
    Method(
        name="knn_distance",
        title="Distance to the nearest rows",
        summary="Mean distance to the nearest rows: high where a row has no close company.",
        target="lmcore.projection.detectors:knn_distance",
        options=(_SHARE, _NEIGHBORS, _METRIC),
    ),
    Method(
        name="local_outlier_factor",
        title="Local outlier factor",
        summary="How much thinner the data are around a row than around its neighbours: about 1 is ordinary, more is "
        "farther out.",
        target="lmcore.projection.detectors:local_outlier_factor",
        options=(_SHARE, _NEIGHBORS, _METRIC),
    ),
    Method(
        name="isolation_forest",
        title="Isolation forest",
        summary="How few random cuts set a row apart from the rest, 0 to 1: higher is farther out.",
        target="lmcore.projection.detectors:isolation_forest",
        options=(
            _SHARE,
            Option("trees", "int", 200, "Number of random trees.", minimum=10, maximum=2000),
            _SEED,
        ),
    ),
)
