"""Fixtures of the browser tests."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.driving import HEIGHT, PICTURES, WIDTH, Dashboard, Visitor, browsing


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: the folder that LMSCOPE_SCREENSHOTS names, or one that is thrown away."""
    folder = Path(os.environ.get(PICTURES) or tmp_path_factory.mktemp("screenshots")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    with tempfile.TemporaryDirectory(prefix="lmscope-") as home:  # its name is short, as pictures show it
        dashboard = Dashboard(Path(home), tmp_path / "dashboard.log")
        dashboard.start()
        yield dashboard
        dashboard.kill()


@pytest.fixture
def visitor(dashboard: Dashboard, shots: Path) -> Iterator[Visitor]:
    with browsing() as browser:
        yield Visitor(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), dashboard.url, shots)
