"""Queues and labels as tables, for labelling in a spreadsheet or another program."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.data.label_forms import check_cells, rows_by_id
from lmcore.data.labelling import label_columns
from lmcore.errors import DataError
from lmcore.tasks import load_task


def queue_table(data: TextDataset, queue: Sequence[int], scores: Mapping[int, float] | None = None) -> pd.DataFrame:
    """Return the rows of a queue in its order, to be filled in.

    Args:
        data: the data set.
        queue: row ids.
        scores: how much each row is worth a label, by id, where the queue has an order of its own.

    Returns:
        ``row`` (from 1), what the model reads, the columns to fill (with what is there now), and ``doubt`` with scores.
    """
    task = load_task(data.task)
    rows = data.frame.set_index("id").loc[list(queue)]
    names = [*task.inputs(data.frame), *label_columns(data)]
    table = pd.DataFrame({"row": np.array(queue, dtype=np.int64) + 1, **{name: rows[name].array for name in names}})
    return table if scores is None else table.assign(doubt=[scores.get(row, float("nan")) for row in queue])


def read_label_table(data: TextDataset, table: pd.DataFrame, what: str) -> dict[int, dict[str, str]]:
    """Read labels out of a table such as `queue_table` makes.

    Args:
        data: the data set that they are for.
        table: columns of strings: ``row`` (from 1) and those that are labelled; a row in which one is empty has no label
            yet and is passed over, further columns are not read.
        what: the file's name, for messages.

    Returns:
        Row id to cells.

    Raises:
        DataError: a column is missing, a row is not in the data set or stands twice, a label does not fit its row, or
            no row has a label.
    """
    names = label_columns(data)
    for name in ("row", *names):
        if name not in table.columns:
            raise DataError(
                f"{what} has no column {name!r}: give row (the row's number, from 1) and {', '.join(names)}."
            )
    task = load_task(data.task)
    rows = rows_by_id(data.frame)
    found: dict[int, dict[str, str]] = {}
    for line in table[["row", *names]].to_dict("records"):
        cells = {name: line[name].strip() for name in names}
        if not all(cells.values()):
            continue
        row = _row_id(line["row"], what)
        if row not in rows:
            raise DataError(f"{what} has row {row + 1}, which {data.called} has not: give its own rows.")
        if row in found:
            raise DataError(f"{what} has row {row + 1} twice: give each row one label.")
        found[row] = check_cells(task, rows[row], cells)
    if not found:
        raise DataError(f"{what} has no row with a label: fill {' and '.join(names)}.")
    return found


def _row_id(cell: str, what: str) -> int:
    if not cell.strip().isdecimal() or int(cell) < 1:
        raise DataError(f"{what} has the row {cell[:40]!r}: give its number, from 1.")
    return int(cell) - 1
