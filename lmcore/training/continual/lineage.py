"""The data that a version has learnt from: its own, and those of the versions that it goes back to."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import InputError, OptionError, StorageError
from lmcore.models.catalogue import resolve_model
from lmcore.settings import Settings
from lmcore.training.config import TrainConfig
from lmcore.types import DatasetRef, ModelRef

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion


@dataclass(frozen=True, eq=False)
class Earlier:
    """What a version has learnt from.

    Attributes:
        data: the data sets that are stored, the last one first.
        gone: names of those that are not stored any more, or hold other rows now.
    """

    data: tuple[TextDataset, ...]
    gone: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The stored ones' text forms."""
        return [str(data.ref) for data in self.data]


def lineage(version: "str | ModelRef", settings: Settings) -> "tuple[ModelVersion, ...]":
    """Return a version and those that it was trained on from, the nearest first, as far as they are registered.

    Versions of another task, or that knew labels which the version does not, are left out: it does not go on with what
    they knew.

    Raises:
        InputError: there is no such version.
    """
    from lmcore.models.registry import ModelRegistry

    registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
    found = [registry.get(version)]
    known = set(found[0].facts.get("labels", ()))
    seen = {str(found[0].ref)}
    base = str(found[0].facts.get("base", ""))
    while base.startswith("models:/") and base not in seen:
        seen.add(base)
        try:
            nearest = registry.get(base)
        except InputError:
            break
        if nearest.task == found[0].task and set(nearest.facts.get("labels", ())) <= known:
            found.append(nearest)
        base = str(nearest.facts.get("base", ""))
    return tuple(found)


def earlier_data(version: "str | ModelRef", settings: Settings) -> Earlier:
    """Return the data sets that a version and those before it were trained on, each once.

    Raises:
        InputError: there is no such version.
    """
    store = DatasetStore(settings.workspace)
    stored: dict[str, TextDataset] = {}
    gone: list[str] = []
    for known in lineage(version, settings):
        name = str(known.facts.get("data", ""))
        if name in stored or name in gone:
            continue
        data = _load(store, name, str(known.facts.get("data_fingerprint", "")))
        if data is None:
            gone.append(name or "unknown data")
        else:
            stored[name] = data
    return Earlier(tuple(stored.values()), tuple(gone))


def _load(store: DatasetStore, name: str, fingerprint: str) -> TextDataset | None:
    """Return a split data set whose rows are still those that were learnt from, or None."""
    try:
        data = store.load(replace(DatasetRef.parse(name), split=""))
    except (InputError, StorageError):
        return None
    return data if data.is_split and data.fingerprint == fingerprint else None


def pinned(config: TrainConfig, settings: Settings) -> TrainConfig:
    """Return a configuration whose registered model is named by its number, since an alias may move while it runs."""
    ref = resolve_model(config.model, settings)
    return replace(config, model=str(ref)) if ref.kind == "registry" else config


def continued_config(version: "str | ModelRef", settings: Settings, **options: object) -> TrainConfig:
    """Return the configuration by which a version goes on with new data, under its own name.

    Args:
        version: the registered version to go on from, by number or alias.
        settings: the workspace.
        **options: settings of the method ``continual``; those that are not given are as the version was trained, where
            it was trained by gradient, and else the task's usual ones.

    Raises:
        InputError: there is no such version.
        OptionError: an option is not valid.
    """
    from lmcore.training.defaults import default_settings
    from lmcore.training.methods import TRAINING, check_method

    known = lineage(version, settings)[0]
    check_method("continual", known.task, str(known.ref))
    offered = {item.name: item for item in TRAINING["continual"].options}
    strange = next((name for name in options if name not in offered), "")
    if strange:
        raise OptionError(f"continual has no option {strange!r}; it takes: {', '.join(offered)}.")
    before = known.facts.get("config") or {}
    kept = {name: before[name] for name in ("max_length", "batch_size", "seed") if name in before}
    values = {**kept, **default_settings(known.task, "continual"), **options}
    return TrainConfig.from_dict(
        {"name": known.name, "task": known.task, "model": str(known.ref), "method": "continual", **values}
    )
