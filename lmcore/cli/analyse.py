"""``lmcore analyse``: why one text is predicted as it is, and what the layers know."""

import click

from lmcore.cli.command import DefaultGroup

# Further analyses: a command in a file of its own, and a line here.
_ANALYSES: dict[str, str] = {
    "lens": "lmcore.cli.lens:lens_command",
    "logits": "lmcore.cli.logits:logits_command",
    "patch": "lmcore.cli.patch:patch_command",
    "ablate": "lmcore.cli.ablate:ablate_command",
    "steer": "lmcore.cli.steer:steer_command",
    "neurons": "lmcore.cli.neurons:neurons_command",
    "probabilities": "lmcore.cli.probabilities:probabilities_command",
    "activations": "lmcore.cli.activations:activations_command",
    "attention": "lmcore.cli.attention:attention_command",
    "probe": "lmcore.cli.probe:probe_command",
    "concepts": "lmcore.cli.concepts:concepts_command",
    "head-map": "lmcore.cli.head_map:head_map_command",
    "similarity": "lmcore.cli.similarity:similarity_command",
    "counterfactuals": "lmcore.cli.counterfactuals:counterfactuals_command",
    "neighbours": "lmcore.cli.neighbours:neighbours_command",
    "suite": "lmcore.cli.suite:suite_group",
    "why": "lmcore.cli.why:why_command",
    "words": "lmcore.cli.influence:influence_command",
    "align": "lmcore.cli.align:align_command",
    "compare": "lmcore.cli.compare:compare_command",
    "rebuild": "lmcore.cli.rebuild:rebuild_command",
}


@click.group(
    "analyse",
    cls=DefaultGroup,
    default="why",
    lazy=_ANALYSES,
    short_help="Explain a prediction, or look into the layers.",
    epilog="lmcore analyse models:/NAME@ALIAS TEXT is short for lmcore analyse why models:/NAME@ALIAS TEXT.",
)
def analyse_command() -> None:
    """Look into a model; where no command is named, explain the prediction of a text."""
