"""What a text that a model writes can be rewarded for, each 0 to 1."""

from lmcore.methods import Method, Registry, options_of
from lmcore.training.reinforcement.rewards.settings import RewardSettings

REWARDS = Registry(
    "reward",
    Method(
        name="length",
        title="Length",
        summary="Words of the text against the wanted number, the smaller divided by the larger: 1 at that number, 0 for no "
        "words.",
        target="lmcore.training.reinforcement.rewards.length:length_reward",
        options=options_of(RewardSettings, "length"),
    ),
    Method(
        name="format",
        title="Format",
        summary="Share of the text that the longest match of a regular expression covers: 1 where all of it matches, 0 where "
        "nothing does.",
        target="lmcore.training.reinforcement.rewards.format:format_reward",
        options=options_of(RewardSettings, "format"),
    ),
    Method(
        name="classifier",
        title="A classifier's probability",
        summary="Probability, 0 to 1, that a text classifier of the workspace gives to a label.",
        target="lmcore.training.reinforcement.rewards.classifier:classifier_reward",
        options=options_of(RewardSettings, "classifier"),
    ),
    Method(
        name="bleu",
        title="BLEU to the reference",
        summary="Sentence BLEU to the row's own target or continuation, divided by 100: 0 to 1.",
        target="lmcore.training.reinforcement.rewards.overlap:bleu_reward",
    ),
    Method(
        name="rouge",
        title="ROUGE-L to the reference",
        summary="F1 of ROUGE-L to the row's own target or continuation, 0 to 1.",
        target="lmcore.training.reinforcement.rewards.overlap:rouge_reward",
    ),
)
