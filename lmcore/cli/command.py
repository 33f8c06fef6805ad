"""How every command behaves: its settings, ``--json``, its answer, and how errors end it."""

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import click

from lmcore.cli.output import Answer, print_answer, to_json
from lmcore.cli.progress import TerminalReport
from lmcore.errors import Cancelled, LmError
from lmcore.methods import load_target
from lmcore.settings import Settings

REFUSED = 2
INTERRUPTED = 130
_ANSWERED = "lmcore.cli.answered"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@dataclass(frozen=True, slots=True)
class Session:
    """What a command is given besides its own parameters."""

    settings: Settings
    as_json: bool = False

    def report(self) -> TerminalReport:
        """Return a progress bar, silent where JSON is asked for."""
        return TerminalReport(quiet=self.as_json)

    def note(self, sentence: str) -> None:
        """Say something on the standard error, unless JSON is asked for."""
        if not self.as_json:
            click.echo(sentence, err=True)


class AnswerCommand(click.Command):
    """A command whose function takes a `Session` and returns an `Answer`, which is printed in the form asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {**CONTEXT, **self.context_settings}
        self.params.append(
            click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else.")
        )

    def invoke(self, ctx: click.Context) -> None:
        """Run the function with the standard output kept free for the answer."""
        as_json = bool(ctx.params.pop("as_json"))
        ctx.obj = replace(ctx.obj, as_json=as_json)
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if as_json else sys.stderr):
            answer: Answer = super().invoke(ctx)
        print_answer(answer, as_json=as_json)
        ctx.meta[_ANSWERED] = True
        if answer.after:
            answer.after()


class CommandGroup(click.Group):
    """A group of such commands, listed in the order in which they were added.

    Args:
        lazy: further commands, name to import string, which are imported when they are asked for.
    """

    command_class = AnswerCommand

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {**CONTEXT, **self.context_settings}
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return list(dict.fromkeys([*self.commands, *self._lazy]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name in self._lazy:
            self.add_command(load_target(self._lazy[cmd_name]))
        return super().get_command(ctx, cmd_name)


class DefaultGroup(CommandGroup):
    """A group that runs one of its commands where none is named.

    Args:
        default: the name of that command.
    """

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default's name before arguments that name no command."""
        named = {*self.list_commands(ctx), *ctx.help_option_names}
        return super().parse_args(ctx, args if not args or args[0] in named else [self._default, *args])


class RootGroup(CommandGroup):
    """The whole command line: what is wrong ends in one sentence on the standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; bad input ends it with exit code 2, an interruption with 130."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except (LmError, click.UsageError, KeyboardInterrupt) as error:
            sentence = error.format_message() if isinstance(error, click.UsageError) else str(error) or "Interrupted."
            if as_json and _ANSWERED not in ctx.meta:
                click.echo(to_json({"error": sentence}))
            if isinstance(error, click.UsageError):
                raise
            click.echo(sentence, err=True)
            interrupted = isinstance(error, Cancelled | KeyboardInterrupt)
            raise click.exceptions.Exit(INTERRUPTED if interrupted else REFUSED) from error


def refuse(sentence: str) -> NoReturn:
    """End a command whose parameters don't fit together, with its usage line."""
    raise click.UsageError(sentence, click.get_current_context())
