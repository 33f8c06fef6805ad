"""``lmcore methods``: everything that can be picked."""

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, table
from lmcore.errors import UnknownError
from lmcore.methods import all_registries


@click.command(
    "methods",
    cls=AnswerCommand,
    short_help="List everything that can be picked, with its options.",
    epilog="Example: lmcore methods projection",
)
@click.argument("kind", required=False)
@click.pass_obj
def methods_command(session: Session, kind: str | None) -> Answer:
    """List what can be picked, with a sentence and the options of each: of one KIND, or everything."""
    registries = all_registries()
    if kind is not None and kind not in registries:
        raise UnknownError("kind of method", kind, registries)
    chosen = {name: registry for name, registry in registries.items() if kind in (None, name)}
    shown = []
    for name, registry in chosen.items():
        rows = [(m.name, m.summary, ", ".join(option.name for option in m.options)) for m in registry.values()]
        shown.append(table((name, "what it does", "options"), rows, wrap=True))
    return Answer({name: registry.describe() for name, registry in chosen.items()}, shown)
