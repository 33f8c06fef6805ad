"""The record of a job."""

import pytest

from lmcore.errors import UnsafeError
from lmcore.jobs import JobState
from lmcore.jobs.job import check_target, is_job_id, new_job_id


def test_identifiers_are_distinct_and_safe_in_a_link():
    ids = {new_job_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(is_job_id(job_id) for job_id in ids)


@pytest.mark.parametrize("text", ["", "../../etc", "20260101-000000-abcdef/..", "20260101-000000-ABCDEF", "1' OR 1=1"])
def test_other_texts_are_no_identifiers(text):
    assert not is_job_id(text)


@pytest.mark.parametrize(
    "target",
    ["os:system", "lmcore:x", "lmcorex.jobs:run", "lmcore.jobs", "lmcore.jobs:a.b", "lmcore..jobs:a", "subprocess:run"],
)
def test_a_target_outside_the_package_is_refused(target):
    with pytest.raises(UnsafeError, match=r"lmcore\.module:function"):
        check_target(target)


def test_a_target_of_the_package_is_taken():
    assert check_target("lmcore.jobs.selftest:count") == "lmcore.jobs.selftest:count"


def test_which_states_have_ended():
    assert {state for state in JobState if not state.ended} == {JobState.QUEUED, JobState.RUNNING}


@pytest.mark.parametrize(
    ("state", "resumable", "expected"),
    [("failed", True, True), ("cancelled", True, True), ("done", True, False), ("failed", False, False)],
)
def test_what_can_be_resumed(make_job, state, resumable, expected):
    assert make_job(state=JobState(state), resumable=resumable).can_resume is expected
