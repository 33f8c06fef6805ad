"""Pages run by AppTest on a throw-away workspace."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from lmcore.data.dataset import TextDataset
from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard
from lmcore.models.registry import ModelRegistry
from lmcore.projection.representations import MapConfig, map_representations, save_map
from lmcore.settings import MIB, Settings, Workspace
from lmcore.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 30


@dataclass(frozen=True)
class Prepared:
    """What a workspace was filled with.

    Attributes:
        root: its folder; copy it, never change it.
        raw: the data set as it was brought in.
        split: the same data set, split.
        version: the champion.
        evaluation: id of its evaluation.
        map: the map that is kept, of all rows.
    """

    root: Path
    raw: str
    split: str
    version: str
    evaluation: str
    map: MapConfig


@pytest.fixture(scope="session", autouse=True)
def components() -> Iterator[None]:
    """Every AppTest looks through all installed packages for components, which takes most of its time: once is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, topic_frame: pd.DataFrame, tiny_folder: Path) -> Prepared:
    """A workspace that went through every stage once; a tenth of the labels is wrong."""
    from lmcore.models import load_model
    from lmcore.training import train

    workspace = Workspace(tmp_path_factory.mktemp("prepared") / "workspace")
    settings = Settings(workspace=workspace, device="cpu", pool_bytes=512 * MIB)
    store = DatasetStore(workspace)
    mislabelled = topic_frame["label"].shift(1).where(topic_frame["id"] % 10 == 9, topic_frame["label"])
    raw = store.save(TextDataset("topics", "text-classification", topic_frame.assign(label=mislabelled)))
    split = store.save(split_dataset(raw, seed=1))
    config = TrainConfig(name="topics", model=f"folder:{tiny_folder}", layer=2, strength=1.0)
    trained = train(config, split, settings=settings)
    ModelRegistry(workspace).promote("topics", 1)
    loaded = load_model(trained.version.ref, settings=settings)
    drawn = MapConfig(str(trained.version.ref), str(split.ref)).resolved(loaded.layers)
    save_map(workspace, drawn.id, map_representations(loaded, split, drawn))
    return Prepared(
        workspace.root, str(raw.ref), str(split.ref), str(trained.version.ref), trained.evaluation.id, drawn
    )


@pytest.fixture
def home(workspace: Workspace, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of an empty workspace, which the pages take from the environment; no job is left behind."""
    monkeypatch.setenv("LMSCOPE_HOME", str(workspace.root))
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    monkeypatch.setenv("LMSCOPE_MODEL_DIRS", str(tiny_folder.parent))
    for name in ("LMSCOPE_API_KEY_SHA256", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield Settings.from_environment()
    st.cache_data.clear()
    st.cache_resource.clear()
    board = JobBoard(workspace, grace_seconds=0.1)
    left = [board.cancel(job.id) for job in board.list() if not job.state.ended] if workspace.root.exists() else []
    for job in left:
        board.wait(job.id, STOP_SECONDS)


@pytest.fixture
def filled(home: Settings, prepared: Prepared) -> Prepared:
    """The workspace of the test, with what ``prepared`` has."""
    shutil.copytree(prepared.root, home.workspace.root)
    return prepared


@pytest.fixture
def open_app(home: Settings) -> Callable[..., AppTest]:
    """Opens a page, with what its link carries."""

    def open_app(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(ROOT / "Home.py", default_timeout=30)
        if page != "Home.py":
            app = app.switch_page(f"pages/{page}")
        app.query_params.update(query)
        return app.run()

    return open_app
