"""``lmcore search``."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import Cancelled
from lmcore.methods import Method, options_of
from lmcore.settings import MIB
from lmcore.training.methods import TRAINING
from lmcore.training.tuning.config import SearchConfig

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.training.config import TrainConfig
    from lmcore.training.estimate import Estimate
    from lmcore.training.tuning.result import SearchResult
    from lmcore.training.tuning.space import Dimension

_SHOWN = 10


_OWN = {"search": Method("search", "Search", "", "", options=options_of(SearchConfig))}


@click.command(
    "search",
    short_help="Search for the settings, and the size of a model, that do best on dev.",
    cls=AnswerCommand,
    epilog="Example: lmcore search feedback-en@3 --method scratch --trials 30 --range learning_rate=1e-4:1e-2:log --choices "
    "width=64,128,256 --choices heads=2,4",
)
@click.argument("data")
@click.option("--name", help="Name under which the best is registered.  [default: the data set's name]")
@click.option("--model", help="What is trained, as for lmcore train.")
@click.option("--method", type=click.Choice(list(TRAINING)), help="How it is trained, as for lmcore train.")
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="NAME=LOW:HIGH[:log]",
    help="Search a setting between two numbers; with :log by orders of magnitude. Can be given several times.",
)
@click.option(
    "--choices", multiple=True, metavar="NAME=A,B,…", help="Search a setting among values. Can be given several times."
)
@method_flags(_OWN)
@click.option(
    "--extend", type=click.IntRange(1), metavar="N", help="Run N more trials than there are of the same search."
)
@click.option("--fresh", is_flag=True, help="Forget the trials that there are of the same search.")
@click.option("--background", is_flag=True, help="Submit it as a job that outlives this command; see lmcore jobs.")
@method_flags(TRAINING)
@click.pass_obj
def search_command(
    session: Session,
    /,
    data: str,
    name: str | None,
    model: str | None,
    method: str | None,
    ranges: tuple[str, ...],
    choices: tuple[str, ...],
    extend: int | None,
    fresh: bool,
    background: bool,
    **flags: Any,
) -> Answer:
    """Try settings of training on DATA (name@version), judge each on dev, and register the best.

    The flags of lmcore train set what is not searched, and the first trial. Without --range and --choices a space that suits
    the method is searched. The same command goes on with a search that was stopped: ended trials are not run again.
    """
    if extend and flags.get("trials") is not None:
        refuse("--extend and --trials don't go together: the one counts the further trials, the other all.")
    if fresh and (extend or background):
        refuse("--fresh goes with neither --extend nor --background.")
    from lmcore.data.store import DatasetStore
    from lmcore.training.tuning.run import extended

    dataset = DatasetStore(session.settings.workspace).load(data)
    own = {o.name: flags.pop(o.name) for o in options_of(SearchConfig)}
    base = _base(dataset, name, model, method, flags)
    given = {key: value for key, value in own.items() if value is not None}
    config = SearchConfig(base, _space(base, ranges, choices), **given).checked()
    if extend:
        config = extended(config, dataset, extend, session.settings)
    estimate = _note_estimate(session, config, dataset)
    if background:
        return _submit(session, config, data, estimate.nbytes)
    estimate.check()
    return _search(session, config, dataset, fresh)


def _base(
    dataset: "TextDataset", name: str | None, model: str | None, method: str | None, flags: dict[str, Any]
) -> "TrainConfig":
    from lmcore.training.defaults import default_config

    usual = default_config(dataset, model=model or "", method=method or "")
    given = given_options(flags)
    TRAINING[usual.method].check(given)
    return replace(usual, name=name or usual.name, **given).checked()


def _space(base: "TrainConfig", ranges: tuple[str, ...], choices: tuple[str, ...]) -> "dict[str, Dimension]":
    from lmcore.training.tuning.space import parse_dimension

    space = {}
    for kind, texts in (("range", ranges), ("choices", choices)):
        for text in texts:
            name, equals, rest = text.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                refuse(f"--{kind} is {text!r}: write the setting, an equals sign and what to search.")
            if name in space:
                refuse(f"{name} is given twice: a setting is searched in one range or among some choices.")
            space[name] = parse_dimension(name, rest, base.method, base.task, kind=kind)
    return space


def _note_estimate(session: Session, config: "SearchConfig", dataset: "TextDataset") -> "Estimate":
    from lmcore.training.tuning.job import estimate_search

    estimate = estimate_search(config, dataset, session.settings)
    session.note(
        f"{config.trials} trials take {max(1, round(estimate.seconds / 60))} minutes at most, if all were the largest, and "
        f"up to {estimate.nbytes / MIB:,.0f} MiB of memory."
    )
    return estimate


def _submit(session: Session, config: "SearchConfig", data: str, needs_bytes: int) -> Answer:
    from lmcore.cli.jobs import job_document
    from lmcore.jobs import JobBoard
    from lmcore.training.tuning.job import SEARCH, search_config

    settings = session.settings
    board = JobBoard(settings.workspace, jobs_at_once=settings.jobs_at_once)
    wanted = search_config(config, data, workspace=settings.workspace)
    title = f"Search {config.base.name} on {data}"
    job = board.submit(SEARCH, wanted, title=title, kind="search", needs_bytes=needs_bytes)
    said = f"The job {job.id} is {job.state}. Follow it with: lmcore jobs show {job.id}"
    return Answer({"job": job_document(job), "id": wanted["id"]}, [said])


def _search(session: Session, config: "SearchConfig", dataset: "TextDataset", fresh: bool) -> Answer:
    from lmcore.training.tuning.importance import setting_importance
    from lmcore.training.tuning.run import search

    try:
        with session.report() as report:
            found = search(config, dataset, settings=session.settings, report=report, fresh=fresh)
    except (Cancelled, KeyboardInterrupt) as error:
        again = "the same command without --fresh" if fresh else "the same command"
        raise Cancelled(f"The search was stopped and its trials are kept: {again} goes on with it.") from error
    importance = setting_importance(found)
    shown: list[Any] = [found.verdict, _trials_table(found)]
    if not importance.shares.empty:
        shown += [
            "What explains the differences:",
            table(("setting", "share"), importance.shares.itertuples(index=False)),
        ]
    shown.append(importance.note)
    if found.registered:
        shown.append(f"The best was trained and registered as {found.registered['version']}.")
    document = {
        "id": found.id,
        "data": found.data,
        "metric": found.metric.name,
        "verdict": found.verdict,
        "best": None if found.best is None else found.best.to_dict(),
        "trials": records(found.trials),
        "importance": records(importance.shares),
        "note": importance.note,
        "registered": found.registered,
        "config": found.config,
    }
    return Answer(document, shown)


def _trials_table(found: "SearchResult") -> Any:
    from lmcore.training.tuning.result import shown_value

    ordered = found.trials.sort_values("value", ascending=not found.metric.higher, na_position="last", kind="stable")
    best_first = ordered.sort_values("state", key=lambda states: states != "finished", kind="stable").head(_SHOWN)
    rows = [
        (r["trial"], r["state"], r["value"], *(shown_value(r[name]) for name in found.space))
        for r in records(best_first)
    ]
    return table(("trial", "state", found.metric.title, *found.space), rows)
