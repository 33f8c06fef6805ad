"""Where a data command gets its rows from: the parameters, made from the tasks' columns, and the reading."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from lmcore.settings import Settings
from lmcore.tasks import TASKS

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.data.header import HeaderChoice

Function = TypeVar("Function", bound=Callable[..., Any])
_PREFIX = "column_"


@dataclass(frozen=True, slots=True)
class Source:
    """Which rows: as `lmcore.data.load_dataset` takes them.

    Attributes:
        place: a file, ``sample:NAME``, ``name@version`` or ``hub:org/name``.
        task: the task's name; None takes a sample's or stored data set's own, else the first one.
        columns: the task's column to the file's.
        name: what to call the data set, or None.
        header: whether the file's first row names the columns.
        unlabelled: whether the file may lack what is labelled by hand.
    """

    place: str
    task: str | None
    columns: Mapping[str, str]
    name: str | None
    header: str
    unlabelled: bool = False

    @classmethod
    def taken(cls, source: str, parameters: Mapping[str, Any]) -> "Source":
        """Return what the parameters of `source_parameters` say."""
        columns = {name: value for name, value in parameters.items() if name.startswith(_PREFIX) and value is not None}
        return cls(
            source,
            parameters["task"],
            {name.removeprefix(_PREFIX): value for name, value in columns.items()},
            parameters["name"],
            parameters["header"],
            parameters["unlabelled"],
        )

    def load(self, settings: Settings) -> "TextDataset":
        """Read the rows; nothing is stored."""
        from lmcore.data.load import load_dataset

        return load_dataset(
            self.place,
            task=self.task or self._own_task(settings),
            columns=self.columns or None,
            name=self.name,
            header=cast("HeaderChoice", self.header),
            limit_bytes=settings.upload_bytes,
            unlabelled=self.unlabelled,
            workspace=settings.workspace,
        )

    def _own_task(self, settings: Settings) -> str:
        from lmcore.data.load import is_stored
        from lmcore.data.samples import SAMPLES
        from lmcore.data.store import DatasetStore

        if self.place.startswith("sample:"):
            return str(SAMPLES[self.place.removeprefix("sample:")].facts["task"])
        if is_stored(self.place):
            return DatasetStore(settings.workspace).load(self.place).task
        return next(iter(TASKS))

    def load_stored(self, settings: Settings) -> "TextDataset":
        """Read the rows and store them as they came, unless they are stored already."""
        from lmcore.data.store import DatasetStore

        data = self.load(settings)
        return data if data.ref else DatasetStore(settings.workspace).save(data)


def source_parameters(function: Function) -> Function:
    """Add the argument SOURCE, and a flag for the task, for each column that a task reads, and for the name."""
    decorators: list[Callable[[Function], Function]] = [
        click.argument("source"),
        click.option(
            "--task",
            type=click.Choice(list(TASKS)),
            help=f"What it is for.  [default: a sample's or stored data set's own, else {next(iter(TASKS))}]",
        ),
    ]
    for name, help_text in _columns().items():
        text = f"The file's column that is {help_text}.  [default: found by its name]"
        decorators.append(click.option(f"--{name.replace('_', '-')}", _PREFIX + name, metavar="COLUMN", help=text))
    decorators += [
        click.option("--name", help="What to call the data set.  [default: the file's name]"),
        click.option(
            "--header",
            type=click.Choice(["auto", "yes", "no"]),
            default="auto",
            show_default=True,
            help="Whether the first row names the columns; without it they are called 'column 1', 'column 2' …",
        ),
    ]
    decorators.append(
        click.option(
            "--unlabelled", is_flag=True, help="Take a file without labels, to label it: see lmcore data label."
        )
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def _columns() -> dict[str, str]:
    return {name: text for method in TASKS.values() for name, text in method.facts["columns"].items()}
