"""Running one job, in the test's own process."""

import json
from importlib.util import find_spec

import pytest

from lmcore.jobs import JobState
from lmcore.jobs.former import FORMER_TARGETS
from lmcore.jobs.job import check_target
from lmcore.jobs.report import JobReport
from lmcore.jobs.worker import Outcome, accept, perform, record
from lmcore.methods import load_target


def config(**values):
    return {"config": json.dumps(values)}


def perform_now(workspace, store, job):
    return perform(job, workspace, JobReport(store, job))


def stored(store, job):
    with store.reading() as db:
        return store.find(db, job.id)


def test_what_a_function_returns_is_the_result(workspace, store, add_running):
    job = add_running(**config(to=3, pause=0))
    report = JobReport(store, job)
    record(store, job, report, perform(job, workspace, report))
    ended = stored(store, job)
    assert (ended.state, ended.progress, ended.message) == (JobState.DONE, 1.0, "Counted to 3 of 3.")
    assert ended.result == {"first": 1, "last": 3}


def test_a_second_attempt_goes_on_from_the_checkpoint(workspace, store, add_running):
    job = add_running(**config(to=5, pause=0), attempt=2)
    (job.folder / "count.json").write_text('{"count": 3}')
    assert json.loads(perform_now(workspace, store, job).result) == {"first": 4, "last": 5}


def test_an_error_of_ours_is_shown_as_it_is(workspace, store, add_running):
    outcome = perform_now(workspace, store, add_running(**config(to=0)))
    assert outcome.state == JobState.FAILED
    assert outcome.error == "The option to is 0: give a whole number from 1 up to 1000000."


def test_another_exception_is_named_and_traced_in_the_log_alone(workspace, store, add_running, caplog):
    outcome = perform_now(workspace, store, add_running(target="lmcore.jobs.selftest:absent"))
    assert outcome.state == JobState.FAILED
    assert "unexpected AttributeError" in outcome.error
    assert "Traceback" in caplog.text


def test_a_request_to_stop_is_no_failure(workspace, store, add_running):
    outcome = perform_now(workspace, store, add_running(cancel_requested=1.0))
    assert outcome == Outcome(JobState.CANCELLED, message="Cancelled.")


@pytest.mark.parametrize(("asked", "state"), [(1.0, JobState.CANCELLED), (None, JobState.FAILED)])
def test_only_what_somebody_cancelled_is_called_cancelled(store, add_running, asked, state):
    job = add_running(cancel_requested=asked)
    record(store, job, JobReport(store, job), Outcome(JobState.CANCELLED, message="Cancelled."))
    ended = stored(store, job)
    assert (ended.state, ended.can_resume) == (state, True)
    assert ("told to stop by the system (SIGTERM)" in ended.error) == (asked is None)


def test_a_target_that_was_put_into_the_database_by_hand_is_refused(workspace, store, add_running):
    outcome = perform_now(workspace, store, add_running(target="os:system"))
    assert outcome.state == JobState.FAILED
    assert "refused" in outcome.error


def test_a_job_of_before_runs_though_its_function_has_moved(workspace, store, add_running, monkeypatch):
    monkeypatch.setitem(FORMER_TARGETS, "lmcore.counting:count", "lmcore.jobs.selftest:count")
    job = add_running(target="lmcore.counting:count", **config(to=3, pause=0))
    assert perform_now(workspace, store, job).state == JobState.DONE


@pytest.mark.parametrize(("former", "present"), FORMER_TARGETS.items())
def test_what_took_the_place_of_a_former_target_is_there_and_the_former_one_is_not(former, present):
    assert callable(load_target(check_target(present)))
    assert find_spec(former.partition(":")[0]) is None


def test_the_own_job_is_accepted(store, add_running):
    job = add_running()
    accepted = accept(store, job.id)
    assert accepted is not None
    assert (accepted.id, accepted.worker) == (job.id, job.worker)


@pytest.mark.parametrize("change", [{"pid": 1}, {"pid_started": 1.0}, {"state": "queued", "pid": None}])
def test_the_job_of_another_is_not(store, add_running, change):
    assert accept(store, add_running(**change).id) is None


def test_an_unknown_job_is_not(store):
    assert accept(store, "20260101-000000-abcdef") is None


def test_an_attempt_that_was_given_up_does_not_change_the_record(store, add_running):
    job = add_running()
    with store.writing() as db:
        store.update(db, job.id, attempt=2)
    record(store, job, JobReport(store, job), Outcome(JobState.DONE, result="{}"))
    assert stored(store, job).state == JobState.RUNNING
