"""``lmcore analyse ablate``: what the output is without each part of a model."""

from typing import Any

import click

from lmcore.analysis.causal.methods import ABLATED, ABLATIONS
from lmcore.cli.asked import asked_question, described, input_of, load_asked, named_target, question_flags, titled
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help
from lmcore.cli.output import Answer, records, table
from lmcore.types import Part

_SHOWN = 15
_COLUMNS = ["stack", "layer", "head", "position", "token", "change", "value"]


@click.command(
    "ablate",
    cls=AnswerCommand,
    short_help="Take parts of a model out, one at a time.",
    epilog="Example: lmcore analyse ablate models:/stories@champion 'The capital of France is' --target ' Paris' --part heads",
)
@click.argument("version")
@click.argument("text")
@question_flags
@click.option(
    "--part",
    type=click.Choice(list(ABLATED)),
    default="heads",
    show_default=True,
    help=choices_help(ABLATED),
)
@click.option(
    "--method",
    type=click.Choice(list(ABLATIONS)),
    default="mean",
    show_default=True,
    help=choices_help(ABLATIONS),
)
@click.option("--reference", metavar="DATA", help="Texts for the mean and the draws.  [default: the text itself]")
@click.option("--rows", type=click.IntRange(1), default=32, show_default=True, help="Rows of --reference to read.")
@click.option("--draws", type=click.IntRange(1, 1000), default=5, show_default=True, help="Draws of resample.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.pass_obj
def ablate_command(
    session: Session, /, version: str, text: str, part: str, method: str, reference: str | None, rows: int, draws: int,
    seed: int, **flags: Any,
) -> Answer:  # fmt: skip
    """Take parts of VERSION out, one at a time, and say how far the target's value for TEXT moves.

    Of a task that reads several texts, TEXT is JSON of them by column.
    """
    from lmcore.analysis import ablate
    from lmcore.analysis.lens.kept import lens_texts
    from lmcore.data.store import DatasetStore

    question = asked_question(text, flags)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_asked(session, version, question.task, question.max_tokens)
        data = DatasetStore(session.settings.workspace).load(reference) if reference else None
        texts = None if data is None else lens_texts(loaded, data)[:rows]
        found = ablate(
            loaded, input_of(loaded, question.text), named_target(loaded, question), part=part, method=method, reference=texts,
            output=question.output, draws=draws, seed=seed, report=Part(report, 0.2, 1.0),
        )  # fmt: skip
    document = {
        "version": str(loaded.ref),
        "target": described(found.target),
        "output": found.output or None,
        "parameters": found.parameters,
        "value": found.value,
        "runs": found.runs,
        "cells": records(found.to_frame()),
        "fingerprint": found.fingerprint,
    }
    shown: list[Any] = [
        f"{titled(found.target)} is worth {found.value:+.3f} with everything in place; {found.runs} runs.",
        "What moves it most when it is taken out; a change below 0: the part speaks for the target",
        table(tuple(_COLUMNS), found.strongest(_SHOWN)[_COLUMNS].itertuples(index=False)),
    ]
    return Answer(document, shown)
