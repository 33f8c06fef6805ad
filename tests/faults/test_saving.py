"""A run that is killed at any file of a save goes on from the newest whole checkpoint, as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.fault

EVERY = 1 if os.environ.get("LMSCOPE_REAL") == "1" else 9


@pytest.mark.timeout(1800 if EVERY == 1 else 300)
def test_killed_at_any_file_of_a_save_and_resumed_equals_uninterrupted(topics, tiny_ref, tmp_path):
    topics.frame.to_parquet(tmp_path / "rows.parquet")
    command = [sys.executable, "-m", "tests.faults.saving", str(tmp_path / "home"), str(tmp_path / "rows.parquet")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [*command, str(tiny_ref), str(EVERY)], capture_output=True, text=True, check=True, env=environment
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    print(done.stdout)
    assert len(found) >= 30 / EVERY, "a save does many things"
    assert {row["code"] for row in found} == {-signal.SIGKILL}
    assert [row for row in found if row["far"] or not row["steps"]] == []
    if EVERY == 1:
        done_to = {row["what"].split()[-1] for row in found}
        assert {"model.safetensors", "optimizer.pt", "trainer_state.json", "checkpoint-4", "checkpoint-12"} <= done_to
