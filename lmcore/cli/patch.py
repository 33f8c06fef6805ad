"""``lmcore analyse patch``: which part of a model carries what tells two texts apart."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.causal.methods import PATCHING
from lmcore.cli.asked import (
    asked_question,
    described,
    input_of,
    load_asked,
    named_target,
    question_flags,
    read_text,
    titled,
)
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help
from lmcore.cli.output import Answer, records, table
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.analysis.causal.patching import Patching

_SHOWN = 15


@click.command(
    "patch",
    cls=AnswerCommand,
    short_help="Patch the run of one text with parts of another's.",
    epilog="Example: lmcore analyse patch models:/stories@champion 'The capital of France is' 'The capital of Italy is' "
    "--target ' Paris' --against ' Rome'",
)
@click.argument("version")
@click.argument("clean")
@click.argument("corrupted")
@question_flags
@click.option(
    "--component",
    type=click.Choice(list(PATCHING)),
    default="residual",
    show_default=True,
    help=choices_help(PATCHING),
)
@click.option(
    "--direction",
    type=click.Choice(["denoise", "noise"]),
    default="denoise",
    show_default=True,
    help="denoise puts parts of the clean run into the corrupted one, noise the other way.",
)
@click.option("--stack", type=click.Choice(["encoder", "decoder"]), help="Of an encoder-decoder.  [default: both]")
@click.option("--layer", "layers", type=click.IntRange(0), multiple=True, help="These layers alone; can be repeated.")
@click.option("--whole", is_flag=True, help="Patch all tokens of a layer at once.")
@click.pass_obj
def patch_command(
    session: Session, /, version: str, clean: str, corrupted: str, component: str, direction: Any, stack: str | None,
    layers: tuple[int, ...], whole: bool, **flags: Any,
) -> Answer:  # fmt: skip
    """Put what parts of VERSION give for one text into the run of another, one at a time.

    CLEAN and CORRUPTED must have the same number of tokens. An effect of 1 is the output of the clean text, 0 that of the
    corrupted one. Of a task that reads several texts, each is JSON of them by column.
    """
    from lmcore.analysis import patch_activations

    question = asked_question(clean, flags)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_asked(session, version, question.task, question.max_tokens)
        given, other = input_of(loaded, question.text), input_of(loaded, read_text(corrupted))
        found = patch_activations(
            loaded, given, other, named_target(loaded, question), component=component,
            direction=direction, output=question.output, stack=stack or "", layers=list(layers) or None, whole=whole,
            report=Part(report, 0.2, 1.0),
        )  # fmt: skip
    document = {
        "version": str(loaded.ref),
        "target": described(found.target),
        "output": found.output or None,
        "component": component,
        "direction": direction,
        "clean_value": found.clean_value,
        "corrupted_value": found.corrupted_value,
        "weak": found.weak,
        "runs": found.runs,
        "cells": records(found.to_frame()),
        "fingerprint": found.fingerprint,
    }
    return Answer(document, _show(found))


def _show(found: "Patching") -> list[Any]:
    cells = found.cells
    moves = cells["effect"] if found.direction == "denoise" else 1 - cells["effect"]
    top = cells.loc[moves.sort_values(ascending=False).index[:_SHOWN]]
    columns = ["stack", "layer", "head", "position", "clean_token", "effect", "value"]
    kept = [name for name in columns if name != "stack" or cells["stack"].nunique() > 1]
    said = [
        f"{titled(found.target)} is worth {found.clean_value:+.3f} for the clean text and {found.corrupted_value:+.3f} for "
        f"the corrupted one; {found.runs} runs.",
        "The strongest patches; effect 1: as the clean text, 0: as the corrupted one",
        table(tuple(name.replace("_", " ") for name in kept), top[kept].itertuples(index=False)),
    ]
    return [*said, "Both texts have about the same value: the effects say little."] if found.weak else said
