"""``lmcore compress``."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.settings import MIB
from lmcore.training.compression.config import CompressConfig
from lmcore.training.compression.methods import COMPRESSION

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.compression.run import CompressResult
    from lmcore.training.compression.tradeoff import Tradeoff

_HEAD = ("", "how", "quality", "95 %", "MiB", "ms", "p95", "texts/s", "front")


@click.command(
    "compress",
    short_help="Make a version smaller, as a new version, and measure what that costs.",
    cls=AnswerCommand,
    epilog="Example: lmcore compress models:/feedback-en/1 --method heads --share 0.3",
)
@click.argument("version")
@click.argument("data", required=False)
@click.option(
    "--method",
    type=click.Choice(list(COMPRESSION)),
    default="heads",
    show_default=True,
    help=choices_help(COMPRESSION),
)
@method_flags(COMPRESSION)
@click.option("--background", is_flag=True, help="Submit it as a job that outlives this command; see lmcore jobs.")
@click.pass_obj
def compress_command(
    session: Session, /, version: str, data: str | None, method: str, background: bool, **flags: Any
) -> Answer:
    """Make VERSION (models:/NAME@ALIAS) smaller, judged on the dev split of DATA (name@version) and measured on test.

    DATA is what VERSION was trained on, where it is left out. Quality, size and time are measured for VERSION and for all
    that was made from it, side by side on this machine.
    """
    from lmcore.data.store import DatasetStore
    from lmcore.models.registry import ModelRegistry
    from lmcore.training.compression.run import compress

    settings = session.settings
    base = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(version)
    given = given_options(flags)
    COMPRESSION[method].check(given)
    config = CompressConfig.from_dict({"version": str(base.ref), "method": method, **given})
    name = data or str(base.facts.get("data", ""))
    if not name:
        raise InputError(f"What {base.ref} was trained on is not known: name a data set, as name@version.")
    if background:
        return _submit(session, config, name, base)
    dataset = DatasetStore(settings.workspace).load(name)
    with session.report() as report:
        made = compress(config, dataset, settings=settings, report=report)
    shown: list[Any] = [f"{made.version.ref} is made. {made.summary}", _table(made.tradeoff), made.tradeoff.conditions]
    return Answer(_document(made), shown)


def _submit(session: Session, config: CompressConfig, data: str, base: "ModelVersion") -> Answer:
    from lmcore.cli.jobs import job_document
    from lmcore.jobs import JobBoard
    from lmcore.training.compression.job import TARGET, compress_bytes, job_config

    board = JobBoard(session.settings.workspace, jobs_at_once=session.settings.jobs_at_once)
    title = f"Compress {config.version} ({COMPRESSION[config.method].title.lower()})"
    told = job_config(config, data, settings=session.settings)
    job = board.submit(TARGET, told, title=title, kind="compress", needs_bytes=compress_bytes(base))
    said = f"The job {job.id} is {job.state}. Follow it with: lmcore jobs show {job.id}"
    return Answer({"job": job_document(job)}, [said])


def _document(made: "CompressResult") -> dict[str, Any]:
    return {
        "version": str(made.version.ref),
        "evaluation": made.evaluation.id,
        "metrics": made.evaluation.metrics,
        "intervals": made.evaluation.intervals,
        "compression": made.version.facts["compression"],
        "summary": made.summary,
        "tradeoff": records(made.tradeoff.points),
        "parameters": made.tradeoff.parameters,
        "seconds": made.seconds,
    }


def _table(tradeoff: "Tradeoff") -> Any:
    show = tradeoff.main.show
    rows = [
        (
            r["version"].rpartition("/")[2],
            r["how"],
            show(r["quality"]),
            f"{show(r['low'])}–{show(r['high'])}",
            f"{r['bytes'] / MIB:.1f}",
            f"{r['single_ms']:.1f}",
            f"{r['single_p95_ms']:.1f}",
            f"{r['batch_per_second']:.0f}",
            "yes" if r["front"] else "no",
        )
        for r in records(tradeoff.points)
    ]
    return table(_HEAD, rows)
