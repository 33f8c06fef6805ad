"""What a command answers: one JSON document for programs, or sentences and small tables for people."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

CELL_LENGTH = 200
LONG = 24


@dataclass(frozen=True, eq=False)
class Answer:
    """What a command found.

    Attributes:
        document: values that `to_json` can write.
        shown: the same for people: sentences and tables, in order.
        after: what is done once it is printed; a server in the foreground waits here.
    """

    document: Any
    shown: "Sequence[str | Table]" = ()
    after: Callable[[], None] | None = None


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print an answer on the standard output."""
    if as_json:
        click.echo(to_json(answer.document))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for item in answer.shown:
        # A sentence is left to the terminal to wrap, so that it stays one line in a file or pipe.
        console.print(item, soft_wrap=isinstance(item, str))


def to_json(value: Any) -> str:
    """Write values as JSON; what is not a number becomes null, and bytes of a name that are no text question marks."""
    text = json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False)
    return text.encode(errors="replace").decode()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, wrap: bool = False) -> "Table":
    """Make a small table: numbers stand on the right, and a long text is cut to fit the terminal.

    Args:
        columns: the headings.
        rows: one value for each column; floats are shown with three decimals, None as a dash.
        wrap: let long texts go over several lines instead.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, name in enumerate(columns):
        values = [row[number] for row in listed]
        numeric = all(isinstance(value, int | float | None) for value in values)
        long = any(len(str(value)) > LONG for value in (name, *values))
        # Rich narrows the columns that may wrap before all others; their cells refuse to, and are cut instead.
        made.add_column(Text(name), justify="right" if numeric else "left", no_wrap=not long)
    for row in listed:
        made.add_row(*[Text(cell(value), no_wrap=not wrap, overflow="fold" if wrap else "ellipsis") for value in row])
    return made


def cell(value: object) -> str:
    """Return a value as one line of text without control characters."""
    from lmcore.data.text import tidy

    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return tidy(str(value)[:CELL_LENGTH])


def plain(sentence: str) -> str:
    """Return a sentence without the marks that make it bold on a page."""
    return sentence.replace("**", "")


def records(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a pandas frame as dicts."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} is not a JSON value.")
