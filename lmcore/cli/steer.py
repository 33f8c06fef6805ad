"""``lmcore analyse steer``: what a model says with a direction between two sets of texts added."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.asked import asked_question, described, input_of, load_asked, named_target, question_flags, titled
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.types import Part, Prediction

if TYPE_CHECKING:
    from lmcore.analysis.causal.steering import Steering

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "steer",
    cls=AnswerCommand,
    short_help="Steer what a model says by a direction.",
    epilog="Example: lmcore analyse steer models:/stories@champion 'I think the film was' --towards good.txt --away bad.txt "
    "--layer 12 --strength 0.5",
)
@click.argument("version")
@click.argument("text")
@question_flags
@click.option("--towards", type=_FILE, required=True, help="A file of texts that have what is to be added, one a line.")
@click.option("--away", type=_FILE, required=True, help="A file of texts that lack it, one a line.")
@click.option("--layer", type=click.IntRange(0), help="Where it is added; 0 is the embedding.  [default: the middle]")
@click.option("--stack", type=click.Choice(["encoder", "decoder"]), help="Of an encoder-decoder.  [default: encoder]")
@click.option(
    "--strength",
    type=float,
    default=0.5,
    show_default=True,
    help="In lengths of a typical vector; below 0 the other way.",
)
@click.option(
    "--reads", type=click.Choice(["mean", "last"]), default="mean", show_default=True, help="Token of a text."
)
@click.pass_obj
def steer_command(
    session: Session, /, version: str, text: str, towards: Path, away: Path, layer: int | None, stack: str | None,
    strength: float, reads: Any, **flags: Any,
) -> Answer:  # fmt: skip
    """Add the difference of two sets of texts to what VERSION makes of TEXT, and say what it says then.

    Of a task that reads several texts, TEXT is JSON of them by column.
    """
    from lmcore.analysis import find_direction, steer

    question = asked_question(text, flags)
    sets = [_lines(towards), _lines(away)]
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_asked(session, version, question.task, question.max_tokens)
        direction = find_direction(
            loaded, *sets, layer=layer, stack=stack or "", reads=reads, report=Part(report, 0.2, 0.5)
        )
        found = steer(
            loaded, input_of(loaded, question.text), direction, strength=strength, target=named_target(loaded, question),
            output=question.output, report=Part(report, 0.5, 1.0),
        )  # fmt: skip
    document = {
        "version": str(loaded.ref),
        "target": described(found.target),
        "layer": direction.layer,
        "stack": direction.stack,
        "strength": strength,
        "distance": direction.distance,
        "separation": direction.separation,
        "before": _described(found.before),
        "after": _described(found.after),
        "curve": records(found.to_frame()),
        "fingerprint": found.fingerprint,
    }
    return Answer(document, _show(found))


def _lines(path: Path) -> list[str]:
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: save it as such, one text a line.") from error
    if not found:
        raise InputError(f"{path} has no texts: write one a line.")
    return found


def _described(prediction: Prediction) -> dict[str, Any]:
    return {"label": prediction.label, "score": prediction.score, "text": prediction.text}


def _show(found: "Steering") -> list[Any]:
    way = found.direction
    said = [(name, p.text or p.label) for name, p in (("before", found.before), ("after", found.after))]
    return [
        f"The sets' means are {way.distance:.2f} lengths of a typical vector apart at layer {way.layer}; "
        f"{way.separation:.0%} of their pairs are in the right order along the direction.",
        table(("", "it says"), said, wrap=True),
        f"The value of {titled(found.target)} by strength",
        table(("strength", "value"), found.curve.itertuples(index=False)),
    ]
