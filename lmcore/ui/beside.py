"""The view that shows the same inputs before and after training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from lmcore.charts import beside as charts
from lmcore.charts.judging import differences
from lmcore.errors import LmError
from lmcore.tasks import TASKS, load_task
from lmcore.training.beside import Beside, Earlier, earlier_models
from lmcore.training.judging import EVALUATION
from lmcore.types import Input
from lmcore.ui import cache, show, state
from lmcore.ui.jobs import PROCESS_BYTES, as_job, running_bytes
from lmcore.ui.page import shown_errors

if TYPE_CHECKING:
    from lmcore.models.registry import ModelVersion
    from lmcore.training.evaluation import Evaluation

SHOWN_ROWS = 500
ALL = "all"


def show_beside(result: "Evaluation", versions: Mapping[str, "ModelVersion"]) -> None:
    """Show what training changed on the rows of an evaluation, and on a text of one's own."""
    version = versions[result.version]
    rivals = result.tables.get("baselines")
    names = rivals["name"].tolist() if rivals is not None else []
    offered, reason = earlier_models(version, list(versions.values()), names)
    if reason:
        st.info(reason + (" What is chosen below stands in for it." if offered else ""), icon=":material/info:")
    if not offered:
        st.caption("There is nothing to compare with yet: train another version of the same name.")
        return
    by_name = {item.name: item for item in offered}
    name = st.selectbox(
        "Before", list(by_name), format_func=lambda n: f"{n}, {by_name[n].reason}", key=f"beside_before_{result.id}"
    )
    earlier = by_name[name]
    found = _found(earlier, result, versions)
    if found is not None:
        _show_changes(found, result)
    with shown_errors():
        _ask_form(earlier, result)


def _found(earlier: Earlier, result: "Evaluation", versions: Mapping[str, "ModelVersion"]) -> Beside | None:
    """Return the two beside each other; where the earlier one was not measured on these rows, offer to do so."""
    if earlier.kind == "rival":
        return cache.beside(result.id, rival=earlier.name)
    kept = cache.kept_evaluations(version=earlier.name, data=result.data)
    alike = sorted(kept, key=lambda item: item.own_way != result.own_way)  # the newest of those, rather than any other
    if alike:
        return cache.beside(result.id, before=alike[0].id)
    st.info(f"{earlier.name} was not evaluated on {result.data} yet.")
    data, _, split = result.data.partition(":")
    known = versions.get(earlier.name)
    as_job(
        EVALUATION,
        {"version": earlier.name, "data": data, "split": split or "test"},
        f"Evaluate {earlier.name} on {data}",
        "evaluate",
        "Evaluate",
        "beside_evaluate",
        needs=lambda: running_bytes(known) if known else 2 * PROCESS_BYTES,
    )
    return None


def _show_changes(found: Beside, result: "Evaluation") -> None:
    first, *verdicts = found.sentences()
    st.markdown(show.plain(first))
    for sentence in verdicts:
        st.markdown(f"**{show.plain(sentence)}**")
    left, right = show.side_by_side()
    with left:
        show.figure(charts.changes(found), "beside_changes")
    with right:
        show.figure(differences(found.comparison), "beside_differences")
    kinds = [kind for kind, count in found.changes.items() if count]
    chosen = st.segmented_control(
        "Rows",
        [ALL, *kinds],
        default=kinds[0] if kinds[0] in {"fixed", "better"} else ALL,
        format_func=lambda kind: f"{kind} · {len(found.rows) if kind == ALL else found.changes[kind]:,}",
        key=f"beside_change_{found.before}_{result.id}",
        required=True,
    )
    rows = found.rows if chosen == ALL else found.rows[found.rows["change"] == chosen]
    rows = rows.sort_values("after_score", ascending=False, kind="stable").head(SHOWN_ROWS).reset_index(drop=True)
    shown = rows.assign(row=rows["id"] + 1, before_sure=rows["before_score"], after_sure=rows["after_score"])
    columns = ["row", "change", "text", "gold", "before", "after", "before_sure", "after_sure"]
    if found.metric.maximum != 1 or not set(found.rows["change"]) <= {"fixed", "broken", "still wrong", "still right"}:
        columns += ["before_figure", "after_figure"]
        st.caption(f"The figure is {found.metric.title} ({found.metric.unit}) of the row alone.")
    event = show.table(
        shown[columns],
        "beside_rows",
        alt="The rows with the answers before and after training.",
        height=320,
        percent=["before_sure", "after_sure"],
        on_select="rerun",
        selection_mode="single-row",
    )
    picked = event.selection.rows
    if not len(rows):
        return
    if not picked:
        st.caption("Choose a row of the table to see it before and after; the first is shown.")
    _show_row(found, rows.iloc[picked[0] if picked and picked[0] < len(rows) else 0], result)


def _show_row(found: Beside, row: pd.Series, result: "Evaluation") -> None:
    with st.container(border=True):
        st.caption(f"Row {row['id'] + 1} · {row['change']}")
        st.markdown(_lines(row["text"]))
        if row["gold"]:
            st.markdown(f"Wanted: **{_lines(row['gold'])}**")
        _two(found.before, found.after, (row["before"], row["before_score"]), (row["after"], row["after_score"]))
        own = found.probabilities[found.probabilities["id"] == row["id"]]
        if len(own) and own[["before", "after"]].notna().any(axis=None):
            show.figure(charts.probabilities(found.before, found.after, own.drop(columns="id")), "beside_probabilities")
        if TASKS[result.task].facts["analyse"]:
            data = result.data.partition(":")[0]
            choices: dict[state.Choice, str] = {"version": result.version, "dataset": data, "row": str(row["id"])}
            state.link("pages/3_Analyse.py", f"Analyse row {row['id'] + 1}", choices)


def _two(before: str, after: str, first: Sequence[object], second: Sequence[object]) -> None:
    """Draw two answers side by side, with how sure each model is."""
    for cell, head, model, (answer, score) in zip(
        show.side_by_side(), ("Before", "After"), (before, after), (first, second), strict=True
    ):
        with cell:
            st.caption(f"{head}: {show.plain(model)}")
            st.markdown(f"**{_lines(str(answer)) or 'nothing'}**")
            if isinstance(score, float) and score > 0:
                st.caption(f"{score:.1%} sure")


def _ask_form(earlier: Earlier, result: "Evaluation") -> None:
    st.subheader("Ask both about a text of your own")
    if earlier.kind == "rival":
        st.caption("A simple rival answers only for the rows above: choose a version or a base model to ask it.")
        return
    names = load_task(result.task).required()
    with st.form(f"beside_ask_{result.id}", border=False):
        texts = {
            name: st.text_area(name.capitalize() if len(names) > 1 else "Text", key=f"beside_text_{name}", height=80)
            for name in names
        }
        asked = st.form_submit_button("Ask both", icon=":material/send:")
    if asked:
        st.session_state["beside_asked"] = texts
    given = st.session_state.get("beside_asked")
    if given is None or set(given) != set(names):
        return
    if not all(text.strip() for text in given.values()):
        st.caption(f"Write {' and '.join(names)} first.")
        return
    item: Input = dict(given) if len(names) > 1 else given[names[0]]
    try:
        said = [cache.answer(name, result.task, item) for name in (earlier.name, result.version)]
    except LmError as error:
        st.error(str(error), icon=":material/error:")
        return
    rows = [one.iloc[0] for one in said]
    _two(earlier.name, result.version, *[(row["answer"], float(row["score"])) for row in rows])
    labels = dict.fromkeys([*rows[1]["probabilities"], *rows[0]["probabilities"]])
    if labels:
        table = pd.DataFrame(
            [(label, *(row["probabilities"].get(label, float("nan")) for row in rows)) for label in labels],
            columns=["label", "before", "after"],
        )
        show.figure(charts.probabilities(earlier.name, result.version, table), "beside_asked_probabilities")


def _lines(text: object) -> str:
    return show.plain(str(text)).replace("\n", "  \n")
