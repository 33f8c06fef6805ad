"""What ``lmcore compare --before`` answers: the same rows and texts before and after training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcore.cli.command import Session
from lmcore.cli.output import Answer, plain, records, table
from lmcore.errors import InputError
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.beside import Earlier

BASE = "base"
_SHOWN = 10


def beside_answer(
    session: Session, version: str, data: str, split: str, before: str, texts: Sequence[str], seed: int
) -> Answer:
    """Set a version beside what was before it.

    Args:
        session: the settings.
        version: the version.
        data: the data set.
        split: which rows.
        before: ``base``, a version, a base model or a baseline's name.
        texts: texts to ask both about.
        seed: of the paired bootstrap.
    """
    from lmcore.data.store import DatasetStore
    from lmcore.models.catalogue import resolve_model
    from lmcore.models.registry import ModelRegistry
    from lmcore.training.beside import rival_evaluation, set_beside
    from lmcore.training.kept import ensure_evaluation

    settings = session.settings
    dataset = DatasetStore(settings.workspace).load(data)
    registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
    known = registry.get(resolve_model(version, settings))
    with session.report() as report:
        after = ensure_evaluation(known.ref, dataset, split=split, settings=settings, report=Part(report, 0.0, 0.5))
        rivals = after.tables.get("baselines")
        names = rivals["name"].tolist() if rivals is not None else []
        earlier = _earlier(known, registry.list(), names, before)
        if earlier.kind == "rival":
            first = rival_evaluation(after, dataset, earlier.name, seed=seed)
        else:
            first = ensure_evaluation(
                earlier.name, dataset, split=split, settings=settings, report=Part(report, 0.5, 1.0)
            )
    found = set_beside(first, after, seed=seed)
    changed = found.rows[~found.rows["change"].isin(["still right", "as before"])]
    asked = _ask(session, earlier, str(known.ref), dataset.task, texts) if texts else []
    document = {
        "before": found.before,
        "after": found.after,
        "data": found.data,
        "changes": found.changes,
        "sentences": found.sentences(),
        "differences": records(found.comparison.differences),
        "rows": records(changed),
        "texts": asked,
    }
    listed = [(r["id"] + 1, r["change"], r["gold"], r["before"], r["after"], r["text"]) for r in records(changed)]
    shown: list[Any] = [f"{found.after} beside {found.before}, {earlier.reason}.", *map(plain, found.sentences())]
    if listed:
        shown.append(table(("row", "change", "gold", "before", "after", "text"), listed[:_SHOWN]))
    if asked:
        shown.append(
            table(("text", "before", "after"), [(a["text"], a["before"], a["after"]) for a in asked], wrap=True)
        )
    return Answer(document, shown)


def _earlier(
    version: "ModelVersion", versions: "Sequence[ModelVersion]", rivals: Sequence[str], before: str
) -> "Earlier":
    """Return what is meant by the word before: where nothing came before, the sentence that says why is the error."""
    from lmcore.training.beside import Earlier, Kind, earlier_models

    offered, reason = earlier_models(version, versions, rivals)
    if before == BASE:
        if reason or not offered:
            stand_ins = ", ".join(item.name for item in offered)
            hint = (
                f"name what to take in its place with --before: {stand_ins}." if stand_ins else "train another version."
            )
            raise InputError(
                f"{reason.rstrip('.')}; {hint}" if reason else f"There is nothing before {version.ref}: {hint}"
            )
        return offered[0]
    named = next((item for item in offered if item.name == before), None)
    kind: Kind = "version" if before.startswith("models:/") else "model"
    return named or Earlier(before, kind, "as it was asked for")


def _ask(session: Session, earlier: "Earlier", version: str, task: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    from lmcore.models.load import load_model
    from lmcore.tasks import load_task
    from lmcore.training.beside import ask

    names = load_task(task).required()
    if earlier.kind == "rival" or len(names) > 1:
        why = (
            "a baseline answers only for rows" if earlier.kind == "rival" else f"this task reads {' and '.join(names)}"
        )
        raise InputError(f"--text cannot be asked: {why}; leave it out.")
    said = []
    for name in (earlier.name, version):
        loaded = load_model(name, task=None if name.startswith("models:/") else task, settings=session.settings)
        said.append(records(ask(loaded, texts)))
    return [
        {
            "text": text,
            "before": first["answer"],
            "before_score": first["score"],
            "after": second["answer"],
            "after_score": second["score"],
        }
        for text, first, second in zip(texts, *said, strict=True)
    ]
