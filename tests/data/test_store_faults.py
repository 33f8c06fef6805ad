"""Saving on a full disk, and from several processes at once."""

import os
import subprocess
import sys

import pytest

from lmcore.data.split import split_dataset
from lmcore.data.store import DatasetStore
from lmcore.errors import StorageError

pytestmark = pytest.mark.fault

FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np, pandas as pd
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import StorageError
from lmcore.settings import Workspace
rng = np.random.default_rng(0)
texts = ["".join(map(chr, rng.integers(0x4E00, 0x9F00, 50))) for _ in range(5000)]
frame = pd.DataFrame({"id": np.arange(5000), "text": texts, "label": ["a", "b"] * 2500})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    DatasetStore(Workspace(Path(sys.argv[1]))).save(TextDataset("small", "text-classification", frame))
except StorageError as error:
    print(error)
"""

SAVE = """
import sys
from pathlib import Path
import pandas as pd
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.settings import Workspace
store = DatasetStore(Workspace(Path(sys.argv[1])))
made = [TextDataset("shared", "text-classification",
                    pd.DataFrame({"id": [0, 1], "text": [f"{sys.argv[2]} {n}", "b"], "label": ["x", "y"]}))
        for n in range(10)]
print("ready", flush=True)
sys.stdin.readline()
print(*(store.save(data).ref.version for data in made), flush=True)
"""


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.mark.parametrize("most", [0, 100_000], ids=["from the first byte", "in the middle of the rows"])
def test_a_full_disk_is_one_sentence_and_loses_nothing(workspace, defective, most):
    store = DatasetStore(workspace)
    store.save(defective)
    before = files(workspace.root)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(workspace.root), str(most)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == (
        "The disk is full, small/2 was not saved: free some space and try again; what was stored before is untouched.\n"
    ), done.stderr
    assert files(workspace.root) == before
    assert store.load("small@1").fingerprint == defective.fingerprint
    assert store.damaged() == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(workspace, defective):
    store = DatasetStore(workspace)
    store.save(defective)
    (workspace.datasets / "small").chmod(0o555)
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            store.save(split_dataset(defective))
    finally:
        (workspace.datasets / "small").chmod(0o755)


def test_two_processes_that_save_at_once_get_versions_of_their_own(workspace):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE, str(workspace.root), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    try:
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        given = [process.communicate(timeout=120)[0].split() for process in started]
    finally:
        for process in started:
            process.kill()
    versions = [int(number) for numbers in given for number in numbers]
    assert sorted(versions) == list(range(1, 21))
    store = DatasetStore(workspace)
    for name, numbers in zip(("one", "two"), given, strict=True):
        for n, version in enumerate(numbers):
            assert store.load(f"shared@{version}").frame["text"][0] == f"{name} {n}"
    assert not [path for path in files(workspace.root) if ".new-" in path]
