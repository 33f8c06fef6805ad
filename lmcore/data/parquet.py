"""Parquet tables."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from lmcore.data.cells import text_frame
from lmcore.errors import DataError
from lmcore.settings import MIB

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH = 1 << 12


def read_parquet(content: bytes, what: str, most: int) -> pd.DataFrame:
    """Read a Parquet table, every column as text.

    Args:
        content: the whole file.
        what: its name, for messages.
        most: how many bytes it may take once unpacked.

    Raises:
        DataError: it is damaged, empty, or too large once unpacked.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _refuse_large(sum(file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)), what, most)
        frames = list(_batches(file, what, most))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{what} is not a Parquet file or is damaged: write it again.") from error
    if not frames:
        raise DataError(f"{what} has no rows: give a table with at least one row.")
    return pd.concat(frames, ignore_index=True)


def _batches(file: "pq.ParquetFile", what: str, most: int) -> Iterator[pd.DataFrame]:
    size = 0
    for batch in file.iter_batches(batch_size=_BATCH):
        size += batch.nbytes
        _refuse_large(size, what, most)
        if batch.num_rows and batch.num_columns:
            yield text_frame(batch.to_pandas())


def _refuse_large(size: int, what: str, most: int) -> None:
    if size > most:
        raise DataError(
            f"{what} takes {size / MIB:,.0f} MB or more once unpacked and the limit is {most / MIB:,.0f} MB: take a part "
            "of its rows."
        )
