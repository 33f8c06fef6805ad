"""``lmcore data clean``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.data import stored_document
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.cli.source import Source, source_parameters
from lmcore.data.clean import CLEANING
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.data.clean import Cleaning

_SHOWN = 8


@click.command(
    "clean",
    cls=AnswerCommand,
    short_help="Mend and drop rows by rules.",
    epilog="Example: lmcore data clean reviews.csv --rule drop_empty --preview",
)
@source_parameters
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice(list(CLEANING)),
    metavar="RULE",
    help="May be repeated; all rules are applied where none is given. "
    + " ".join(f"{rule.name}: {rule.summary}" for rule in CLEANING.values()),
)
@method_flags(CLEANING)
@click.option("--preview", is_flag=True, help="Show what would be dropped and changed, and store nothing.")
@click.pass_obj
def clean_command(session: Session, /, source: str, rules: tuple[str, ...], preview: bool, **parameters: Any) -> Answer:
    """Mend and drop rows of SOURCE by rules, and store the result as a new version whose parent is the raw one."""
    from lmcore.data.clean import clean_dataset
    from lmcore.data.store import DatasetStore

    wanted = Source.taken(source, parameters)
    flags = {option.name: parameters[option.name] for rule in CLEANING.values() for option in rule.options}
    options = _by_rule(given_options(flags), rules or tuple(CLEANING))
    with session.report() as report:
        raw = wanted.load(session.settings) if preview else wanted.load_stored(session.settings)
        cleaning = clean_dataset(raw, rules or None, options, report=Part(report, 0.2, 1.0))
    found = {"rows_before": len(raw), "rows_after": len(cleaning.data), "counts": cleaning.counts}
    found["changes"] = records(cleaning.changes)
    shown = _show(cleaning, len(raw))
    if preview:
        return Answer({"ref": None, **found}, [*shown, "This is a preview: nothing was stored."])
    data = DatasetStore(session.settings.workspace).save(cleaning.data)
    shown += [f"Stored as {data.ref}, made from {data.parent}.", f"Split it with: lmcore data split {data.ref}"]
    return Answer({**stored_document(session, data), **found}, shown)


def _by_rule(given: Mapping[str, Any], rules: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give each option to the applied rules that take it, or else to those that would, whose refusal then says so."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        takers = [rule.name for rule in CLEANING.values() if name in {option.name for option in rule.options}]
        for rule in [taker for taker in takers if taker in rules] or takers:
            found.setdefault(rule, {})[name] = value
    return found


def _show(cleaning: "Cleaning", before: int) -> list[Any]:
    counts = [(rule, count) for rule, count in cleaning.counts.items()]
    said = f"{len(cleaning.data):,} of {before:,} rows are left."
    if cleaning.changes.empty:
        return [f"{said} There was nothing to clean."]
    changes = [
        (row["id"] + 1, row["rule"], row["action"], row["before"], row["after"])
        for row in records(cleaning.changes.head(_SHOWN))
    ]
    title = f"The first {len(changes)} of {len(cleaning.changes):,} changes"
    return [
        said,
        table(("rule", "rows"), counts),
        title,
        table(("row", "rule", "action", "before", "after"), changes),
    ]
