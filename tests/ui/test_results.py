"""What the Analyse page found is kept for all sessions, within a number of bytes."""

import importlib
import pkgutil
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import streamlit as st
from streamlit.byte_util import config_max_cache_data_size_to_bytes
from streamlit.runtime.caching.global_cache_budget import get_global_cache_budget

import lmcore.ui.views as views
from lmcore.settings import MIB
from lmcore.types import Silent
from lmcore.ui import cache
from lmcore.ui.views import probabilities
from tests.tasks.speakers import rule_frame, speaker

ROOT = Path(__file__).parents[2]
BUDGET = 64 << 10


class Lender:
    """Lends one model, and counts how often."""

    def __init__(self):
        self.leases = 0
        self.loaded = speaker("text-generation")

    @contextmanager
    def lease(self, version):
        self.leases += 1
        yield self.loaded


@pytest.fixture
def lender(monkeypatch):
    found = Lender()
    monkeypatch.setattr(cache, "pool", lambda: found)
    st.cache_data.clear()
    yield found
    st.cache_data.clear()


@pytest.fixture
def budget(lender):
    kept = get_global_cache_budget()
    before = kept.max_bytes
    kept.reconfigure(BUDGET)
    yield kept
    kept.reconfigure(before)


def read(text):
    return probabilities._probabilities("root", "models:/x@1", text, None, Silent())


def test_the_dashboard_keeps_a_bounded_number_of_bytes():
    said = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config_max_cache_data_size_to_bytes(said["server"]["maxCacheDataSize"]) == 256 * MIB


def test_no_view_keeps_results_outside_of_that_budget():
    names = [f"{views.__name__}.{module.name}" for module in pkgutil.iter_modules(views.__path__)]
    sources = {name: Path(importlib.import_module(name).__file__).read_text(encoding="utf-8") for name in names}
    assert sum("@st.cache_data" in source for source in sources.values()) > 10
    assert not [name for name, source in sources.items() if "cache_resource" in source]


def test_memory_does_not_grow_with_the_number_of_texts(lender, budget):
    texts = rule_frame(60, seed=3)["text"].tolist()
    sizes = []
    for text in texts:
        read(text)
        sizes.append(budget.total_bytes)
    assert lender.leases == len(texts)
    assert max(sizes) <= BUDGET
    assert min(sizes[20:]) > BUDGET // 2
    read(texts[-1])
    assert lender.leases == len(texts)
    read(texts[0])
    assert lender.leases == len(texts) + 1


def test_what_was_used_last_stays(lender, budget):
    first, *others = rule_frame(40, seed=4)["text"].tolist()
    read(first)
    for text in others:
        read(text)
        read(first)
    assert lender.leases == 40


def test_two_who_ask_the_same_at_once_wait_for_one_answer(lender):
    text = rule_frame(1)["text"].iloc[0]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(read, [text] * 4))
    assert lender.leases == 1
    assert len({one.fingerprint for one in found}) == 1
