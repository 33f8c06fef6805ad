"""Texts to try a version with: a row of its own data where that is at hand, else a sample's in its language."""

import pandas as pd
import streamlit as st

from lmcore.data.samples import SAMPLES
from lmcore.data.text import is_blank, is_chinese
from lmcore.errors import LmError
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.ui import cache

LOOKED_AT = 20


def example_texts(version: str) -> dict[str, str]:
    """Return what a version can be tried with, each text by its column.

    Raises:
        InputError: there is no such version.
    """
    found = cache.registry().get(version)
    facts = found.facts
    chinese = bool(facts.get("chinese", is_chinese(" ".join(facts.get("labels", ())))))
    return _example_of(cache.workspace_root(), str(found.ref), found.task, str(facts.get("data", "")), chinese)


@st.cache_data(show_spinner=False)
def _example_of(root: str, version: str, task: str, data: str, chinese: bool) -> dict[str, str]:
    kind = load_task(task)
    try:
        own = cache.dataset(data.partition(":")[0])
        found = _rather_short(kind, (own.part("test") if own.is_split else own).frame)
    except LmError:
        found = {}
    return found or _sample(kind, "zh" if chinese else "en")


def _sample(task: Task, language: str) -> dict[str, str]:
    from lmcore.data import load_dataset

    for name, sample in SAMPLES.items():
        if (sample.facts["task"], sample.facts["language"]) == (task.name, language):
            return _rather_short(task, load_dataset(f"sample:{name}", task=task.name).frame)
    return dict.fromkeys(task.required(), "")


def _rather_short(task: Task, frame: pd.DataFrame) -> dict[str, str]:
    """Return what the task reads of the row at the lower quartile of length among the first; none where none is whole."""
    if any(name not in frame for name in task.required()):
        return {}
    names = task.inputs(frame)
    texts = [{name: str(row[name]) for name in names} for row in frame.head(LOOKED_AT).to_dict("records")]
    whole = [row for row in texts if not any(is_blank(text) for text in row.values())]
    ordered = sorted(whole, key=lambda row: len(row[names[-1]]))
    return ordered[len(ordered) // 4] if ordered else {}
