"""The rules of the queue."""

from dataclasses import replace

from lmcore.jobs import JobState
from lmcore.jobs.schedule import GIB, Step, next_steps

FREE = 8 * GIB


def running(make_job, process, **changes):
    return make_job(state=JobState.RUNNING, worker=process, title="Runs", **changes)


def test_an_empty_queue_needs_nothing():
    assert next_steps([], 1, FREE, 0.0) == []


def test_the_first_starts_and_the_others_say_what_they_wait_for(make_job):
    jobs = [make_job(title=name) for name in ("First", "Second", "Third")]
    assert next_steps(jobs, 1, FREE, 0.0) == [
        Step("start", jobs[0]),
        Step("wait", jobs[1], "Waits for “First”."),
        Step("wait", jobs[2], "Waits for “Second”."),
    ]


def test_as_many_start_as_there_are_places(make_job):
    jobs = [make_job(title=name) for name in ("First", "Second", "Third")]
    actions = [step.action for step in next_steps(jobs, 2, FREE, 0.0)]
    assert actions == ["start", "start", "wait"]


def test_a_full_house_lets_nothing_start(make_job, own_process):
    waiting = make_job(title="Second", message="Waits for “Runs”.")
    assert next_steps([running(make_job, own_process), waiting], 1, FREE, 0.0) == []


def test_a_dead_worker_makes_room(make_job, own_process):
    dead = running(make_job, replace(own_process, started=1.0))
    waiting = make_job(title="Second")
    assert next_steps([dead, waiting], 1, FREE, 0.0) == [Step("lost", dead), Step("start", waiting)]


def test_a_worker_is_killed_only_after_its_deadline(make_job, own_process):
    job = running(make_job, own_process, cancel_requested=5.0, kill_at=10.0)
    assert next_steps([job], 1, FREE, 9.9) == []
    assert next_steps([job], 1, FREE, 10.0) == [Step("kill", job)]


def test_a_large_job_waits_for_memory_and_is_not_overtaken(make_job):
    large, small = make_job(title="Large", needs_bytes=9 * GIB), make_job(title="Small")
    assert next_steps([large, small], 2, FREE, 0.0) == [
        Step("wait", large, "Waits for memory: it needs about 9.0 GiB and 8.0 GiB are free."),
        Step("wait", small, "Waits for “Large”."),
    ]


def test_memory_that_a_running_job_has_yet_to_take_is_not_free(make_job, own_process):
    busy = running(make_job, own_process, needs_bytes=6 * GIB)
    queued = make_job(title="Second", needs_bytes=4 * GIB)
    assert [step.action for step in next_steps([busy, queued], 2, FREE, 0.0)] == ["wait"]
    assert [step.action for step in next_steps([busy, queued], 2, 12 * GIB, 0.0)] == ["start"]


def test_jobs_that_start_together_share_the_memory(make_job):
    jobs = [make_job(title=name, needs_bytes=5 * GIB) for name in ("First", "Second")]
    assert [step.action for step in next_steps(jobs, 2, FREE, 0.0)] == ["start", "wait"]
