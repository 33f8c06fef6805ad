"""What clients do with jobs, with real workers."""

import json
import subprocess
import sys

import psutil
import pytest

from lmcore.errors import InputError, JobError, ResourceError, UnknownError, UnsafeError
from lmcore.jobs import JobBoard, JobState
from lmcore.jobs import process as process_module
from lmcore.jobs.leavings import LEAVINGS, TOLD
from lmcore.jobs.selftest import TARGET
from lmcore.methods import load_target


def submit(board, to=1, pause=0.0, **changes):
    return board.submit(TARGET, {"to": to, "pause": pause}, **({"title": "Counting", "kind": "check"} | changes))


def test_a_job_runs_to_its_end(board, workspace):
    job = submit(board, to=3, pause=0.05)
    assert job.state == JobState.RUNNING
    job = board.wait(job.id, 30)
    assert (job.state, job.progress, job.result) == (JobState.DONE, 1.0, {"first": 1, "last": 3})
    assert job.message == "Counted to 3 of 3."
    assert job.created <= job.started <= job.ended
    assert job.error == ""
    assert job.folder == workspace.jobs / job.id
    frame = board.metrics_frame(job.id)
    assert frame[["step", "name", "value"]].values.tolist() == [[n, "count", float(n)] for n in (1, 2, 3)]
    assert "Attempt 1 ends: done." in board.log(job.id)


def test_the_second_job_waits_and_the_first_worker_starts_it(board):
    first = submit(board, to=3, pause=0.1, title="First")
    second = submit(board, title="Second")
    assert (second.state, second.message) == (JobState.QUEUED, "Waits for “First”.")
    assert second.pid is None
    # Nobody looks at the queue here but the first job's worker.
    psutil.Process(first.pid).wait(30)
    assert board.wait(second.id, 30).state == JobState.DONE
    assert board.get(first.id).ended <= board.get(second.id).started
    assert [job.title for job in board.list()] == ["Second", "First"]


def test_the_list_is_filtered_and_limited(board):
    for number in range(3):
        job = submit(board, title=f"Job {number}", kind="training" if number else "projection")
        board.cancel(job.id)
    assert [job.title for job in board.list(kind="training")] == ["Job 2", "Job 1"]
    assert [job.title for job in board.list(limit=1)] == ["Job 2"]
    assert board.list(kind="absent") == []


def test_errors_are_sentences(board):
    job = board.wait(submit(board, to=0).id, 30)
    assert (job.state, job.error) == (
        JobState.FAILED,
        "The option to is 0: give a whole number from 1 up to 1000000.",
    )
    assert "Traceback" in board.log(job.id)


@pytest.mark.parametrize("target", ["os:system", "lmcore.jobs", "tests.jobs.evil:run"])
def test_a_foreign_target_is_refused(board, target):
    with pytest.raises(UnsafeError):
        board.submit(target, {}, title="x", kind="check")
    assert board.list() == []


@pytest.mark.parametrize("config", [{"x": object()}, {"x": {1, 2}}, {"x": b"bytes"}])
def test_a_configuration_that_is_not_json_is_refused(board, config):
    with pytest.raises(InputError, match="not made of JSON"):
        board.submit(TARGET, config, title="x", kind="check")


def test_a_kind_has_to_be_a_name(board):
    with pytest.raises(InputError, match="kind of job"):
        submit(board, kind="../x")


def test_a_long_title_is_shortened(board):
    job = submit(board, title="Train\n" + "very " * 100 + "long")
    assert len(job.title) == 120
    assert job.title.startswith("Train very ")
    assert job.title.endswith("…")


def test_a_job_that_can_never_fit_is_refused_with_the_figures(board):
    with pytest.raises(ResourceError, match=r"needs about 4096\.0 GiB of memory and this machine has \d+\.\d GiB"):
        submit(board, needs_bytes=1 << 42)
    assert board.list() == []


def test_a_job_that_does_not_fit_now_waits_and_says_so(board):
    job = submit(board, needs_bytes=psutil.virtual_memory().total)
    assert job.state == JobState.QUEUED
    assert job.message.startswith("Waits for memory: it needs about ")


def test_a_worker_that_cannot_be_started_is_a_failed_job(board, monkeypatch):
    monkeypatch.setattr(process_module.sys, "executable", "/absent/python")
    job = submit(board)
    assert job.state == JobState.FAILED
    assert "could not be started (No such file or directory)" in job.error


@pytest.mark.parametrize("job_id", ["20260101-000000-abcdef", "../../etc/passwd", "x" * 1000, ""])
@pytest.mark.parametrize("call", ["get", "cancel", "resume", "delete", "log", "metrics"])
def test_an_unknown_job_is_said(board, call, job_id):
    with pytest.raises(UnknownError, match="There is no job") as caught:
        getattr(board, call)(job_id)
    assert len(str(caught.value)) < 200


def test_a_queued_job_is_cancelled_at_once_and_resumed(board):
    first = submit(board, to=1000, pause=0.05)
    second = board.cancel(submit(board).id)
    assert (second.state, second.message) == (JobState.CANCELLED, "Cancelled before it began.")
    second = board.resume(second.id)
    assert (second.state, second.attempt) == (JobState.QUEUED, 2)
    board.cancel(first.id)
    assert board.wait(second.id, 30).state == JobState.DONE
    assert board.get(first.id).state == JobState.CANCELLED


def test_a_cancelled_job_goes_on_from_its_checkpoint(board, workspace):
    job = submit(board, to=20, pause=0.05)
    while board.get(job.id).progress == 0:
        assert board.get(job.id).state == JobState.RUNNING
    assert board.cancel(job.id).cancel_requested is not None
    job = board.wait(job.id, 30)
    assert (job.state, job.message, job.error) == (JobState.CANCELLED, "Cancelled.", "")
    assert 0 < job.progress < 1
    assert board.cancel(job.id) == job
    job = board.wait(board.resume(job.id).id, 30)
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    assert job.result["first"] > 1
    assert [row["step"] for row in board.metrics(job.id)] == list(range(1, 21))


def test_what_cannot_be_resumed_is_said(board):
    done = board.wait(submit(board).id, 30)
    with pytest.raises(JobError, match="it is done"):
        board.resume(done.id)
    failed = board.wait(submit(board, to=0, resumable=False).id, 30)
    with pytest.raises(JobError, match="its kind of work cannot be resumed"):
        board.resume(failed.id)
    running = submit(board, to=1000, pause=0.05)
    with pytest.raises(JobError, match="it is running"):
        board.resume(running.id)


def test_only_ended_jobs_are_deleted(board):
    job = submit(board, to=1000, pause=0.05)
    with pytest.raises(JobError, match="cancel it before"):
        board.delete(job.id)
    board.cancel(job.id)
    board.wait(job.id, 30)
    board.delete(job.id)
    assert not job.folder.exists()
    with pytest.raises(UnknownError):
        board.get(job.id)


@pytest.mark.parametrize(("name", "gone"), [("job-a", True), ("../models", False)])
def test_the_checkpoints_of_a_deleted_job_go_with_it_and_nothing_else(board, workspace, name, gone):
    own = [workspace.folder(workspace.checkpoints / folder) for folder in ("job-a", "job-a-run")]
    others = [workspace.folder(workspace.checkpoints / "job-b"), workspace.folder(workspace.models)]
    (own[0] / "weights").write_text("many")
    job = board.submit(TARGET, {"to": 0, "checkpoints": name}, title="Train", kind="train")
    board.wait(job.id, 30)
    board.delete(job.id)
    assert [folder.exists() for folder in own] == [not gone] * 2
    assert all(folder.is_dir() for folder in others)


def ended(board, add_running, number, **config):
    """Return a job that was cancelled, without a worker of its own."""
    job_id = f"20260101-000000-00000{number}"
    add_running(id=job_id, title="Counting", config=json.dumps(config), state="cancelled", ended=3.0)
    return board.get(job_id)


@pytest.fixture
def taking(monkeypatch):
    """Return what sets the function that takes away what a counting job left."""

    def put(function):
        monkeypatch.setitem(LEAVINGS, TARGET, "lmcore.jobs.selftest:take")
        monkeypatch.setattr("lmcore.jobs.selftest.take", function, raising=False)

    return put


def test_what_a_job_left_elsewhere_goes_before_it_is_forgotten(board, add_running, taking):
    jobs = [ended(board, add_running, number, to=number) for number in (1, 2)]
    asked = []

    def take(config, *, workspace, job, others, force):
        asked.append((config["to"], job, set(others), force))
        if not force:
            raise JobError("The cluster does not answer.")
        return "It went."

    taking(take)
    with pytest.raises(JobError, match="does not answer"):
        board.delete(jobs[0].id)
    assert jobs[0].folder.exists()
    assert board.get(jobs[0].id) == jobs[0], "it can be resumed as before"
    assert jobs[0].can_resume
    assert board.delete(jobs[0].id, force=True) == "It went."
    assert asked == [(1, jobs[0].id, {jobs[1].id}, force) for force in (False, True)]
    assert [job.id for job in board.list()] == [jobs[1].id]
    assert not list(jobs[0].folder.parent.glob(".deleting-*"))


def test_a_job_that_is_being_deleted_is_neither_resumed_nor_deleted_again(board, add_running, taking):
    job = ended(board, add_running, 1)
    said = []

    def take(config, **_):
        for call in (board.resume, board.delete):
            with pytest.raises(JobError) as caught:
                call(job.id)
            said.append(str(caught.value))
        found = board.get(job.id)
        assert (found.state, found.deleting, found.can_resume) == (JobState.CANCELLED, True, False)
        return ""

    taking(take)
    board.delete(job.id)
    assert said == [
        "“Counting” cannot be resumed: its deletion has begun; where that was broken off, delete it again.",
        "“Counting” is being deleted already: wait until that has ended.",
    ]
    assert board.list() == []
    assert not job.folder.exists()


def test_two_jobs_that_are_deleted_at_once_do_not_wait_for_one_another(board, add_running, taking):
    jobs = [ended(board, add_running, number) for number in (1, 2)]
    asked = []

    def take(config, *, job, others, **_):
        asked.append((job, set(others)))
        if job == jobs[0].id:
            board.delete(jobs[1].id)
        return ""

    taking(take)
    board.delete(jobs[0].id)
    assert asked == [(jobs[0].id, {jobs[1].id}), (jobs[1].id, set())], "the last one takes along what they share"
    assert board.list() == []


def test_a_deletion_whose_process_died_is_taken_over(board, store, add_running):
    job = ended(board, add_running, 1)
    with store.writing() as db:
        store.update(db, job.id, deleting=1)  # as a process leaves it that is killed meanwhile
    with pytest.raises(JobError, match="its deletion has begun"):
        board.resume(job.id)
    board.delete(job.id)
    assert board.list() == []
    assert not job.folder.exists()


def test_a_deletion_that_is_broken_off_by_no_error_gives_the_job_back(board, add_running, taking):
    job = ended(board, add_running, 1)

    def take(config, **_):
        raise KeyboardInterrupt

    taking(take)
    with pytest.raises(KeyboardInterrupt):
        board.delete(job.id)
    assert board.get(job.id).can_resume


@pytest.mark.parametrize("targets", [LEAVINGS, TOLD])
def test_what_tells_or_takes_away_is_there(targets):
    for target, function in targets.items():
        assert target in LEAVINGS
        assert callable(load_target(target))
        assert callable(load_target(function))


def test_the_end_of_a_log_is_whole_lines(board):
    job = board.wait(submit(board).id, 30)
    job.log_file.write_text("first\nsecond ü\nthird\n", encoding="utf-8")
    assert board.log(job.id) == "first\nsecond ü\nthird\n"
    assert board.log(job.id, tail_bytes=12) == "third\n"
    job.log_file.unlink()
    assert board.log(job.id) == ""


def test_waiting_ends_with_the_time(board):
    job = submit(board, to=1000, pause=0.05)
    assert board.wait(job.id, 0.2).state == JobState.RUNNING


def test_the_place_of_a_relative_workspace_is_kept(tmp_path, monkeypatch):
    from pathlib import Path

    from lmcore.settings import Workspace

    monkeypatch.chdir(tmp_path)
    board = JobBoard(Workspace(Path("home")))
    assert board.wait(submit(board).id, 30).state == JobState.DONE


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'torch', 'transformers', 'pandas', 'numpy', 'streamlit', 'psutil'}"
    code = f"import sys, lmcore.jobs; print({heavy} & set(sys.modules)); from lmcore.jobs import JobBoard; "
    code += f"print(({heavy} - {{'psutil'}}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "set()"]


def test_an_unknown_name_of_the_package_is_no_attribute():
    import lmcore.jobs

    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        lmcore.jobs.absent  # noqa: B018
