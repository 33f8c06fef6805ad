"""``lmcore analyse suite``: kept test cases, and how versions do on them."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.counterfactual.methods import BLACK_BOX
from lmcore.analysis.suites.expectations import EXPECTATIONS
from lmcore.cli.command import CommandGroup, Session
from lmcore.cli.counterfactuals import API_KEY, model_of
from lmcore.cli.output import Answer, records, table
from lmcore.types import SPLITS, DatasetRef

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.analysis.suites.cases import Suite
    from lmcore.analysis.suites.comparing import SuiteComparison
    from lmcore.analysis.suites.running import SuiteRun
    from lmcore.analysis.suites.suite_store import SuiteStore

_SHOWN = 10
_USUAL = ("typos", "homophones", "letter_case", "punctuation")
_SUITE = click.argument("suite")
_DATA = click.argument("data")


@click.group("suite", cls=CommandGroup, short_help="Keep test cases, and hold versions against them.")
def suite_group() -> None:
    """Keep test cases with a data set version (text, edit, what should become of the answer), and run versions against them."""


@suite_group.command(
    "make",
    short_help="Make test cases from rows, or keep those of a file.",
    epilog="Example: lmcore analyse suite make feedback-en@3 robust --rows 50 --edit typos --edit homophones. Another: "
    "lmcore analyse suite make feedback-en@3 by-hand --file cases.csv",
)
@_DATA
@click.argument("name")
@click.option("--edit", "edits", multiple=True, type=click.Choice(BLACK_BOX), help="Which edits; can be given several times.  "
              f"[default: {', '.join(_USUAL)}]")  # fmt: skip
@click.option("--rows", type=click.IntRange(1), default=50, show_default=True, help="Rows that are drawn.")
@click.option(
    "--each", type=click.IntRange(1), default=1, show_default=True, help="Cases of each edit and row, at most."
)
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Whose rows.")
@click.option(
    "--expect",
    type=click.Choice(list(EXPECTATIONS)),
    help="; ".join(f"{name}: {said}" for name, said in EXPECTATIONS.items())
    + ".  [default: a negation changes the answer, all else does not]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the rows and the edits.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Keep the cases of this CSV file instead: text, edited, expectation and, for is, label.",
)
@click.pass_obj
def make_command(
    session: Session,
    /,
    data: str,
    name: str,
    edits: tuple[str, ...],
    file: Path | None,
    expect: str | None,
    **drawn: Any,
) -> Answer:
    """Make a suite called NAME for DATA (name@version) and keep it as its next version."""
    from lmcore.analysis import Suite, make_suite
    from lmcore.data.read import read_table
    from lmcore.data.store import DatasetStore

    dataset = DatasetStore(session.settings.workspace).load(data)
    with session.report() as report:
        if file is not None:
            limit = session.settings.upload_bytes
            frame = read_table(file, name=file.name, header="yes", limit_bytes=limit)
            made = Suite.from_frame(
                frame, name=name, data=str(dataset.ref), task=dataset.task, parameters={"file": file.name}
            )
        else:
            made = make_suite(
                dataset, name=name, edits=edits or _USUAL, expectation=expect or "", report=report, **drawn
            )
    kept = _store(session, data).save(made)
    counts = Counter((case.kind, case.expectation) for case in kept.cases)
    rows = [(*named, count) for named, count in counts.items()]
    said: list[Any] = [
        f"The suite {kept.ref} of {kept.data} has {len(kept):,} cases.",
        table(("kind", "expectation", "cases"), rows),
    ]
    return Answer(_suite_document(kept), said)


@suite_group.command(
    "list", short_help="List the suites of a data set.", epilog="Example: lmcore analyse suite list feedback-en@3"
)
@_DATA
@click.pass_obj
def list_command(session: Session, data: str) -> Answer:
    """List the suites of DATA (name@version), the newest first."""
    found = _store(session, data).list()
    rows = [(info.ref, info.task, info.cases) for info in found]
    document = [{"suite": info.ref, "data": info.data, "task": info.task, "cases": info.cases} for info in found]
    if not found:
        return Answer(document, [f"{data} has no suite yet. Make one with: lmcore analyse suite make {data} NAME"])
    return Answer(document, [table(("suite", "task", "cases"), rows)])


@suite_group.command(
    "run",
    short_help="Run a version against a suite.",
    epilog="Example: lmcore analyse suite run feedback-en@3 robust models:/feedback-en@champion",
)
@_DATA
@_SUITE
@click.argument("version")
@API_KEY
@click.pass_obj
def run_command(session: Session, data: str, suite: str, version: str, api_key: str) -> Answer:
    """Ask VERSION (models:/NAME@ALIAS, or a server) about every case of SUITE (name, or name@number) and keep the answers."""
    run = _run(session, data, suite, version, api_key)
    return Answer(_run_document(run), [run.verdict(), _rates(run), *_failures(run)])


@suite_group.command(
    "compare",
    short_help="Compare two versions on a suite.",
    epilog="Example: lmcore analyse suite compare feedback-en@3 robust models:/feedback-en/1 models:/feedback-en/2",
)
@_DATA
@_SUITE
@click.argument("first")
@click.argument("second")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the paired bootstrap.")
@click.pass_obj
def compare_command(session: Session, data: str, suite: str, first: str, second: str, seed: int) -> Answer:
    """Run both versions against SUITE, and say on which cases they differ."""
    from lmcore.analysis import compare_runs

    found = compare_runs(*(_run(session, data, suite, version, "") for version in (first, second)), seed=seed)
    return Answer(_comparison_document(found), _shown_comparison(found))


@suite_group.command(
    "export",
    short_help="Write the cases of a suite to a CSV file.",
    epilog="Example: lmcore analyse suite export feedback-en@3 robust cases.csv",
)
@_DATA
@_SUITE
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def export_command(session: Session, data: str, suite: str, file: Path) -> Answer:
    """Write the cases of SUITE of DATA to FILE; lmcore analyse suite make --file reads them again."""
    from lmcore.storage import write_text

    found = _store(session, data).load(suite)
    write_text(file, found.to_frame().to_csv(index=False))
    return Answer(_suite_document(found) | {"file": file}, [f"The {len(found):,} cases of {found.ref} are in {file}."])


def _store(session: Session, data: str) -> "SuiteStore":
    from lmcore.analysis import SuiteStore
    from lmcore.data.store import DatasetStore

    ref = DatasetRef.parse(data)
    DatasetStore(session.settings.workspace).info(ref)
    return SuiteStore(session.settings.workspace, ref)


def _run(session: Session, data: str, suite: str, version: str, api_key: str) -> "SuiteRun":
    from lmcore.analysis import run_suite
    from lmcore.models.load import LoadedModel

    store = _store(session, data)
    cases = store.load(suite)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        model = model_of(session, version, api_key)
        called = str(model.ref) if isinstance(model, LoadedModel) else version
        run = run_suite(model, cases, version=called, report=report)
    store.save_run(run)
    return run


def _suite_document(suite: "Suite") -> dict[str, Any]:
    return {
        "suite": suite.ref,
        "data": suite.data,
        "task": suite.task,
        "cases": len(suite),
        "parameters": suite.parameters,
        "fingerprint": suite.fingerprint,
    }


def _run_document(run: "SuiteRun") -> dict[str, Any]:
    return {
        "id": run.id,
        "suite": run.suite,
        "data": run.data,
        "version": run.version,
        "verdict": run.verdict(),
        "rates": records(run.rates),
        "cases": _case_records(run.cases),
    }


def _comparison_document(found: "SuiteComparison") -> dict[str, Any]:
    return {
        "suite": found.suite,
        "first": found.first,
        "second": found.second,
        "verdict": found.verdict(),
        "rates": records(found.rates),
        "changed": _case_records(found.changed),
        "seed": found.seed,
    }


def _rates(run: "SuiteRun") -> Any:
    columns = ["kind", "cases", "failures", "failure_rate", "failure_low", "failure_high", "flip_rate"]
    return table(tuple(name.replace("_", " ") for name in columns), run.rates[columns].itertuples(index=False))


def _failures(run: "SuiteRun") -> list[Any]:
    failed = run.failures
    if failed.empty:
        return []
    columns = ["case", "kind", "edit", "expectation", "before", "after"]
    first = failed[columns].head(_SHOWN).itertuples(index=False)
    return [f"The first of the {len(failed):,} cases that failed:", table(tuple(columns), first)]


def _case_records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return cases as dicts; one that was written by hand comes from no row."""
    rows = [None if row != row else int(row) for row in frame["row"].astype("float64")]
    return [{**item, "row": row} for item, row in zip(records(frame), rows, strict=True)]


def _shown_comparison(found: "SuiteComparison") -> list[Any]:
    columns = ["kind", "cases", "first", "second", "difference", "low", "high"]
    changed = found.changed.head(_SHOWN)[["case", "kind", "edit", "first_after", "second_after", "better"]]
    shown: list[Any] = [found.verdict(), table(tuple(columns), found.rates[columns].itertuples(index=False))]
    names = ("case", "kind", "edit", "first says", "second says", "better")
    return [*shown, table(names, changed.itertuples(index=False))] if len(changed) else shown
