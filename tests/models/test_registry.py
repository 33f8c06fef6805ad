import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmcore.errors import InputError, OptionError, StorageError, UnknownError, UnsafeError
from lmcore.models import mlflow_store
from lmcore.models.mlflow_store import has_database, reading_client, registry_lock, writing_client
from lmcore.models.registry import ALIASES, ModelRegistry
from lmcore.settings import Workspace
from lmcore.types import ModelRef

TASK = "text-classification"


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "工作 space")


@pytest.fixture(scope="module")
def made_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file as it is after its creation, which takes a second; each test gets a copy."""
    made = Workspace(tmp_path_factory.mktemp("made"))
    writing_client(made)
    return made.tracking.read_bytes()


@pytest.fixture
def workspace(empty: Workspace, made_database: bytes) -> Workspace:
    empty.folder(empty.root)
    empty.tracking.write_bytes(made_database)
    return empty


def model_folder(workspace: Workspace, name: str = "feedback", version: str = "abc") -> Path:
    folder = workspace.models / name / version
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def run_python(code: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_reading_an_empty_registry_makes_nothing_and_imports_nothing(empty):
    code = (
        "import sys; from pathlib import Path; from lmcore.settings import Workspace;"
        "from lmcore.models.registry import ModelRegistry;"
        "assert ModelRegistry(Workspace(Path(sys.argv[1]))).list() == [];"
        "print([m for m in ('mlflow', 'sqlalchemy', 'torch', 'pandas') if m in sys.modules])"
    )
    out, err = run_python(code, str(empty.root)).communicate(timeout=60)
    assert out.strip() == "[]", err
    assert not empty.root.exists()
    with pytest.raises(UnknownError, match="known: none yet"):
        ModelRegistry(empty).get("models:/feedback@champion")
    with pytest.raises(UnknownError):
        ModelRegistry(empty).promote("feedback", 1)
    assert not empty.root.exists()


def test_register_and_read_back(workspace):
    folder = model_folder(workspace)
    facts = {"method": "head", "labels": ["差", "good"], "dataset": "feedback@2", "layer": 4}
    made = ModelRegistry(workspace).register(
        "feedback", folder, task=TASK, run_id="r1", metrics={"accuracy": 0.9, "loss": 1e-3}, facts=facts
    )
    assert (made.version, made.task, made.run_id) == (1, TASK, "r1")
    assert made.folder == folder.resolve()
    assert made.available
    assert made.metrics == {"accuracy": 0.9, "loss": 1e-3}
    assert made.facts == facts
    assert str(made.ref) == "models:/feedback/1"
    again = ModelRegistry(workspace)
    assert again.get("models:/feedback/1") == made == again.list("feedback")[0]


def test_list_is_newest_first_and_by_name(workspace):
    registry = ModelRegistry(workspace)
    for name, version in (("b", "1"), ("a", "1"), ("b", "2")):
        registry.register(name, model_folder(workspace, name, version), task=TASK)
    assert [(v.name, v.version) for v in registry.list()] == [("b", 2), ("a", 1), ("b", 1)]
    assert [v.version for v in registry.list("b")] == [2, 1]
    assert registry.list("c") == []


def test_promote_moves_the_alias_and_can_be_undone(workspace):
    registry = ModelRegistry(workspace)
    for version in ("1", "2"):
        registry.register("feedback", model_folder(workspace, version=version), task=TASK)
    first = registry.promote("feedback", 1)
    assert (first.aliases, first.replaced) == (("champion",), {"champion": 0})
    second = registry.promote("feedback", 2)
    assert (second.aliases, second.replaced) == (("champion",), {"champion": 1})
    assert registry.get("models:/feedback@champion") == second
    assert registry.promote("feedback", 2) == second
    registry.promote("feedback", second.replaced["champion"])
    assert registry.get("models:/feedback@champion").version == 1
    registry.promote("feedback", 1, "challenger")
    assert registry.get(ModelRef("registry", "feedback", "1")).aliases == ALIASES
    registry.demote("feedback", "champion")
    with pytest.raises(UnknownError, match="known: 1, 2, challenger"):
        registry.get("models:/feedback@champion")
    with pytest.raises(UnknownError):
        registry.demote("feedback", "champion")


def test_wrong_names_list_the_right_ones(workspace):
    registry = ModelRegistry(workspace)
    registry.register("feedback", model_folder(workspace), task=TASK)
    with pytest.raises(UnknownError, match="known: feedback"):
        registry.get("models:/other/1")
    with pytest.raises(UnknownError, match="'7'; known: 1"):
        registry.get("models:/feedback/7")
    with pytest.raises(InputError, match="not a registered model"):
        registry.get("packaged:all-MiniLM-L6-v2")
    with pytest.raises(OptionError, match="champion, challenger"):
        registry.promote("feedback", 1, "best")
    with pytest.raises(InputError, match="usable name"):
        registry.register("a/b", model_folder(workspace, "x"), task=TASK)


def test_folders_outside_the_workspace_are_refused(workspace, tmp_path):
    registry = ModelRegistry(workspace)
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    link = workspace.folder(workspace.models) / "link"
    link.symlink_to(outside)
    for folder in (outside, link, workspace.models / ".." / ".." / "elsewhere", workspace.root):
        with pytest.raises(UnsafeError, match="outside the workspace"):
            registry.register("feedback", folder, task=TASK)
    with pytest.raises(InputError, match="no folder"):
        registry.register("feedback", workspace.models / "missing", task=TASK)
    with pytest.raises(InputError, match="characters"):
        registry.register("feedback", model_folder(workspace), task=TASK, facts={"x": "a" * 100_001})
    assert registry.list() == []


def test_a_moved_workspace_and_a_missing_folder(workspace, tmp_path):
    folder = model_folder(workspace)
    registry = ModelRegistry(workspace)
    registry.register("feedback", folder, task=TASK, facts={"labels": ["x" * 50] * 1000})
    moved = Workspace(tmp_path / "moved")
    workspace.root.rename(moved.root)
    version = ModelRegistry(moved).get("models:/feedback/1")
    assert version.available
    assert version.folder == (moved.models / "feedback" / "abc").resolve()
    (version.folder / "config.json").unlink()
    version.folder.rmdir()
    assert not ModelRegistry(moved).list()[0].available
    assert registry.list() == []


def test_a_source_that_leaves_the_workspace_is_never_available(workspace, tmp_path):
    registry = ModelRegistry(workspace)
    registry.register("feedback", model_folder(workspace), task=TASK)
    client = writing_client(workspace)
    client.create_model_version("feedback", "lmscope:../../", tags={}, await_creation_for=0)
    client.create_model_version("feedback", "s3://bucket/other", tags={}, await_creation_for=0)
    assert [(v.version, v.available) for v in registry.list()] == [(2, False), (1, True)]


def test_emptying_the_workspace_and_starting_again(workspace):
    registry = ModelRegistry(workspace)
    registry.register("feedback", model_folder(workspace), task=TASK)
    for path in workspace.root.glob("mlflow*"):
        path.unlink()
    assert registry.list() == []
    assert reading_client(workspace) is None
    assert registry.register("feedback", workspace.models / "feedback" / "abc", task=TASK).version == 1


def test_a_damaged_database_is_one_sentence(empty):
    empty.folder(empty.root)
    empty.tracking.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match=r"^The tracking store cannot be .*not a database"):
        ModelRegistry(empty).list()


def test_nothing_is_written_outside_the_workspace(empty, tmp_path):
    here = tmp_path / "cwd"
    here.mkdir()
    code = (
        "import sys; from pathlib import Path; from lmcore.settings import Workspace;"
        "from lmcore.models.registry import ModelRegistry; from lmcore.training.tracking import track_run;"
        "w = Workspace(Path(sys.argv[1])); f = w.models / 'm' / '1'; f.mkdir(parents=True);\n"
        "with track_run(w, name='a', parameters={'x': 1}) as run: run.log(0, {'loss': 1.0})\n"
        "ModelRegistry(w).register('m', f, task='t', run_id=run.run_id)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(here)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(empty.root)], cwd=here, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(here.iterdir()) == []
    assert {p.name for p in empty.root.iterdir()} - {"mlflow.db-wal", "mlflow.db-shm"} == {
        "audit",
        "models",
        "mlflow.db",
        "mlflow.lock",
    }
    artifacts = writing_client(empty).get_experiment_by_name("lmscope").artifact_location
    assert artifacts == (empty.root / "artifacts" / "lmscope").as_uri()


def test_a_lock_that_is_never_given_back_is_one_sentence(empty, monkeypatch):
    monkeypatch.setattr(mlflow_store, "LOCK_SECONDS", 0.0)
    with (
        registry_lock(empty),
        pytest.raises(StorageError, match=r"holds .*mlflow\.lock for more than 0 seconds: end it"),
    ):
        ModelRegistry(empty).register("m", model_folder(empty), task=TASK)


@pytest.mark.fault
def test_four_processes_make_the_database_and_register_at_once(empty):
    code = (
        "import sys, json; from pathlib import Path; from lmcore.settings import Workspace;"
        "from lmcore.models.registry import ModelRegistry;"
        "w = Workspace(Path(sys.argv[1])); f = w.models / sys.argv[2]; f.mkdir(parents=True);"
        "r = ModelRegistry(w); print(json.dumps([r.register('m', f, task='t').version for _ in range(3)]))"
    )
    started = [run_python(code, str(empty.root), str(number)) for number in range(4)]
    versions = []
    for process in started:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        versions += json.loads(out)
    assert sorted(versions) == list(range(1, 13))
    assert len(ModelRegistry(empty).list("m")) == 12
    assert not list(empty.root.glob("mlflow.new*"))


@pytest.mark.fault
def test_a_creation_that_was_killed_is_done_again(empty):
    code = (
        "import os, sys; from pathlib import Path; from lmcore.settings import Workspace;"
        "from lmcore.models import mlflow_store;"
        "mlflow_store.sqlite3.connect = lambda *a: os._exit(9);"
        "mlflow_store.writing_client(Workspace(Path(sys.argv[1])))"
    )
    process = run_python(code, str(empty.root))
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert not has_database(empty)
    assert ModelRegistry(empty).register("m", model_folder(empty), task=TASK).version == 1


def test_a_server_that_does_not_answer_is_one_sentence(empty, caplog):
    registry = ModelRegistry(empty, tracking_uri="http://user:secret@127.0.0.1:9/")
    with caplog.at_level(logging.DEBUG), pytest.raises(StorageError, match="tracking store cannot be read") as error:
        registry.list()
    assert "secret" not in str(error.value)
