"""The lenses that can be picked, with their options."""

from lmcore.methods import Method, Option, Registry

LENSES = Registry(
    "lens",
    Method(
        name="logit",
        title="Logit lens",
        summary="Reads every layer through the model's own final norm and unembedding, or its task's head.",
        target="lmcore.analysis.lens.logit_lens:logit_lens",
    ),
    Method(
        name="tuned",
        title="Tuned lens",
        summary="Moves each layer's vectors to where the last layer's would be, by an affine map that was trained on texts "
        "for the last layer's distribution, and reads them then.",
        target="lmcore.analysis.lens.tuned:train_lens",
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
