"""Data sets: reading, describing, finding defects, cleaning, splitting and keeping them."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.data.clean import Cleaning, clean_dataset
    from lmcore.data.dataset import TextDataset
    from lmcore.data.issues import DataIssues, find_issues
    from lmcore.data.label_store import LabelStore
    from lmcore.data.labelling import keep_labels, label_queue, queue_rows, store_labels
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
    "LabelStore": "lmcore.data.label_store",
    "TextDataset": "lmcore.data.dataset",
    "clean_dataset": "lmcore.data.clean",
    "find_issues": "lmcore.data.issues",
    "keep_labels": "lmcore.data.labelling",
    "label_queue": "lmcore.data.labelling",
    "load_dataset": "lmcore.data.load",
    "pair_unanswerable": "lmcore.data.squad",
    "profile_dataset": "lmcore.data.profile",
    "queue_rows": "lmcore.data.labelling",
    "split_dataset": "lmcore.data.split",
    "store_labels": "lmcore.data.labelling",
}

__all__ = [
    "Cleaning",
    "DataIssues",
    "DataProfile",
    "DatasetStore",
    "LabelStore",
    "TextDataset",
    "clean_dataset",
    "find_issues",
    "keep_labels",
    "label_queue",
    "load_dataset",
    "pair_unanswerable",
    "profile_dataset",
    "queue_rows",
    "split_dataset",
    "store_labels",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
