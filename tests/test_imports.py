"""Imports point one way, and cheap imports stay cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lmcore"

_BASE = {
    "errors",
    "types",
    "access",
    "identity",
    "settings",
    "storage",
    "audit",
    "fingerprint",
    "garbage",
    "hub",
    "memory",
    "methods",
}
_MODELS = _BASE | {"tasks", "data", "models"}
_WORK = _MODELS | {"training", "analysis", "projection"}
_SERVING = _WORK | {"serving", "jobs"}
ALLOWED: dict[str, set[str]] = {
    **{name: _BASE for name in _BASE},
    "tasks": _MODELS,
    "data": _MODELS,
    "models": _MODELS,
    "training": _WORK,
    "analysis": _WORK,
    "projection": _WORK,
    "serving": _SERVING,
    "jobs": _BASE,
    "charts": _SERVING | {"charts"},
    "demo": _SERVING,
    "overview": _SERVING,
    "reset": _SERVING,
    "__main__": {"cli"},
    "cli": _SERVING | {"demo", "overview", "reset", "charts", "cli"},
    "ui": _SERVING | {"demo", "overview", "reset", "charts", "ui"},
}
HEAVY = ("torch", "transformers", "umap", "sklearn", "streamlit", "mlflow", "datasets")


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _parts(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_layers(path: Path) -> None:
    part = _parts(path)
    if part == "__init__":
        return
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("lmcore.")}
    wrong = used - ALLOWED[part] - {part, "__version__"}
    assert not wrong, f"{path.relative_to(ROOT)} may not import {wrong}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_streamlit_stays_in_the_ui(path: Path) -> None:
    if _parts(path) != "ui" and path.name != "gateway.py":
        assert not {name for name in _imports(path) if name.split(".")[0] == "streamlit"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "module",
    ["lmcore", "lmcore.methods", "lmcore.data", "lmcore.models", "lmcore.training", "lmcore.analysis", "lmcore.projection",
     "lmcore.serving", "lmcore.jobs", "lmcore.cli"],
)  # fmt: skip
def test_importing_a_package_imports_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_reading_every_registry_imports_nothing_heavy() -> None:
    script = (
        "import sys; from lmcore.methods import all_registries; all_registries();"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
