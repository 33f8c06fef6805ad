"""The measures of likeness that can be picked, with their options and what is known about them.

Facts: ``source``; ``range``, lowest and highest value; ``symmetric``, whether both sides can be exchanged; ``same_after``, the
changes of either side that leave the value as it is; ``changed_by``, some that do not; ``fewest`` examples; ``batches``,
whether it can be estimated in batches; ``compares``, pairs of texts or directions; ``prepare``, the function that brings one
side into the form in which it is compared.
"""

from lmcore.analysis.similarity.cca import VARIANCE
from lmcore.analysis.similarity.cka import THRESHOLD
from lmcore.analysis.similarity.distances import DISTANCES
from lmcore.methods import Method, Option, Registry

# What can stand for a text.
POOLING = {
    "mean": "the mean of its tokens' vectors",
    "first": "its first token's vector ([CLS] of a BERT)",
    "last": "its last token's vector, which in a decoder has read the whole text",
    "tokens": "each of its tokens, which takes two models with the same tokens",
}

_HERE = "lmcore.analysis.similarity"
_TURNED = ["rotation", "scaling", "shift"]


def _variance(default: float) -> Option:
    return Option(
        "variance",
        "float",
        default,
        "Share of each side's variance whose strongest directions are kept; 1 keeps all.",
        minimum=0.01,
        maximum=1.0,
    )


SIMILARITY = Registry(
    "similarity",
    Method(
        name="linear_cka",
        title="Linear CKA",
        summary="How alike both sides say that the texts are, by inner products; too high where the texts are fewer than the "
        "features.",
        target=f"{_HERE}.cka:linear_cka",
        facts={
            "source": "Kornblith et al. 2019",
            "range": [0, 1],
            "symmetric": True,
            "same_after": _TURNED,
            "changed_by": ["an invertible linear map"],
            "fewest": 3,
            "batches": False,
            "compares": "pairs of texts",
            "prepare": f"{_HERE}.cka:linear_pairs",
        },
    ),
    Method(
        name="debiased_cka",
        title="Debiased CKA",
        summary="Linear CKA without its bias: near 0 for what is unrelated, however few the texts; in batches for large sets.",
        target=f"{_HERE}.cka:debiased_cka",
        facts={
            "source": "Song et al. 2012; Kornblith et al. 2019; in batches Nguyen et al. 2021",
            "range": [-1, 1],
            "symmetric": True,
            "same_after": _TURNED,
            "changed_by": ["an invertible linear map"],
            "fewest": 4,
            "batches": True,
            "compares": "pairs of texts",
            "prepare": f"{_HERE}.cka:debiased_pairs",
        },
    ),
    Method(
        name="rbf_cka",
        title="RBF CKA",
        summary="CKA with a Gaussian kernel: looks at which texts are near neighbours more than at the whole.",
        target=f"{_HERE}.cka:rbf_cka",
        options=(
            Option(
                "threshold",
                "float",
                THRESHOLD,
                "Width of the kernel as a fraction of the median distance: the smaller, the more local.",
                minimum=0.01,
                maximum=100.0,
            ),
            Option("debiased", "bool", False, "Whether to estimate without bias; batches need it."),
        ),
        facts={
            "source": "Kornblith et al. 2019",
            "range": [0, 1],
            "symmetric": True,
            "same_after": _TURNED,
            "changed_by": ["an invertible linear map"],
            "fewest": 4,
            "batches": True,
            "compares": "pairs of texts",
            "prepare": f"{_HERE}.cka:rbf_pairs",
        },
    ),
    Method(
        name="svcca",
        title="SVCCA",
        summary="Mean canonical correlation of the strongest directions of both sides; with all variance kept, plain CCA.",
        target=f"{_HERE}.cca:svcca",
        options=(_variance(VARIANCE),),
        facts={
            "source": "Raghu et al. 2017",
            "range": [0, 1],
            "symmetric": True,
            "same_after": [*_TURNED, "an invertible linear map, where all variance is kept"],
            "changed_by": ["an invertible linear map, where less is kept"],
            "fewest": 3,
            "batches": False,
            "compares": "directions",
            "prepare": f"{_HERE}.cca:svcca_directions",
        },
    ),
    Method(
        name="pwcca",
        title="PWCCA",
        summary="Canonical correlations weighted by how much of the first side each direction makes up; not symmetric.",
        target=f"{_HERE}.cca:pwcca",
        options=(_variance(1.0),),
        facts={
            "source": "Morcos et al. 2018",
            "range": [0, 1],
            "symmetric": False,
            "same_after": [
                "scaling",
                "shift",
                "an invertible linear map of the second side, where all variance is kept",
            ],
            "changed_by": ["a rotation of the first side"],
            "fewest": 3,
            "batches": False,
            "compares": "directions",
            "prepare": f"{_HERE}.cca:pwcca_directions",
        },
    ),
    Method(
        name="procrustes",
        title="Procrustes",
        summary="How well one side fits the other after the best rotation: 1 less half the squared distance that is left.",
        target=f"{_HERE}.rotation:procrustes",
        facts={
            "source": "Ding et al. 2021",
            "range": [0, 1],
            "symmetric": True,
            "same_after": _TURNED,
            "changed_by": ["an invertible linear map"],
            "fewest": 3,
            "batches": False,
            "compares": "directions",
            "prepare": f"{_HERE}.rotation:turned",
        },
    ),
    Method(
        name="rsa",
        title="RSA",
        summary="Rank correlation (Spearman) of the distances between all pairs of texts.",
        target=f"{_HERE}.distances:rsa",
        options=(
            Option(
                "distance",
                "choice",
                DISTANCES[0],
                "Distance between two texts: euclidean, 1 less the correlation over the features, or 1 less the cosine.",
                choices=DISTANCES,
            ),
        ),
        facts={
            "source": "Kriegeskorte et al. 2008",
            "range": [-1, 1],
            "symmetric": True,
            "same_after": ["rotation, not by correlation", "scaling", "shift, by euclidean distance alone"],
            "changed_by": ["an invertible linear map"],
            "fewest": 3,
            "batches": False,
            "compares": "pairs of texts",
            "prepare": f"{_HERE}.distances:ranked_distances",
        },
    ),
)
