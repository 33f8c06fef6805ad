"""Which evaluations a workspace keeps, and getting one that it may lack."""

import json
from dataclasses import dataclass

from lmcore.data.dataset import TextDataset
from lmcore.models.load import LoadedModel
from lmcore.settings import Settings, Workspace
from lmcore.training.evaluation import OTHER_WAY, Evaluation, evaluate, load_evaluation, save_evaluation
from lmcore.types import ModelRef, Report


@dataclass(frozen=True, slots=True)
class KeptEvaluation:
    """What is known of a kept evaluation without reading its predictions.

    Attributes:
        id: names it.
        version: the registered version that was measured.
        data: the data set, with its split, in text form.
        task: the task.
        split: which rows, or empty where the data set has no splits.
        rows: their number.
        created: seconds since 1970.
        own_way: whether texts were written in the model's own way: figures of others say little beside another version's.
    """

    id: str
    version: str
    data: str
    task: str
    split: str
    rows: int
    created: float
    own_way: bool = True


def kept_evaluations(workspace: Workspace, *, version: str = "", data: str = "") -> list[KeptEvaluation]:
    """Return the kept evaluations of a version, on some data, or all, the newest first; damaged ones are passed over."""
    found = []
    for path in (workspace.results / "evaluations").glob("*/evaluation.json"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            known = facts["parameters"]
            kept = KeptEvaluation(
                id=facts["id"],
                version=facts["version"],
                data=facts["data"],
                task=facts["task"],
                split=known.get("split", ""),
                rows=known.get("rows", 0),
                created=path.stat().st_mtime,
                own_way=not known.get(OTHER_WAY, False),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if version in {"", kept.version} and data in {"", kept.data}:
            found.append(kept)
    return sorted(found, key=lambda kept: (kept.created, kept.id), reverse=True)


def chief_evaluation(workspace: Workspace, version: "str | ModelRef") -> str | None:
    """Return the id of the evaluation that speaks for a version: the newest on a test split, else the newest.

    One whose texts were written in another way than the model's own comes last.
    """
    kept = kept_evaluations(workspace, version=str(version))
    first = sorted(kept, key=lambda item: (not item.own_way, item.split != "test"))
    return next((item.id for item in first), None)


def ensure_evaluation(
    version: "str | ModelRef | LoadedModel",
    data: TextDataset,
    *,
    split: str = "test",
    settings: Settings,
    report: Report | None = None,
) -> Evaluation:
    """Return a version's evaluation on some rows: the kept one, else one that is made now and kept.

    Args:
        version: the registered version, with its number or alias.
        data: the data set; only a stored one can be found again.
        split: which of its rows.
        settings: workspace and device.
        report: progress and cancellation.

    Raises:
        InputError: there is no such version, or it cannot be loaded.
        DataError: the rows cannot be measured.
        StorageError: the disk is full.
        Cancelled: the report asked to stop.
    """
    from lmcore.models.catalogue import resolve_model

    ref = version.ref if isinstance(version, LoadedModel) else resolve_model(version, settings)
    part = data.part(split) if data.is_split and not (data.ref and data.ref.split) else data
    if part.ref:
        found = kept_evaluations(settings.workspace, version=str(ref), data=str(part.ref))
        kept = [item for item in found if item.own_way]
        if kept:
            return load_evaluation(settings.workspace, kept[0].id)
    made = evaluate(version, data, split=split, settings=settings, report=report)
    save_evaluation(settings.workspace, made)
    return made
