"""``lmcore jobs``: the queue of long work."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import CommandGroup, Session
from lmcore.cli.output import Answer, table
from lmcore.errors import JobError

if TYPE_CHECKING:
    from lmcore.jobs import Job, JobBoard

CHECK_SECONDS = 60.0
_POLL_SECONDS = 0.1


@click.group("jobs", cls=CommandGroup)
def jobs_group() -> None:
    """List, follow, cancel, resume and delete background work."""


@jobs_group.command("list", epilog="Example: lmcore jobs list --kind train")
@click.option("--kind", help="Only jobs of this kind, such as train or map.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many of the newest.")
@click.pass_obj
def list_jobs(session: Session, kind: str | None, limit: int) -> Answer:
    """List the newest jobs."""
    found = _board(session).list(kind, limit)
    rows = [(job.id, job.state.value, f"{job.progress:.0%}", job.title) for job in found]
    shown = [table(("job", "state", "done", "title"), rows)] if rows else ["There are no jobs yet."]
    return Answer([job_document(job) for job in found], shown)


@jobs_group.command("show", epilog="Example: lmcore jobs show 20260101-120000-a1b2c3")
@click.argument("job")
@click.pass_obj
def show_job(session: Session, job: str) -> Answer:
    """Show where a job stands, and its result."""
    found = _board(session).get(job)
    return Answer(job_document(found), _describe(found))


@jobs_group.command("log", epilog="Example: lmcore jobs log 20260101-120000-a1b2c3")
@click.argument("job")
@click.pass_obj
def show_log(session: Session, job: str) -> Answer:
    """Show the end of what a job's worker printed."""
    text = _board(session).log(job)
    return Answer({"id": job, "log": text}, [text.rstrip() or "Nothing was logged yet."])


@jobs_group.command("cancel", epilog="Example: lmcore jobs cancel 20260101-120000-a1b2c3")
@click.argument("job")
@click.pass_obj
def cancel_job(session: Session, job: str) -> Answer:
    """Ask a job to write a checkpoint and stop."""
    found = _board(session).cancel(job)
    return Answer(job_document(found), _describe(found))


@jobs_group.command("resume", epilog="Example: lmcore jobs resume 20260101-120000-a1b2c3")
@click.argument("job")
@click.pass_obj
def resume_job(session: Session, job: str) -> Answer:
    """Let a failed or cancelled job go on from its last checkpoint."""
    found = _board(session).resume(job)
    return Answer(job_document(found), _describe(found))


@jobs_group.command(
    "delete", short_help="Forget a job that has ended.", epilog="Example: lmcore jobs delete 20260101-120000-a1b2c3"
)
@click.argument("job")
@click.option("--force", is_flag=True, help="Also where a cluster that may still run it does not answer.")
@click.pass_obj
def delete_job(session: Session, job: str, force: bool) -> Answer:
    """Forget a job that has ended, with its log, its checkpoints and the trials of its search; registered versions stay.

    Trials that are not the job's alone, but the command line's or another job's too, stay; how many went or stay is said.
    A run that may still go on on a Ray cluster is stopped first.
    """
    board = _board(session)
    found = board.get(job)
    try:
        became = board.delete(job, force=force)
    except JobError as error:
        if force or not found.config.get("cluster") or not found.state.ended:
            raise
        raise JobError(f"{error} Delete it all the same with --force.") from error
    said = [f"“{found.title}” ({found.id}) and its own checkpoints are deleted.", *([became] if became else [])]
    return Answer(job_document(found) | {"leavings": became}, said)


@jobs_group.command("check", short_help="See that jobs work on this machine.", epilog="Example: lmcore jobs check")
@click.pass_obj
def check_jobs(session: Session) -> Answer:
    """Run a small job that counts to three, to see that jobs work on this machine."""
    from lmcore.jobs.selftest import TARGET

    board = _board(session)
    job = board.submit(TARGET, {"to": 3, "pause": 0.1}, title="Check of the job queue", kind="check")
    deadline = time.monotonic() + CHECK_SECONDS
    with session.report() as report:
        while not job.state.ended and time.monotonic() < deadline:
            report.check()
            report.progress(job.progress, job.message)
            job = board.wait(job.id, _POLL_SECONDS)
    if job.error:
        raise JobError(f"Jobs do not work here: {job.error} See lmcore jobs log {job.id}.")
    took = f" It took {job.ended - job.created:.1f} seconds." if job.ended else ""
    said = f"Jobs work on this machine.{took}" if job.state == "done" else _describe(job)[0]
    return Answer(job_document(job), [said])


def job_document(job: "Job") -> dict[str, Any]:
    """Return a job as JSON-like values; its folder and process are this machine's own business."""
    names = "id kind title state progress message attempt created started ended error result config resumable silent_seconds "
    names += "submitted_by"
    return {name: getattr(job, name) for name in names.split()}


def _board(session: Session) -> "JobBoard":
    from lmcore.jobs import JobBoard

    return JobBoard(session.settings.workspace, jobs_at_once=session.settings.jobs_at_once)


def _describe(job: "Job") -> list[Any]:
    share = "" if job.state.ended else f", {job.progress:.0%} done"
    stopping = ", asked to stop" if job.cancel_requested and not job.state.ended else ""
    began = f" since {datetime.fromtimestamp(job.started):%Y-%m-%d %H:%M}" if job.started else ""
    said = [f"“{job.title}” ({job.id}) is {job.state}{share}{stopping}, attempt {job.attempt}{began}."]
    said += [sentence for sentence in (job.message, job.error) if sentence]
    if job.silent_seconds:
        said.append(f"Its worker has not been heard from for {job.silent_seconds:.0f} seconds.")
    if job.deleting:
        said.append(f"Its deletion has begun; where that was broken off: lmcore jobs delete {job.id}")
    if job.can_resume:
        said.append(f"Take it up again with: lmcore jobs resume {job.id}")
    if not job.result:
        return said
    plain = [(name, value) for name, value in job.result.items() if isinstance(value, str | int | float)]
    return [*said, table(("result", ""), [(name, _short(value)) for name, value in plain])]


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
