"""The attribution methods that can be picked, with their options."""

from lmcore.methods import Method, Option, Registry

BASELINES = ("pad", "mask", "zero")

_BASELINE = Option(
    "baseline",
    "choice",
    "pad",
    "What the text is compared with: every token but the special ones replaced by [PAD], by [MASK], or by a zero vector.",
    choices=BASELINES,
)

ATTRIBUTION = Registry(
    "attribution method",
    Method(
        name="integrated_gradients",
        title="Integrated gradients",
        summary="Adds up the gradients along the straight way from the baseline to the text; the scores sum to the "
        "difference of the outputs.",
        target="lmcore.analysis.integrated_gradients:integrated_gradients",
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
        target="lmcore.analysis.integrated_gradients:input_x_gradient",
        options=(_BASELINE,),
    ),
)
