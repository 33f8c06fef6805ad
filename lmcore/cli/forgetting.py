"""``lmcore forgetting``."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, records, table

if TYPE_CHECKING:
    from lmcore.training.continual.forgetting import Forgetting


@click.command(
    "forgetting",
    short_help="Say what a version lost and won when it was trained further.",
    cls=AnswerCommand,
    epilog="Example: lmcore forgetting models:/feedback-en/2",
)
@click.argument("version")
@click.option("--before", default="", help="The version before it.  [default: the one that it was trained on from]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the paired bootstrap.")
@click.pass_obj
def forgetting_command(session: Session, version: str, before: str, seed: int) -> Answer:
    """Measure VERSION (models:/NAME@ALIAS) and the one before it on the test rows of the earlier and of the new data.

    What was not evaluated yet is evaluated now and kept.
    """
    from lmcore.training.continual.forgetting import forgetting_of
    from lmcore.training.continual.kept_forgetting import save_forgetting

    with session.report() as report:
        found = forgetting_of(version, before=before, settings=session.settings, seed=seed, report=report)
    save_forgetting(session.settings.workspace, found)
    return Answer(forgetting_document(found), [found.verdict, *found.sentences(), _table(found)])


def forgetting_document(found: "Forgetting") -> dict[str, Any]:
    """Return a report as JSON-like values."""
    return {
        "id": found.id,
        "before": found.before,
        "after": found.after,
        "task": found.task,
        "verdict": found.verdict,
        "sentences": found.sentences(),
        "figures": records(found.figures),
        "slices": records(found.slices),
        "parameters": found.parameters,
    }


def _table(found: "Forgetting") -> Any:
    columns = ["role", "data", "by", "slice", "rows", "metric", "before", "after", "difference", "low", "high"]
    return table(tuple(columns), found.to_frame()[columns].itertuples(index=False))
