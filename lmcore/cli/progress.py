"""A progress bar with a line of metrics on the standard error, and Ctrl-C as a polite request to stop."""

import signal
import sys
from collections.abc import Iterable, Mapping
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import click

from lmcore.errors import Cancelled

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STEP = 0.1


class TerminalReport:
    """The `Report` of a command in the foreground; a context manager.

    On a terminal it draws a bar; elsewhere it prints a line for each tenth of the way; in quiet mode nothing. The
    first Ctrl-C asks the work to stop at its next check, so that it can save a checkpoint; the second interrupts it.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._stopping = False
        self._told = -STEP
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._before: Any = None

    def __enter__(self) -> "TerminalReport":
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        if not self._quiet and sys.stderr.isatty():
            self._progress = _bar()
            self._task = self._progress.add_task("", total=1.0, metrics="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._progress:
            self._progress.stop()

    def progress(self, fraction: float, message: str = "") -> None:
        """Show the share that is done, 0 to 1, and what is being done."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, completed=fraction, description=message)
        elif not self._quiet and (fraction >= self._told + STEP or fraction < self._told):
            self._told = fraction
            click.echo(f"{fraction:4.0%}  {message}", err=True)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Show the measured values that came last."""
        if self._progress and self._task is not None:
            line = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            self._progress.update(self._task, metrics=line)

    def check(self) -> None:
        """Raise `Cancelled` after Ctrl-C."""
        if self._stopping:
            raise Cancelled("Stopped: nothing more is done.")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            raise KeyboardInterrupt
        self._stopping = True
        if not self._quiet:
            click.echo("Stopping at the next safe place; Ctrl-C again stops at once.", err=True)


def _bar() -> "Progress":
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    class Message(ProgressColumn):
        """What is being done, cut where the terminal is narrow, so that the bar keeps its width."""

        def render(self, task: Task) -> Text:
            return Text(task.description, no_wrap=True, overflow="ellipsis")

    class BarWithMetrics(Progress):
        """The bar, and the values measured last in a line below it."""

        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            for task in self.tasks:
                if task.fields["metrics"]:
                    yield Text(task.fields["metrics"], style="dim", no_wrap=True, overflow="ellipsis")

    fixed = (
        BarColumn(bar_width=20, table_column=Column(no_wrap=True)),
        TaskProgressColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
    )
    console = Console(stderr=True, highlight=False)
    return BarWithMetrics(*fixed, Message(), console=console, transient=True, redirect_stdout=False)
