"""Models kept in memory for interactive work, within a budget of bytes."""

import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lmcore.errors import ResourceError
from lmcore.models.catalogue import resolve_model
from lmcore.models.load import LoadedModel, load_model, model_folder
from lmcore.settings import MIB, Settings
from lmcore.types import ModelRef

WAIT_SECONDS = 60.0
Loader = Callable[[ModelRef, str | None, Settings], LoadedModel]


@dataclass
class _Entry:
    loaded: LoadedModel | None
    nbytes: int
    leases: int


@dataclass(frozen=True, slots=True)
class PoolState:
    """What the pool holds: model names with their bytes, and the budget in bytes."""

    models: tuple[tuple[str, int], ...]
    budget: int


class ModelPool:
    """Loads each model once, lends it, and drops the least recently used before it loads another.

    A model that is lent is never dropped. Two threads asking for one model at once share one load.
    """

    def __init__(self, settings: Settings, *, loader: Loader | None = None, wait_seconds: float = WAIT_SECONDS) -> None:
        self._settings = settings
        self._loader = loader or _load
        self._wait = wait_seconds
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._changed = threading.Condition()

    @contextmanager
    def lease(self, ref: "ModelRef | str", task: str | None = None) -> Iterator[LoadedModel]:
        """Lend a model for the length of a ``with`` block.

        Raises:
            InputError: there is no such model.
            ResourceError: it does not fit into the budget, the models that are in use leave no room for it, or the
                device's memory ran out while it was loaded or in use; the pool can be used as before.
        """
        resolved = resolve_model(ref, self._settings)
        folder, own_task = model_folder(resolved, self._settings)
        wanted = own_task if task is None else task
        key = (str(resolved), wanted)
        with _device_errors(resolved):
            loaded = self._take(key, resolved, wanted, _weight_bytes(folder))
            try:
                yield loaded
            finally:
                with self._changed:
                    self._entries[key].leases -= 1
                    self._changed.notify_all()

    def state(self) -> PoolState:
        """Return what is loaded now, the least recently used first."""
        with self._changed:
            held = tuple((key[0], entry.nbytes) for key, entry in self._entries.items() if entry.loaded)
        return PoolState(held, self._settings.pool_bytes)

    def clear(self) -> None:
        """Drop every model that is not lent."""
        with self._changed:
            for key in [key for key, entry in self._entries.items() if not entry.leases]:
                del self._entries[key]
            self._changed.notify_all()

    def _take(self, key: tuple[str, str], ref: ModelRef, task: str, needed: int) -> LoadedModel:
        with self._changed:
            held = self._wait_for(key, ref, needed)
            if held is not None:
                return held
            entry = self._entries[key] = _Entry(None, needed, 1)
        try:
            loaded = self._loader(ref, task, self._settings)
            self._check_size(ref, loaded.nbytes)
        except BaseException:
            with self._changed:
                del self._entries[key]
                self._changed.notify_all()
            raise
        with self._changed:
            entry.loaded, entry.nbytes = loaded, loaded.nbytes
            self._make_room(0)  # it may be larger in memory than on disk
            self._changed.notify_all()
        return loaded

    def _wait_for(self, key: tuple[str, str], ref: ModelRef, needed: int) -> LoadedModel | None:
        """Lend the model where it is held, waiting for a load under way; else return None once there is room for it.

        Whoever waited looks for the model again, since another thread may have begun to load it meanwhile.
        """
        deadline = time.monotonic() + self._wait
        while True:
            entry = self._entries.get(key)
            if entry is None:
                self._check_size(ref, needed)
                if self._make_room(needed):
                    return None
                self._wait_for_room(ref, needed, deadline)
            elif entry.loaded is None:
                self._changed.wait()
                deadline = time.monotonic() + self._wait
            else:
                self._entries.move_to_end(key)
                entry.leases += 1
                return entry.loaded

    def _make_room(self, needed: int) -> bool:
        """Drop idle models, the least recently used first, until there is room; say whether there is."""
        budget = self._settings.pool_bytes
        while sum(entry.nbytes for entry in self._entries.values()) + needed > budget:
            idle = next((key for key, entry in self._entries.items() if not entry.leases), None)
            if idle is None:
                return False
            del self._entries[idle]
        return True

    def _check_size(self, ref: ModelRef, needed: int) -> None:
        budget = self._settings.pool_bytes
        if needed > budget:
            raise ResourceError(
                f"{ref} takes {needed / MIB:.0f} MiB and the pool has {budget / MIB:.0f} MiB: set LMSCOPE_POOL_MB "
                "higher or choose a smaller model."
            )

    def _wait_for_room(self, ref: ModelRef, needed: int, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ResourceError(
                f"{ref} takes {needed / MIB:.0f} MiB, and the models in use now leave no room in the pool of "
                f"{self._settings.pool_bytes / MIB:.0f} MiB: try again in a moment."
            )
        self._changed.wait(left)


def _load(ref: ModelRef, task: str | None, settings: Settings) -> LoadedModel:
    return load_model(ref, task=task, settings=settings)


@contextmanager
def _device_errors(ref: ModelRef) -> Iterator[None]:
    """Turn a lack of CUDA memory into a `ResourceError`, and give back what torch keeps for later."""
    try:
        yield
    except Exception as error:
        if "OutOfMemoryError" not in {kind.__name__ for kind in type(error).__mro__}:  # known by name, without torch
            raise
        import torch

        torch.cuda.empty_cache()
        raise ResourceError(
            f"The device ran out of memory with {ref}: take a shorter text or fewer at once, end other work on it, or set "
            "LMSCOPE_DEVICE to cpu."
        ) from error


def _weight_bytes(path: Path) -> int:
    """Return the memory that a model's weights will take as float32; of a GGUF file, at least that."""
    if path.is_file():
        return path.stat().st_size
    return sum(_float32_bytes(file) for file in path.glob("*.safetensors"))


def _float32_bytes(file: Path) -> int:
    """Read the shapes of a safetensors file; where they cannot be read, its size is as good as any."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > size:
            return size
        try:
            header = json.loads(opened.read(length))
            return sum(4 * math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError):
            return size
