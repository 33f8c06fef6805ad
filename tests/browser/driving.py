"""A real dashboard in a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SECONDS = 60
WIDTH, HEIGHT = 1400, 900
PICTURES = "LMSCOPE_SCREENSHOTS"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


class Dashboard:
    """The dashboard as a process of its own, on a free port."""

    def __init__(self, home: Path, log: Path, options: Sequence[str] = ()) -> None:
        self.home, self.log, self.options = home, log, options
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self.url = f"http://localhost:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.headless", "true"]
        environment = os.environ | {"LMSCOPE_HOME": str(self.home), "LMSCOPE_DEVICE": "cpu"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.address", "localhost", "--server.port", str(self.port), *self.options],
                cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Visitor:
    """A person with a browser, who waits for what is to be seen."""

    def __init__(self, page: Any, url: str, shots: Path) -> None:
        from playwright.sync_api import expect

        expect.set_options(timeout=1000 * SECONDS)
        page.set_default_timeout(1000 * SECONDS)
        self.page, self.url, self.shots, self.expect = page, url, shots, expect
        self.foreign: list[str] = []
        page.on("request", self._note_foreign)

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.url}/{path}")
        self.settle()

    def go(self, stage: str) -> None:
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=stage, exact=True).click()
        self.sees(stage, role="heading")
        self.settle()

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label, exact=True).click()

    def choose(self, group: str, option: str) -> None:
        self.page.get_by_role("radiogroup", name=group).get_by_role("radio", name=option, exact=True).click()
        self.settle()

    def pick(self, label: str, option: str) -> None:
        self.page.get_by_role("combobox", name=label, exact=True).click()
        self.page.get_by_role("option", name=option, exact=True).click()
        self.picked(label, option)
        self.settle()

    def picked(self, label: str, shown: str) -> None:
        """Wait until a select box shows an option."""
        boxes = self.page.get_by_role("combobox", name=label, exact=True)
        self.expect(boxes).to_have_count(1)  # while the page is drawn anew, the old box may still be there
        self.expect(boxes).to_have_value(shown)

    def sees(self, text: str, role: str = "") -> Any:
        main = self.page.get_by_test_id("stMain")
        found = main.get_by_role(role, name=text, exact=True) if role else main.get_by_text(text)
        self.expect(found.first).to_be_visible()
        return found.first

    def chart(self, words: str) -> Any:
        """Wait until the chart whose alternative text has these words is drawn."""
        found = self.page.locator(f'[data-testid="stVegaLiteChart"][aria-label*="{words}"]').first
        self.expect(found.locator("svg.marks, canvas.marks")).to_be_visible()
        return found

    def settle(self) -> None:
        """Wait until the script has run, and check that nothing went wrong."""
        app = self.page.get_by_test_id("stApp")
        self.expect(app).to_have_attribute("data-test-script-state", "notRunning")
        self.expect(self.page.get_by_test_id("stException")).to_have_count(0)

    def is_content(self) -> None:
        """Check that no error is on the page."""
        self.settle()
        errors = self.page.get_by_test_id("stAlertContentError")
        self.expect(errors).to_have_count(0)

    def _note_foreign(self, request: Any) -> None:
        if not request.url.startswith((self.url, self.url.replace("http", "ws"), "data:", "blob:")):
            self.foreign.append(request.url)

    def run_again(self) -> None:
        self.page.locator("body").press("r")
        self.settle()

    def shoot(self, name: str) -> None:
        """Keep the whole page as a picture; where pictures are asked for, in dark too."""
        self._shoot(name)
        if os.environ.get(PICTURES):
            self.page.emulate_media(color_scheme="dark")
            self.run_again()  # the texts in the charts get their colour from the script
            self._shoot(f"{name}-dark")
            self.page.emulate_media(color_scheme="light")
            self.run_again()

    def _shoot(self, name: str) -> None:
        self.page.mouse.move(WIDTH / 2, 1)
        self.settle()
        content = "document.querySelector('[data-testid=stMain]').scrollHeight"
        self.page.set_viewport_size({"width": WIDTH, "height": max(HEIGHT, self.page.evaluate(content))})
        picture = Image.open(BytesIO(self.page.screenshot(animations="disabled")))
        picture.quantize(256).save(self.shots / f"{name}.png", optimize=True)
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


@contextmanager
def browsing() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("there is no chromium: sh tests/browser/install-chromium.sh installs it")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()
