"""``lmcore demo``: all five stages on the bundled sample."""

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer


@click.command(
    "demo",
    cls=AnswerCommand,
    short_help="Go through all five stages on a bundled sample.",
    epilog="Example: lmcore --home ./demo demo",
)
@click.pass_obj
def demo_command(session: Session) -> Answer:
    """Go through all five stages on the bundled English sample with the packaged base model."""
    from lmcore.demo import run_demo

    with session.report() as report:
        result = run_demo(session.settings, report)
    place = f"It is all in {session.settings.workspace.root}."
    return Answer(result.to_dict(), [*result.sentences, place])
