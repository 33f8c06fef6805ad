"""What a training run is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from lmcore.errors import OptionError
from lmcore.methods import option, options_of, same_option
from lmcore.training.reinforcement.rewards import REWARDS
from lmcore.training.reinforcement.rewards.settings import RewardSettings
from lmcore.types import check_name

PRETRAINED_DEFAULT = "packaged:all-MiniLM-L6-v2"
FROM_LABELS = ("full", "lora", "scratch", "continual")
BY_REWARD = ("grpo",)
BY_GRADIENT = FROM_LABELS + BY_REWARD
NO_REWARD = "none"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run: what is trained, how, and every setting that changes its outcome.

    The fields made with `option` are the form of the Train page and the flags of ``lmcore train``.
    """

    name: str
    task: str = "text-classification"
    model: str = PRETRAINED_DEFAULT
    method: str = "head"
    seed: int = option(0, "Seed of everything random; the same seed gives the same model.", minimum=0, maximum=2**31)
    max_length: int = option(
        256, "Longest text in tokens; what is longer is cut, and the share is reported.", minimum=8, maximum=512
    )
    batch_size: int = option(
        32, "Texts in one step; with rewards those that the model writes.", minimum=1, maximum=1024
    )
    layer: int | None = option(
        None,
        "Layer whose mean token vector is classified; empty tries all on dev.",
        minimum=0,
        methods=("head",),
        empty="chosen on dev",
    )
    strength: float | None = option(
        None,
        "Inverse strength of the L2 penalty; empty tries 0.01, 0.1 and 1 on dev.",
        minimum=1e-6,
        maximum=1e6,
        methods=("head",),
        empty="chosen on dev",
    )
    epochs: int = option(2, "Passes over the training split.", minimum=1, maximum=1000, methods=BY_GRADIENT)
    learning_rate: float = option(
        5e-5,
        "Peak learning rate; take about 5e-4 for random weights and 2e-4 for adapters.",
        minimum=1e-8,
        maximum=1,
        methods=BY_GRADIENT,
    )
    schedule: str = option(
        "linear",
        "How the learning rate falls after it has risen.",
        choices=("linear", "cosine", "constant"),
        methods=BY_GRADIENT,
    )
    warmup: float = option(
        0.1, "Share of the steps in which the rate rises.", minimum=0, maximum=1, methods=BY_GRADIENT
    )
    weight_decay: float = option(0.01, "Decoupled weight decay of AdamW.", minimum=0, maximum=1, methods=BY_GRADIENT)
    clip: float = option(
        1.0, "Largest norm of the gradient; 0 leaves it as it is.", minimum=0, maximum=1e6, methods=BY_GRADIENT
    )
    accumulation: int = option(
        1,
        "Batches whose gradients are added up for one step: the effect of a larger batch in the memory of a small one.",
        minimum=1,
        maximum=1024,
        methods=BY_GRADIENT,
    )
    patience: int = option(
        0,
        "Epochs without a better figure on dev after which training stops; 0 goes on to the last.",
        minimum=0,
        maximum=1000,
        methods=BY_GRADIENT,
    )
    precision: str = option(
        "auto",
        "Number format of the computation: auto takes bfloat16 on a GPU that has it, and float32 elsewhere.",
        choices=("auto", "float32", "bfloat16"),
        methods=BY_GRADIENT,
    )
    class_weights: bool = option(
        False, "Let rare classes weigh as much as frequent ones; for tasks with one class a row.", methods=FROM_LABELS
    )
    reward: str = option("length", "What texts are rewarded for.", choices=tuple(REWARDS), methods=BY_REWARD)
    second_reward: str = option(
        NO_REWARD, "What they are rewarded for besides.", choices=(NO_REWARD, *REWARDS), methods=BY_REWARD
    )
    second_weight: float = option(
        1.0,
        "How much the second reward counts, where the first counts 1.",
        minimum=0.001,
        maximum=1000,
        methods=BY_REWARD,
    )
    words: int = same_option(RewardSettings, "words", methods=BY_REWARD)
    pattern: str = same_option(RewardSettings, "pattern", methods=BY_REWARD)
    classifier: str = same_option(RewardSettings, "classifier", methods=BY_REWARD)
    label: str = same_option(RewardSettings, "label", methods=BY_REWARD)
    group: int = option(
        8,
        "Texts written from the same prompt, which are compared with each other.",
        minimum=2,
        maximum=64,
        methods=BY_REWARD,
    )
    kl_weight: float = option(
        0.04,
        "How strongly the model is held near what it was, as a weight of the KL divergence; 0 lets it go.",
        minimum=0,
        maximum=100,
        methods=BY_REWARD,
    )
    new_tokens: int = option(48, "Most tokens of a text that is written.", minimum=1, maximum=512, methods=BY_REWARD)
    temperature: float = option(
        1.0, "Of sampling: below 1 nearer the most probable.", minimum=0.05, maximum=5, methods=BY_REWARD
    )
    steps: int = option(
        0, "Steps after which training ends; 0 goes on for all epochs.", minimum=0, maximum=1_000_000, methods=BY_REWARD
    )
    adapters: bool = option(False, "Train low-rank adapters instead of all weights.", methods=BY_REWARD)
    rank: int = option(8, "Rank of the adapter matrices.", minimum=1, maximum=512, methods=("lora", "grpo"))
    scale: int = option(
        16, "Factor of the adapters' output, divided by the rank.", minimum=1, maximum=4096, methods=("lora", "grpo")
    )
    adapter_dropout: float = option(
        0.05, "Share of the adapters' inputs that are dropped in training.", minimum=0, maximum=0.9, methods=("lora",)
    )
    layers: int | None = option(
        None, "Number of layers.", minimum=1, maximum=64, methods=("scratch",), empty="as configured"
    )
    width: int | None = option(
        None,
        "Features of a token vector.",
        minimum=8,
        maximum=4096,
        methods=("scratch",),
        empty="as configured",
    )
    heads: int | None = option(
        None, "Attention heads of a layer.", minimum=1, maximum=64, methods=("scratch",), empty="as configured"
    )
    vocabulary: int | None = option(
        None,
        "Largest number of tokens that the tokenizer learns.",
        minimum=300,
        maximum=100_000,
        methods=("scratch",),
        empty="as configured",
    )
    replay: float = option(
        0.2,
        "Earlier rows that are learnt again for each new one, drawn from the data that the version was trained on.",
        minimum=0,
        maximum=1,
        methods=("continual",),
    )
    anchor: str = option(
        "lwf",
        "What holds the model to what it knew: lwf (its earlier answers), ewc (the weights that the earlier data hang on) "
        "or none.",
        choices=("none", "lwf", "ewc"),
        methods=("continual",),
    )
    anchor_strength: float | None = option(
        None,
        "Weight of the anchor beside the loss.",
        minimum=0,
        maximum=1e9,
        methods=("continual",),
        empty="1 for lwf, for ewc by the run's steps and learning rate",
    )
    anchor_temperature: float = option(
        2.0,
        "What logits are divided by where lwf compares answers; higher minds the less likely ones more.",
        minimum=0.1,
        maximum=20,
        methods=("continual",),
    )
    save_steps: int = option(
        100, "Steps between two checkpoints from which a run can be resumed.", minimum=1, methods=BY_GRADIENT
    )

    def checked(self) -> "TrainConfig":
        """Return the configuration with every value checked and in its type.

        Raises:
            OptionError: a value is out of range; UnknownError: no such task or method; InputError: unusable name.
        """
        from lmcore.tasks import TASKS
        from lmcore.training.methods import TRAINING

        check_name(self.name, "model name")
        TASKS[self.task]
        TRAINING[self.method]
        return replace(self, **{o.name: o.check(getattr(self, o.name)) for o in options_of(TrainConfig)})

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """Read what `to_dict` wrote.

        Raises:
            OptionError: there is no such setting, or the name is missing.
        """
        known = {item.name for item in fields(cls)}
        for name in values:
            if name not in known:
                raise OptionError(f"Training has no setting {name!r}; it has: {', '.join(sorted(known))}.")
        if not values.get("name"):
            raise OptionError("The training run has no name: give the name under which the model is registered.")
        return cls(**values).checked()
