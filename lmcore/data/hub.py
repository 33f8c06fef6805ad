"""Data sets of the Hugging Face hub, as tables of text."""

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from lmcore.data.cells import text_frame
from lmcore.errors import DataError, InputError
from lmcore.hub import is_cut_off
from lmcore.settings import MIB

if TYPE_CHECKING:
    from datasets import DatasetDict

_NAME = r"[A-Za-z0-9][\w.-]{0,95}"
_ID = re.compile(rf"({_NAME}/{_NAME})(?::({_NAME}))?", re.ASCII)


def read_hub(identifier: str, limit_bytes: int) -> pd.DataFrame:
    """Read every split of a hub data set; where it has several, the column ``split`` says which.

    Code of the data set is never run, and no local folder is read.

    Args:
        identifier: ``org/name``, or ``org/name:config`` where it has several configurations.
        limit_bytes: the largest data set that is downloaded, where the hub says how large it is.

    Raises:
        InputError: the identifier has another form.
        DataError: the data set is missing or too large, or the hub cannot be reached.
    """
    match = _ID.fullmatch(identifier)
    if not match:
        raise InputError(f"{identifier[:80]!r} is not a hub data set: write hub:org/name or hub:org/name:config.")
    if is_cut_off():
        raise DataError(_cut_off(match[1]))
    parts = _download(match[1], match[2], limit_bytes)
    tables = []
    for split, part in parts.items():
        table = text_frame(_with_class_names(part))
        tables.append(table.assign(split=split) if len(parts) > 1 else table)
    table = pd.concat(tables, ignore_index=True).fillna("") if tables else pd.DataFrame()
    if table.empty:
        raise DataError(f"The hub data set {match[1]} has no rows: choose another one.")
    return table


def _download(name: str, config: str | None, limit_bytes: int) -> "DatasetDict":
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetsError

    try:
        # The prefix keeps the library from taking a local folder of the same name.
        builder = load_dataset_builder(f"hf://datasets/{name}", config)
        size = max(builder.info.download_size or 0, builder.info.dataset_size or 0)
        if size > limit_bytes:
            raise DataError(
                f"The hub data set {name} has {size / MIB:,.1f} MB and the limit is {limit_bytes / MIB:,.1f} MB: choose a "
                "smaller one, or raise LMSCOPE_UPLOAD_MB."
            )
        builder.download_and_prepare()
        return builder.as_dataset()
    except ConnectionError as error:
        raise DataError(_cut_off(name)) from error
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0][:200].rstrip(".")
        raise DataError(
            f"The hub data set {name} cannot be read ({reason}): check its name and configuration."
        ) from error


def _cut_off(name: str) -> str:
    return f"The hub cannot be reached for the data set {name}: check the network, or load a file in its place."


def _with_class_names(part: Any) -> pd.DataFrame:
    """Return a split's rows with names in place of class numbers; -1 stands for a missing label."""
    from datasets import ClassLabel

    frame: pd.DataFrame = part.to_pandas()
    for name, feature in part.features.items():
        if isinstance(feature, ClassLabel):
            frame[name] = ["" if pd.isna(n) or n < 0 else feature.int2str(int(n)) for n in frame[name]]
    return frame
