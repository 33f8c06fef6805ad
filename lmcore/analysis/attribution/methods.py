"""The attribution methods that can be picked, with their options."""

from lmcore.methods import Method, Option, Registry

BASELINES = ("pad", "mask", "zero", "unknown")
RANDOM, DROP = "random", "drop"
BLANKS = ("pad", "mask", "unknown", DROP)
UNITS = ("token", "word", "phrase", "sentence")

_BASELINE = Option(
    "baseline",
    "choice",
    "pad",
    "What the text is compared with: every token but the special ones replaced by the padding or mask token, by a zero "
    "vector, or by the unknown token.",
    choices=BASELINES,
)
_UNIT = Option(
    "unit", "choice", "word", "What is taken away at once: each token, word, phrase or sentence.", choices=UNITS
)
_SEED = Option("seed", "int", 0, "Seed of what is drawn.", minimum=0)


def _blank(default: str = "pad") -> Option:
    return Option(
        "baseline",
        "choice",
        default,
        "What stands in the place of what is taken away: the padding, mask or unknown token; or it is dropped, and what "
        "follows moves up.",
        choices=BLANKS,
    )


def _black_box(name: str, title: str, summary: str, target: str, *options: Option) -> Method:
    return Method(name, title, summary, target, options, {"black_box": True, "calls": f"{target}_calls"})


ATTRIBUTION = Registry(
    "attribution method",
    Method(
        name="integrated_gradients",
        title="Integrated gradients",
        summary="Adds up the gradients along the straight way from the baseline to the text; the scores sum to the "
        "difference of the outputs.",
        target="lmcore.analysis.attribution.path_integrals:integrate_paths",
        options=(
            _BASELINE,
            Option(
                "steps",
                "int",
                None,
                "Points along the way; empty adds points until the tolerance is reached.",
                minimum=1,
                maximum=1000,
                optional=True,
            ),
            Option(
                "tolerance",
                "float",
                0.01,
                "Largest completeness error to aim at, as a share of the outputs' difference.",
                minimum=1e-6,
                maximum=1.0,
            ),
            Option(
                "max_steps", "int", 256, "Points at most, where the tolerance is not reached.", minimum=7, maximum=1024
            ),
        ),
    ),
    Method(
        name="input_x_gradient",
        title="Input times gradient",
        summary="Multiplies the gradient at the text with the step from the baseline: one pass, exact only for linear models.",
        target="lmcore.analysis.attribution.path_integrals:input_x_gradient",
        options=(_BASELINE,),
    ),
    Method(
        name="gradient_norm",
        title="Gradient norm",
        summary="The length of each token's gradient: how strongly it could change the output, whichever way.",
        target="lmcore.analysis.attribution.gradients:gradient_norm",
    ),
    Method(
        name="gradient_shap",
        title="Gradient SHAP",
        summary="Averages the gradients at random points between random baselines and the noisy text; the scores sum to the "
        "difference of the outputs on average.",
        target="lmcore.analysis.attribution.gradients:gradient_shap",
        options=(
            Option(
                "baseline",
                "choice",
                "pad",
                "What the text is compared with; random: texts of random tokens, another one for each sample.",
                choices=(*BASELINES, RANDOM),
            ),
            Option("samples", "int", 50, "Random points.", minimum=1, maximum=5000),
            Option(
                "noise",
                "float",
                0.0,
                "Standard deviation of what is added to the text's vectors, as a share of theirs.",
                minimum=0.0,
                maximum=2.0,
            ),
            _SEED,
        ),
    ),
    _black_box(
        "occlusion",
        "Occlusion",
        "How much the output falls without a window that slides over the text, on average of the windows over a unit.",
        "lmcore.analysis.attribution.erasure:occlusion",
        _UNIT,
        _blank(),
        Option("window", "int", 2, "Units that are taken away at once.", minimum=1, maximum=100),
        Option("stride", "int", 1, "Units from one window to the next.", minimum=1, maximum=100),
    ),
    _black_box(
        "leave_one_out",
        "Leave one out",
        "How much the output falls without each unit alone.",
        "lmcore.analysis.attribution.erasure:leave_one_out",
        _UNIT,
        _blank("drop"),
    ),
    _black_box(
        "lime",
        "LIME",
        "Weights of a ridge regression over texts that lack a random number of units, those near the text counting most.",
        "lmcore.analysis.attribution.local_linear:lime",
        _UNIT,
        _blank(),
        Option("samples", "int", 500, "Texts that are drawn.", minimum=10, maximum=20_000),
        Option(
            "width",
            "float",
            25.0,
            "Width of the kernel, in hundredths of cosine distance: smaller is nearer the text.",
            minimum=0.1,
            maximum=1000.0,
        ),
        Option("penalty", "float", 1.0, "Penalty of the ridge regression.", minimum=0.0, maximum=1000.0),
        _SEED,
    ),
    _black_box(
        "kernel_shap",
        "Kernel SHAP",
        "Shapley values: the mean contribution over all orders in which units are put in; exact where the units are few.",
        "lmcore.analysis.attribution.shapley:kernel_shap",
        _UNIT,
        _blank(),
        Option(
            "samples",
            "int",
            1024,
            "Sets of units that are asked about at most; n units have 2^n − 2 of them.",
            minimum=4,
            maximum=100_000,
        ),
        _SEED,
    ),
    _black_box(
        "partition_shapley",
        "Partition Shapley",
        "Owen values: the output is shared out down the tree of sentences, phrases and words, which takes far fewer calls.",
        "lmcore.analysis.attribution.partition:partition_shapley",
        _UNIT,
        _blank(),
        Option(
            "calls",
            "int",
            500,
            "Model calls at most; parts that are not opened share evenly.",
            minimum=4,
            maximum=100_000,
        ),
    ),
)


def is_black_box(method: str) -> bool:
    """Say whether a method needs no gradient, only the outputs for changed texts.

    Raises:
        UnknownError: there is no such method.
    """
    return bool(ATTRIBUTION[method].facts.get("black_box"))
