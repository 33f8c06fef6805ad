"""``lmcore audit``: what was done to the workspace, when and by whom."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from lmcore.access import ACTIONS
from lmcore.audit import AuditLog, Entry
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, table


@click.command(
    "audit",
    cls=AnswerCommand,
    short_help="List what was done, when and by whom.",
    epilog="Example: lmcore audit --action promote --since 2026-01-31",
)
@click.option("--who", default="", help="Only people with this in their name.")
@click.option("--action", type=click.Choice(list(ACTIONS)), help="Only this kind of action.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="Nothing older than this, in UTC.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many of the newest.")
@click.pass_obj
def audit_command(session: Session, who: str, action: str | None, since: datetime | None, limit: int) -> Answer:
    """List what was trained, promoted, deleted and otherwise changed, the newest first."""
    session.settings.workspace.actor.check("read_audit")
    begin = since.replace(tzinfo=UTC).timestamp() if since else 0.0
    found = AuditLog(session.settings.workspace).find(who=who, action=action or "", since=begin, limit=limit)
    rows = [(*_when_and_who(entry), entry.action, entry.object, entry.outcome, _details(entry)) for entry in found]
    shown = table(("time (UTC)", "who", "via", "action", "object", "outcome", "details"), rows)
    return Answer([asdict(entry) for entry in found], [shown if rows else "Nothing of this kind was recorded."])


def _when_and_who(entry: Entry) -> tuple[str, str, str]:
    return f"{datetime.fromtimestamp(entry.time, UTC):%Y-%m-%d %H:%M:%S}", entry.who, entry.via


def _details(entry: Entry) -> str:
    return ", ".join(f"{name} {value}" for name, value in entry.details.items() if value != "")
