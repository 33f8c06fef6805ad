"""``lmcore analyse lens``: what a model would say after each of its layers."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.lens.methods import LENSES
from lmcore.cli.asked import asked_question, described, input_of, load_asked, named_target, question_flags, titled
from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.analysis.lens.logit_lens import LogitLens
    from lmcore.analysis.lens.tuned import TunedLens
    from lmcore.models.load import LoadedModel
    from lmcore.types import Report


@click.command(
    "lens",
    cls=AnswerCommand,
    short_help="Say what a model would say after each layer.",
    epilog="Example: lmcore analyse lens models:/stories@champion 'The capital of France is' --target ' Paris'",
)
@click.argument("version")
@click.argument("text")
@question_flags
@click.option("--train", metavar="DATA", help="Train a tuned lens on this data set (name@version), keep it and use it.")
@click.option("--tuned", metavar="ID", help="Use a tuned lens that is kept.")
@method_flags({"tuned": LENSES["tuned"]}, prefix="lens_")
@click.option("--top", type=click.IntRange(1, 100), default=5, show_default=True, help="Choices kept at each layer.")
@click.pass_obj
def lens_command(
    session: Session, /, version: str, text: str, train: str | None, tuned: str | None, top: int, **flags: Any
) -> Answer:
    """Say what VERSION (models:/NAME@ALIAS or another model) would say to TEXT after each layer; - reads it from the input.

    The answer says from which layer on the last choice stays first, and follows the target through the layers. Of a
    task that reads several texts, TEXT is JSON of them by column.
    """
    from lmcore.analysis import load_lens, logit_lens

    if train is not None and tuned is not None:
        refuse("Give either --train or --tuned.")
    question = asked_question(text, flags)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_asked(session, version, question.task, question.max_tokens)
        lens = load_lens(session.settings.workspace, tuned) if tuned else None
        if train is not None:
            lens = _trained(session, loaded, train, given_options(flags, "lens_"), Part(report, 0.1, 0.8))
        target = named_target(loaded, question)
        found = logit_lens(
            loaded,
            input_of(loaded, question.text),
            target,
            output=question.output,
            lens=lens,
            top=top,
            report=Part(report, 0.8, 1.0),
        )
    return Answer(_document(found, str(loaded.ref), lens), _show(found, lens))


def _trained(
    session: Session, loaded: "LoadedModel", data: str, options: dict[str, Any], report: "Report"
) -> "TunedLens":
    from lmcore.analysis import keep_lens
    from lmcore.analysis.lens.kept import lens_texts
    from lmcore.analysis.lens.tuned import train_lens
    from lmcore.data.store import DatasetStore

    texts = lens_texts(loaded, DatasetStore(session.settings.workspace).load(data))
    lens = train_lens(loaded, texts, report=report, **LENSES["tuned"].check(options))
    keep_lens(session.settings.workspace, lens)
    return lens


def _document(found: "LogitLens", version: str, lens: "TunedLens | None") -> dict[str, Any]:
    return {
        "version": version,
        "target": described(found.target),
        "output": found.output or None,
        "lens": found.parameters["lens"],
        "tuned": None if lens is None else {"id": lens.fingerprint, "losses": records(lens.to_frame())},
        "off_distribution": found.off_distribution,
        "columns": found.columns,
        "focus": found.focus,
        "decided": found.decided,
        "target_decided": found.target_decided,
        "values": found.values,
        "cells": records(found.to_frame()),
        "fingerprint": found.fingerprint,
    }


def _show(found: "LogitLens", lens: "TunedLens | None") -> list[Any]:
    column = int(found.focus[0]) if len(found.focus) else len(found.columns) - 1
    frame = found.trajectory(column)
    shown = ["layer", "says", "probability", "entropy", "target_probability", "target_rank"]
    layer = int(found.decided[column])
    said = [
        f"What is said at {found.columns[column]!r}, layer by layer (0: the embedding); entropy in nats",
        table(tuple(name.replace("_", " ") for name in shown), frame[shown].itertuples(index=False)),
        f"The last choice stays first from layer {layer} on.",
    ]
    wanted = int(found.target_decided[column])
    where = f"is first from layer {wanted} on" if wanted >= 0 else "is not first in the end"
    said.append(f"The target {titled(found.target)} {where}.")
    if lens is not None:
        said.append(
            f"The tuned lens {lens.fingerprint} is {lens.loss.mean():.3f} nats from the last layer, the plain one "
            f"{lens.plain_loss.mean():.3f}."
        )
    if found.off_distribution:
        said.append("The head was trained to read the last layer alone: take what it says of others with care.")
    return said
