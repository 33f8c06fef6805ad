"""How much memory there is: the machine's, or a container's where that is less."""

from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory that this process may use.

    Attributes:
        total: bytes in all.
        available: bytes that can be had now without swapping.
    """

    total: int
    available: int


def read_memory(cgroups: Path = _CGROUPS, own: Path = _OWN) -> Memory:
    """Return what is there now; the tightest limit counts, of the machine and of each control group around this process.

    Args:
        cgroups: where control groups (version 2) are mounted.
        own: names the group of this process.
    """
    import psutil

    machine = psutil.virtual_memory()
    total, available = int(machine.total), int(machine.available)
    for group in _groups(cgroups, own):
        limit = _number(group / "memory.max")
        if limit is not None:
            total = min(total, limit)
            available = min(available, max(0, limit - _held(group)))
    return Memory(total, available)


def _groups(cgroups: Path, own: Path) -> list[Path]:
    """Return the folders of the process's group and of those around it, the root of the mount included."""
    try:
        named = next(line[3:] for line in own.read_text(encoding="utf-8").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    inner = cgroups / named.lstrip("/")
    return [folder for folder in (inner, *inner.parents) if folder.is_relative_to(cgroups)]


def _held(group: Path) -> int:
    """Return what a group holds and cannot give back: files that were read last long ago are dropped when needed."""
    held = _number(group / "memory.current") or 0
    try:
        lines = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return held
    old = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
    return max(0, held - old)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
