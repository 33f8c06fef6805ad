"""A map as a job: what the worker process runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lmcore.data.store import DatasetStore
from lmcore.models.load import load_model
from lmcore.projection.representations import MapConfig, load_map, map_representations, save_map
from lmcore.settings import Settings, Workspace
from lmcore.types import Part, Report

TARGET = "lmcore.projection.job:run"


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Compute and keep the map that a `MapConfig` names; one that is kept already is not computed again.

    Returns:
        ``map``: the id under which it is kept.
    """
    wanted = MapConfig(**config)
    if load_map(workspace, wanted.id) is None:
        report.progress(0.0, "Loading the model")
        settings = replace(Settings.from_environment(), workspace=workspace)
        loaded = load_model(wanted.version, settings=settings)
        data = DatasetStore(workspace).load(wanted.data)
        result = map_representations(loaded, data, wanted, report=Part(report, 0.1, 1.0))
        save_map(workspace, wanted.id, result)
    return {"map": wanted.id}
