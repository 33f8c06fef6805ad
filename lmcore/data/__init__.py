"""Data sets: reading, describing, finding defects, cleaning, splitting and keeping them."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.data.clean import Cleaning, clean_dataset
    from lmcore.data.dataset import TextDataset
    from lmcore.data.issues import DataIssues, find_issues
    from lmcore.data.load import load_dataset
    from lmcore.data.profile import DataProfile, profile_dataset
    from lmcore.data.split import split_dataset
    from lmcore.data.squad import pair_unanswerable
    from lmcore.data.store import DatasetStore

_EXPORTS = {
    "Cleaning": "lmcore.data.clean",
    "DataIssues": "lmcore.data.issues",
    "DataProfile": "lmcore.data.profile",
    "DatasetStore": "lmcore.data.store",
    "TextDataset": "lmcore.data.dataset",
    "clean_dataset": "lmcore.data.clean",
    "find_issues": "lmcore.data.issues",
    "load_dataset": "lmcore.data.load",
    "pair_unanswerable": "lmcore.data.squad",
    "profile_dataset": "lmcore.data.profile",
    "split_dataset": "lmcore.data.split",
}

__all__ = [
    "Cleaning",
    "DataIssues",
    "DataProfile",
    "DatasetStore",
    "TextDataset",
    "clean_dataset",
    "find_issues",
    "load_dataset",
    "pair_unanswerable",
    "profile_dataset",
    "split_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
