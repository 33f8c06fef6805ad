"""Running the command line in-process, and a workspace with a trained model that many tests read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lmcore.cli import main
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.settings import Workspace

Run = Callable[..., Result]
Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the tests away from the caller's workspace and settings."""
    for name in ("LMSCOPE_MODEL_DIRS", "LMSCOPE_UPLOAD_MB", "LMSCOPE_JOBS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LMSCOPE_DEVICE", "cpu")
    monkeypatch.setenv("LMSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def run() -> Run:
    """Run ``lmcore`` with arguments; an unexpected exception is raised in the test."""

    def call(*arguments: object, home: Path | None = None, input: str | None = None) -> Result:
        place = ["--home", str(home)] if home else []
        return CliRunner().invoke(main, [*place, *map(str, arguments)], input=input, catch_exceptions=False)

    return call


@pytest.fixture
def ask(run: Run) -> Ask:
    """Run with ``--json`` and return the document; nothing else may be printed."""

    def call(*arguments: object, **options: Any) -> Any:
        result = run(*arguments, "--json", **options)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return json.loads(result.stdout)

    return call


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Run what must be refused with exit code 2 and one sentence; return the sentence."""

    def call(*arguments: object, **options: Any) -> str:
        result = run(*arguments, **options)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        sentence = result.stderr.splitlines()[-1]
        in_json = run(*arguments, "--json", **options)
        assert (in_json.exit_code, in_json.stderr) == (2, f"{sentence}\n")
        assert json.loads(in_json.stdout) == {"error": sentence}
        return sentence

    return call


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory, topics: TextDataset, tiny_folder: Path) -> Path:
    """A workspace with the data set topics@1 and the version models:/topics/1, which is the champion."""
    home = tmp_path_factory.mktemp("trained") / "home"
    DatasetStore(Workspace(home)).save(topics)
    for arguments in (
        ["train", "topics@1", "--model", str(tiny_folder), "--max-length", "64", "--json"],
        ["models", "promote", "topics", "1"],
    ):
        result = CliRunner().invoke(main, ["--home", str(home), *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        if arguments[0] == "train":
            (home / "answer.json").write_text(result.stdout)
    return home
