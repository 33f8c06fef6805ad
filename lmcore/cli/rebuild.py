"""``lmcore analyse rebuild``: make a shared result again, and say whether it comes out the same."""

from pathlib import Path

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer
from lmcore.errors import InputError
from lmcore.types import Part

MAX_BYTES = 64 << 20


@click.command(
    "rebuild",
    short_help="Make a shared report again, and compare the numbers.",
    cls=AnswerCommand,
    epilog="Example: lmcore analyse rebuild report.html",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def rebuild_command(session: Session, file: Path) -> Answer:
    """Read the recipe in FILE, an HTML report of LMScope, run its analysis again, and compare the numbers."""
    from lmcore.analysis.recipes import Stored, compare_frames, follow
    from lmcore.charts.report import read_report
    from lmcore.models.load import load_model

    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"{file.name} is larger than {MAX_BYTES >> 20} MiB: a report of LMScope is not.")
    shared = read_report(file.read_text(encoding="utf-8", errors="replace"))
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(shared.recipe.version, settings=session.settings)
        report.progress(0.3, "Making the result again")
        stored = Stored.of(session.settings, Part(report, 0.3, 1.0))
        found = compare_frames(shared.frame, follow(shared.recipe, loaded, stored))
    document = {"recipe": shared.recipe.to_dict(), "same": found.same, "largest": found.largest}
    return Answer(document, [found.said])
