"""Analyses over a data set that are kept in the workspace: tables and facts under an id, whole or not at all."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmcore.errors import StorageError
from lmcore.settings import Workspace
from lmcore.storage import whole_folder, write_json
from lmcore.types import check_name

_FACTS = "facts.json"


@dataclass(frozen=True, eq=False)
class KeptTables:
    """What is kept of one analysis.

    Attributes:
        tables: frames by name.
        facts: JSON values: parameters, fingerprint and what else the analysis says in numbers.
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]


def keep(workspace: Workspace, kind: str, identifier: str, kept: KeptTables) -> None:
    """Keep an analysis under its kind and id; one that is kept already stays.

    Raises:
        StorageError: the disk is full or refuses.
    """
    target = workspace.results / check_name(kind, "analysis") / check_name(identifier, "id")
    if target.exists():
        return
    with suppress(FileExistsError), whole_folder(target) as folder:
        for name, frame in kept.tables.items():
            frame.to_parquet(folder / f"{check_name(name, 'table')}.parquet", index=False)
        write_json(folder / _FACTS, {"tables": list(kept.tables), "facts": dict(kept.facts)})


def kept_analysis(workspace: Workspace, kind: str, identifier: str) -> KeptTables | None:
    """Return a kept analysis, or None where there is none with this id.

    Raises:
        StorageError: its files are damaged.
    """
    folder = workspace.results / check_name(kind, "analysis") / check_name(identifier, "id")
    if not (folder / _FACTS).is_file():
        return None
    try:
        said = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        tables = {name: pd.read_parquet(folder / f"{check_name(name, 'table')}.parquet") for name in said["tables"]}
        return KeptTables(tables, said["facts"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"The analysis {identifier} is damaged ({type(error).__name__}): delete {folder}."
        ) from error
