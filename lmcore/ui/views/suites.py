"""Suites: test cases that are kept with a data set, how a version does on them, and how two versions differ."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.counterfactual.methods import BLACK_BOX, EDITS
from lmcore.analysis.recipes import named_suite
from lmcore.analysis.suites.expectations import EXPECTATIONS
from lmcore.analysis.suites.job import TARGET
from lmcore.charts import counterfactual as charts
from lmcore.types import SPLITS, Report
from lmcore.ui import access, cache, linked, show, state
from lmcore.ui.jobs import as_job, running_bytes
from lmcore.ui.share import report_button
from lmcore.ui.stopping import begun, stoppable

if TYPE_CHECKING:
    from lmcore.analysis.suites.cases import Suite
    from lmcore.analysis.suites.running import SuiteRun
    from lmcore.analysis.suites.suite_store import SuiteStore

INLINE_CASES = 400
_USUAL = "as is usual for each edit"
_EXPECTED = {_USUAL: _USUAL, **EXPECTATIONS, "is": "the answer is the row's own label"}
_DEFAULT = ("typos", "homophones", "letter_case", "punctuation")


def draw(version: str) -> None:
    """Show the suites of a data set, and how the version does on the one that is chosen."""
    from lmcore.analysis.suites.suite_store import SuiteStore

    known = cache.registry().get(version)
    datasets = [str(info.ref) for info in cache.datasets() if info.task == known.task]
    ref = state.pick("dataset", "Data set", datasets, default=str(known.facts.get("data", "")))
    if ref is None:
        st.info("There is no data set for the task of this version: bring one in on the Data page.")
        return
    store = SuiteStore(cache.settings().workspace, ref)
    suites = {info.ref: info for info in store.list()}
    _make_form(store, ref, expanded=not suites)
    if not suites:
        st.info(f"{ref} has no suite yet: make one, and every version can be held against it.")
        return
    chosen = _suite_choice(list(suites))
    if not chosen:
        st.info("Choose the suite that is looked at.")
        return
    suite = store.load(chosen)
    run = _run_of(store, suite, version)
    if run is not None:
        _show_run(suite, run)
        _compare(store, suite, run)
    with st.expander(f"The {len(suite):,} cases", icon=":material/list:"):
        frame = suite.to_frame().drop(columns=["edits"])
        shown = frame.assign(row=frame["row"] + 1)
        show.table(
            shown, "analyse_suite_cases", alt="The cases of the suite, with what is expected of each.", height=320
        )
        st.download_button(
            "Download the suite",
            data=lambda: suite.to_frame().to_csv(index=False).encode("utf-8-sig"),
            file_name=f"{suite.name}-{suite.number}.csv",
            mime="text/csv",
            key="analyse_suite_download",
            icon=":material/download:",
            on_click="ignore",
            help="With every edit, so that it can be read again: lmcore analyse suite make --file.",
        )


def _suite_choice(suites: list[str]) -> str:
    """Ask for a suite; the link names it. Empty where there are several, or the link names another, until one is chosen."""
    asked = st.query_params.get("analyse_suite", suites[0])
    offered = suites if suites == [asked] else ["", *suites]
    return linked.select(
        "Suite", offered, "analyse_suite", always=True, format_func=lambda ref: ref or "None is chosen",
    )  # fmt: skip


def _make_form(store: "SuiteStore", ref: str, *, expanded: bool) -> None:
    with st.expander("Make a suite", icon=":material/add:", expanded=expanded):
        name = st.text_input("Name", "robust", key="suite_name", max_chars=64)
        kinds = st.pills(
            "Edits",
            BLACK_BOX,
            default=_DEFAULT,
            format_func=lambda n: EDITS[n].title,
            selection_mode="multi",
            key="suite_edits",
            help=" ".join(f"{EDITS[n].title}: {EDITS[n].summary}" for n in BLACK_BOX),
        )
        left, middle, right = show.side_by_side(3, narrowest=190)
        with left:
            rows = st.number_input("Rows", 1, 1000, 50, key="suite_rows", help="Rows that are drawn.")
        with middle:
            split = _split_choice(ref)
        with right:
            seed = st.number_input("Seed", 0, None, 0, key="suite_seed", help="Of the rows and of the edits.")
        wanted = st.selectbox(
            "What is expected",
            [_USUAL, *EXPECTATIONS],
            format_func=lambda n: _EXPECTED[n],
            key="suite_expectation",
            help="Usual is that a negation changes the answer and that all else leaves it as it was.",
        )
        if access.button(
            "Keep the suite", action="keep_suite", key="suite_keep", icon=":material/save:", disabled=not kinds
        ):
            from lmcore.analysis import make_suite

            expectation = "" if wanted == _USUAL else str(wanted)
            made = stoppable(
                "Making the cases", "suite_make",
                lambda report: make_suite(
                    cache.dataset(ref), name=name.strip(), edits=kinds, rows=int(rows), split=split,
                    expectation=expectation, seed=int(seed), report=report,
                ),
            )  # fmt: skip
            if made is not None:
                st.session_state["analyse_suite"] = store.save(made).ref
                st.rerun()


def _split_choice(ref: str) -> str:
    if not cache.store().info(ref).is_split:
        st.caption("The data set is not split: rows are drawn from all of it.")
        return ""
    return str(st.selectbox("Rows of", SPLITS, index=SPLITS.index("test"), key="suite_split"))


def _run_of(store: "SuiteStore", suite: "Suite", version: str) -> "SuiteRun | None":
    """Return the kept run of a version, or offer to run it: here where the suite is small, else as a job."""
    kept = next((run for run in store.runs(suite.ref) if run.version == version), None)
    if kept is not None:
        return kept
    label = f"Run {version}"
    if len(suite) > INLINE_CASES:
        config = {"data": suite.data, "suite": suite.ref, "version": version}
        known = cache.registry().get(version)
        title = f"{version} on the suite {suite.ref}"
        as_job(TARGET, config, title, "suite", label, f"suite_job_{version}", needs=lambda: running_bytes(known))
        st.caption(f"It is asked about {2 * len(suite):,} texts by a job of its own: you can leave the page meanwhile.")
        return None
    found = begun(
        label, "Asking about the cases", f"suite_run_{version}",
        f"{version} was not run on {suite.ref} yet: it is asked about {2 * len(suite):,} texts at most.",
        wanted=suite.ref, work=lambda report: _run(suite, version, report),
    )  # fmt: skip
    if found is None:
        return None
    store.save_run(found)
    st.rerun()


def _run(suite: "Suite", version: str, report: Report) -> "SuiteRun":
    from lmcore.analysis import run_suite

    with cache.pool().lease(version) as loaded:
        return run_suite(loaded, suite, version=version, report=report)


def _show_run(suite: "Suite", run: "SuiteRun") -> None:
    st.markdown(show.plain(run.verdict()))
    figure = charts.suite_rates(run.rates, run.version)
    show.figure(figure, "analyse_suite_rates")
    report_button("suite_run", run.version, run, {"suite": named_suite(suite)}, [figure])
    st.caption("Intervals are Wilson's with 95 %; several cases of one row are not independent and count for less.")
    failed = run.failures
    if failed.empty:
        st.success("No case failed.", icon=":material/check_circle:")
        return
    st.subheader(f"Failures: {len(failed):,}")
    columns = ["case", "row", "kind", "edit", "expectation", "label", "before", "after", "change", "text", "edited"]
    shown = failed.assign(row=failed["row"] + 1)[columns].rename(columns={"before": "first answer", "after": "then"})
    show.table(shown, "analyse_suite_failures", alt="The cases that failed.", height=320, formats={"change": "%+.3f"})


def _compare(store: "SuiteStore", suite: "Suite", run: "SuiteRun") -> None:
    found = [v for v in cache.versions() if v.available and v.task == suite.task]
    versions = [str(v.ref) for v in found if str(v.ref) != run.version]
    if not versions:
        return
    st.subheader("Beside another version")
    other = linked.select(
        "Compare with", ["", *versions], "analyse_suite_against", format_func=lambda ref: ref or "nothing"
    )
    if not other:
        return
    second = _run_of(store, suite, other)
    if second is None:
        return
    from lmcore.analysis import compare_runs

    comparison = compare_runs(run, second)
    st.markdown(show.plain(comparison.verdict()))
    figure = charts.rate_differences(comparison.rates, comparison.first, comparison.second)
    show.figure(figure, "analyse_suite_differences")
    st.caption("95 % intervals by a paired bootstrap of the rows.")
    arguments = {"suite": named_suite(suite), "other": cache.named_model(other), "seed": comparison.seed}
    report_button("suite_comparison", run.version, comparison, arguments, [figure])
    if len(comparison.changed):
        changed = comparison.changed.assign(
            row=comparison.changed["row"] + 1,
            better=comparison.changed["better"].map({"first": comparison.first, "second": comparison.second}),
        )
        names = {"first_after": comparison.first, "second_after": comparison.second}
        show.table(
            changed.rename(columns=names),
            "analyse_suite_changed",
            alt="The cases that one version alone passes.",
            height=320,
        )
