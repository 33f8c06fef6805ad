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
    Method(
        name="gradient_norm",
        title="Gradient norm",
        summary="The length of each token's gradient: how strongly it could change the output, whichever way.",
        target="lmcore.analysis.gradients:gradient_norm",
    ),
    Method(
        name="gradient_shap",
        title="Gradient SHAP",
        summary="Averages the gradients at random points between random baselines and the noisy text; the scores sum to the "
        "difference of the outputs on average.",
        target="lmcore.analysis.gradients:gradient_shap",
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
        "lmcore.analysis.erasure:occlusion",
        _UNIT,
        _blank(),
        Option("window", "int", 2, "Units that are taken away at once.", minimum=1, maximum=100),
        Option("stride", "int", 1, "Units from one window to the next.", minimum=1, maximum=100),
    ),
    _black_box(
        "leave_one_out",
        "Leave one out",
        "How much the output falls without each unit alone.",
        "lmcore.analysis.erasure:leave_one_out",
        _UNIT,
        _blank("drop"),
    ),
    _black_box(
        "lime",
        "LIME",
        "Weights of a ridge regression over texts that lack a random number of units, those near the text counting most.",
        "lmcore.analysis.local_linear:lime",
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
        "lmcore.analysis.shapley:kernel_shap",
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
        "lmcore.analysis.partition:partition_shapley",
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


LENSES = Registry(
    "lens",
    Method(
        name="logit",
        title="Logit lens",
        summary="Reads every layer through the model's own final norm and unembedding, or its task's head.",
        target="lmcore.analysis.lens:logit_lens",
    ),
    Method(
        name="tuned",
        title="Tuned lens",
        summary="Moves each layer's vectors to where the last layer's would be, by an affine map that was trained on texts "
        "for the last layer's distribution, and reads them then.",
        target="lmcore.analysis.tuned_lens:train_lens",
        options=(
            Option("tokens", "int", 2000, "Tokens of the texts that are learnt from, at most.", minimum=32, maximum=100_000),
            Option("steps", "int", 60, "Steps of training for each layer.", minimum=0, maximum=10_000),
            Option("batch", "int", 64, "Tokens in a step.", minimum=1, maximum=4096),
            Option(
                "learning_rate",
                "float",
                0.02,
                "Largest change of a vector in the first step, as a share of its size.",
                minimum=1e-6,
                maximum=1.0,
            ),
            Option("seed", "int", 0, "Draws the texts that are held out, and the tokens of each step.", minimum=0),
        ),
    ),
)  # fmt: skip

_PATCHING = "lmcore.analysis.patching:patch_activations"
PATCHING = Registry(
    "part to patch",
    Method(
        "residual", "Residual stream", "All that a layer passes on at a token: what is known there by then.", _PATCHING
    ),
    Method("attention", "Attention output", "What a layer's self-attention adds at a token.", _PATCHING),
    Method(
        "cross_attention", "Cross-attention output", "What a decoder's look at the encoder adds at a token.", _PATCHING
    ),
    Method("mlp", "MLP output", "What a layer's MLP adds at a token.", _PATCHING),
    Method("heads", "Heads", "What one head adds, at all tokens at once.", _PATCHING),
    Method("cross_heads", "Cross-attention heads", "What one head of a decoder's look at the encoder adds.", _PATCHING),
)

_ABLATION = "lmcore.analysis.ablation:ablate"
ABLATED = Registry(
    "part to take out",
    Method("heads", "Heads", "One head at a time, at all tokens.", _ABLATION),
    Method("attention", "Attention", "The self-attention of one layer, at all tokens.", _ABLATION),
    Method("cross_attention", "Cross-attention", "A decoder's look at the encoder in one layer.", _ABLATION),
    Method("cross_heads", "Cross-attention heads", "One head of that at a time.", _ABLATION),
    Method("mlp", "MLP", "The MLP of one layer, at all tokens.", _ABLATION),
    Method("layers", "Layers", "All that one layer adds, so that it is passed over.", _ABLATION),
    Method("tokens", "Tokens", "What stands for one token before the first layer.", _ABLATION),
)
ABLATIONS = Registry(
    "ablation",
    Method("mean", "Mean", "Puts the part's mean over the reference texts in its place.", _ABLATION),
    Method(
        "resample",
        "Resample",
        "Puts what the part gives at tokens drawn from the reference texts in its place, and averages over the draws.",
        _ABLATION,
    ),
    Method("zero", "Zero", "Puts zeros in the place of what a part gives.", _ABLATION),
)
