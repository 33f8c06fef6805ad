"""The labelling view of the Data page: a queue of rows, one after the other, kept as each label is given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from lmcore.access import refusal
from lmcore.data.dataset import TextDataset
from lmcore.data.label_forms import LabelField, check_cells, empty_cell, label_fields, rows_by_id, written_cell
from lmcore.data.label_store import AUTHOR_LENGTH, GivenLabel, LabelStore, check_author
from lmcore.data.label_table import queue_table
from lmcore.data.labelling import Rows, label_columns, label_progress, label_queue, queue_rows, store_labels
from lmcore.errors import LmError
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.doubt import doubt_measures
from lmcore.training.ranking import DISAGREEMENT, RANKING, TITLES
from lmcore.types import SPLITS, count_of
from lmcore.ui import access, cache, linked, show, state
from lmcore.ui.jobs import as_job, running_bytes
from lmcore.ui.label_forms import draft, draw_field, finish_fields, forget_draft, set_cell
from lmcore.ui.signin import LOCAL

if TYPE_CHECKING:
    from lmcore.training.ranking import Ranking

ROWS: dict[str, str] = {"unlabelled": "Without a label", "all": "All rows"}
ORDERS = {"file": "As in the file", "shuffled": "Shuffled", **TITLES}


@dataclass(frozen=True, eq=False)
class _Queue:
    """What the queue is about, in which order, and what versions say of its rows."""

    task: str
    wanted: Sequence[int]
    order: Sequence[int] | None
    again: bool
    ranking: "Ranking | None" = None
    measure: str = ""


def label_view(data: TextDataset) -> None:
    """Label the rows of a data set one by one, and keep the labels as a new version."""
    if not label_columns(data):
        st.info(f"{TASKS[data.task].title} has no classes, tags or answers to label by hand.", icon=":material/info:")
        return
    if not access.may("label"):
        actor = cache.settings().workspace.actor
        st.info(refusal("label", actor.role), icon=":material/lock:")
        return
    author = _author()
    if not author:
        st.caption("Write your name to begin.")
        return
    store = cache.label_store(str(data.ref))
    queue = _queue_choice(data)
    labels = store.labels()
    problem = st.session_state.pop("label_problem", "")
    if problem:
        st.error(problem, icon=":material/error:")
    _show_progress(queue, labels, author)
    row = _next_row(data, queue, labels, store, author)
    if row is None:
        _show_end(data, queue, labels, store, author)
    else:
        _ask(data, row, queue, labels, store, author)
    _keep_form(data, labels)


def _author() -> str:
    """Return who labels: the person who is signed in, else the name that is typed; empty while there is none."""
    person = cache.settings().workspace.actor.name
    if person != LOCAL:
        st.caption(f"You label as {show.plain(person)}.")
        return check_author(person)
    typed = st.text_input(
        "Your name",
        key="label_author",
        bind="query-params",
        max_chars=AUTHOR_LENGTH,
        width=320,
        help="Every label is kept with who gave it; somebody else who labels the same data set takes another name.",
    )
    return check_author(typed) if typed.strip() else ""


def _queue_choice(data: TextDataset) -> _Queue:
    versions = {str(v.ref): v for v in cache.versions() if v.task == data.task and v.available}
    measures = (
        [*doubt_measures(load_task(data.task)), *([DISAGREEMENT] if len(versions) > 1 else [])] if versions else []
    )
    cells = show.side_by_side(3 if data.is_split else 2, narrowest=220)
    usual = "unlabelled" if queue_rows(data) else "all"
    with cells[0]:
        rows = linked.segments("Rows", list(ROWS), "label_rows", format_func=ROWS.__getitem__, default=usual)
    with cells[1]:
        orders = ["file", "shuffled", *measures]
        order = linked.select("Order", orders, "label_order", format_func=ORDERS.__getitem__)
    split = ""
    if data.is_split:
        with cells[2]:
            split = linked.select("Split", ["", *SPLITS], "label_split", format_func=lambda name: name or "All")
    again = st.checkbox(
        "Also rows that somebody else has labelled",
        key="label_again",
        help="Two people who label the same rows show how far labels can be trusted.",
    )
    wanted = queue_rows(data, rows=cast("Rows", rows), split=split)
    if order == "shuffled":
        return _Queue(data.task, wanted, np.random.default_rng(0).permutation(wanted).tolist(), again)
    if order == "file":
        return _Queue(data.task, wanted, None, again)
    ranking = _ranking(data, list(versions), order)
    return _Queue(data.task, wanted, ranking.order(order) if ranking else None, again, ranking, order)


def _ranking(data: TextDataset, versions: Sequence[str], measure: str) -> "Ranking | None":
    """Choose one or two versions and return their ranking; where there is none yet, offer the job that makes it."""
    registered = {str(v.ref): v for v in cache.versions()}
    left, right = show.side_by_side(narrowest=220)
    version = str(left.selectbox("Version", versions, key="label_version", bind="query-params"))
    other = ""
    if measure == DISAGREEMENT:
        others = [ref for ref in versions if ref != version]
        with right:
            other = linked.select("Against", others, "label_other", always=True)
    found = cache.ranking(version, str(data.ref), other)
    if found is None:
        who = "The versions have not both" if other else "The version has not"
        st.caption(f"{who} read these rows yet: until then, they come as in the file.")
        config = {"version": version, "other": other, "data": str(data.ref)}
        as_job(
            RANKING, config, f"Order the rows of {data.ref}", "rank", "Order the rows", "label_rank",
            needs=lambda: sum(running_bytes(registered[ref]) for ref in (version, other) if ref),
        )  # fmt: skip
    return found


def _show_progress(queue: _Queue, labels: Sequence[GivenLabel], author: str) -> None:
    found = label_progress(queue.wanted, labels, author, again=queue.again)
    skipped = f", {found.skipped:,} skipped by you" if found.skipped else ""
    share = found.labelled / found.rows if found.rows else 1.0
    st.progress(share, text=f"{found.labelled:,} of {found.rows:,} labelled{skipped}")
    if found.authors:
        by = ", ".join(f"{show.plain(name)} {count:,}" for name, count in sorted(found.authors.items()))
        both = (
            f" Several people labelled {count_of(found.shared, 'row')}, and agree on {found.agreed:,}."
            if found.shared
            else ""
        )
        st.caption(f"Labels so far: {by}.{both}")


def _next_row(
    data: TextDataset, queue: _Queue, labels: Sequence[GivenLabel], store: LabelStore, author: str
) -> int | None:
    """Return the row that is looked at again, else the next one of the queue that nobody else looks at."""
    again = st.session_state.get(_focus(data, author))
    if again is not None and (data.frame["id"] == again).any():
        return int(again)
    left = label_queue(queue.wanted, labels, author, order=queue.order, again=queue.again, taken=store.claimed(author))
    return next((row for row in left if store.claim(row, author)), None)


def _ask(
    data: TextDataset, row: int, queue: _Queue, labels: Sequence[GivenLabel], store: LabelStore, author: str
) -> None:
    task = load_task(data.task)
    cells = rows_by_id(data.frame[data.frame["id"] == row])[row]
    given = [label.cells for label in labels if label.cells is not None]
    fields = label_fields(data, given)
    own = next((g.cells for g in labels if g.row == row and g.author == author and g.cells), None)
    stored = {f.column: cells[f.column] for f in fields}
    start = own or stored
    key = f"{data.ref}_{author}_{row}"
    draft(key, start)
    with st.container(border=True):
        _show_row(data, cells, [start[field.column] for field in fields if field.form in {"class", "classes"}])
        _show_said(queue, cells, fields, key)
        save = _giver(data, cells, store, author)
        single = len(fields) == 1 and fields[0].form == "class"
        first = 1
        for field in fields:
            if len(fields) > 1:
                st.markdown(f"**{field.column.capitalize()}**")
            choose = _chooser(field.column, save if single else None)
            first = draw_field(task, field, cells, key, choose, first)
        _buttons(data, cells, fields, key, labels, store, author, save, filled=all(start.get(f.column) for f in fields))


def _chooser(column: str, save: Callable[[Mapping[str, str]], None] | None) -> Callable[[str], None]:
    """Return what a press on a class does: it labels the row where nothing else is to be filled in."""

    def choose(name: str) -> None:
        if save:
            save({column: name})
        else:
            set_cell(column, name)

    return choose


def _show_row(data: TextDataset, cells: Mapping[str, str], labels: Sequence[str]) -> None:
    split = f" · {cells['split']}" if "split" in cells else ""
    now = " · ".join(labels)
    st.caption(f"Row {int(cells['id']) + 1}{split}" + (f" · now: {show.plain(now)}" if now else ""))
    names = load_task(data.task).inputs(data.frame)
    for name in names:
        head = f"**{name}**  \n" if len(names) > 1 else ""
        st.markdown(head + show.plain(cells[name]).replace("\n", "  \n"))


def _show_said(queue: _Queue, row: Mapping[str, str], fields: Sequence[LabelField], key: str) -> None:
    """Say what versions predict, hidden until it is asked for, and offer to begin with it."""
    said = queue.ranking.said(int(row["id"])) if queue.ranking else {}
    if not said or queue.ranking is None:
        return
    task = load_task(queue.task)
    title = "What the versions say" if len(said) > 1 else "What the version says"
    with st.expander(title, icon=":material/lightbulb:", key=f"label_said_{key}"):
        st.caption("Look after you have made up your mind: a proposal pulls labels towards itself.")
        for version, cells in said.items():
            left, right = st.columns([3, 1], vertical_alignment="center")
            written = " · ".join(written_cell(task, field, row, cells[field.column]) for field in fields)
            left.markdown(f"{show.plain(version)}: **{show.plain(written)}**")
            right.button("Begin with it", key=f"label_take_{version}", on_click=_take, args=(fields, cells))
        value = queue.ranking.values(queue.measure)[int(row["id"])]
        st.caption(f"{TITLES[queue.measure]}: {value:.2f} (0 to 1)")


def _take(fields: Sequence[LabelField], cells: Mapping[str, str]) -> None:
    for field in fields:
        set_cell(field.column, cells[field.column])


def _buttons(
    data: TextDataset,
    cells: Mapping[str, str],
    fields: Sequence[LabelField],
    key: str,
    labels: Sequence[GivenLabel],
    store: LabelStore,
    author: str,
    save: Callable[[Mapping[str, str] | None], None],
    *,
    filled: bool,
) -> None:
    task, held = load_task(data.task), draft(key, {})
    mine = [label.row for label in labels if label.author == author]
    focus = _focus(data, author)
    at = st.session_state.get(focus)
    earlier = mine[: mine.index(at)] if at in mine else mine
    single = len(fields) == 1 and fields[0].form == "class"

    def give() -> None:
        finish_fields(task, fields, cells, key)
        save({field.column: held.get(field.column, "") or empty_cell(task, field, cells) for field in fields})

    def move(row: int | None) -> None:
        st.session_state[focus] = row
        forget_draft()

    def undo() -> None:
        with _problems():
            move(store.undo(author))

    with st.container(horizontal=True):
        if not single or held.get(fields[0].column):
            label = "Right as it is" if single and filled else "Save"
            st.button(label, key="label_save", shortcut="Enter", type="primary", icon=":material/check:", on_click=give)
        st.button("Skip", key="label_skip", shortcut="S", icon=":material/skip_next:", on_click=save, args=(None,))
        st.button(
            "Undo", key="label_undo", shortcut="U", icon=":material/undo:", on_click=undo, disabled=not mine,
            help="Takes back what you said last and shows that row again.",
        )  # fmt: skip
        st.button(
            "Back", key="label_back", shortcut="B", icon=":material/arrow_back:", disabled=not earlier,
            on_click=move, args=(earlier[-1] if earlier else None,),
            help="Shows the row before again; what you said stays until you say something else.",
        )  # fmt: skip
        if at is not None:
            st.button("To the queue", key="label_forward", shortcut="F", icon=":material/arrow_forward:",
                      on_click=move, args=(None,))  # fmt: skip
    st.caption("Keys: the numbers choose, Enter saves, S skips, U takes back, B goes back.")


def _giver(
    data: TextDataset, cells: Mapping[str, str], store: LabelStore, author: str
) -> Callable[[Mapping[str, str] | None], None]:
    """Return what records a label of a row, or with None that it was skipped, and goes on."""
    row, focus = int(cells["id"]), _focus(data, author)

    def give(label: Mapping[str, str] | None) -> None:
        with _problems():
            checked = None if label is None else check_cells(load_task(data.task), cells, label)
            store.give(row, author, checked)
            st.session_state[focus] = None
            forget_draft()

    return give


def _show_end(data: TextDataset, queue: _Queue, labels: Sequence[GivenLabel], store: LabelStore, author: str) -> None:
    found = label_progress(queue.wanted, labels, author, again=queue.again)
    if not queue.wanted:
        st.success("Every row has a label: choose All rows to check them.", icon=":material/check_circle:")
    elif found.skipped:
        st.info(f"Nothing is left but {count_of(found.skipped, 'row')} that you skipped.", icon=":material/skip_next:")
        if st.button("Show the skipped rows again", key="label_unskip"):
            store.forget_skips(author)
            st.rerun()
    elif found.labelled < found.rows:
        st.info("Others are looking at the rows that are left.", icon=":material/group:")
    else:
        st.success(f"This queue is labelled: {count_of(found.rows, 'row')}.", icon=":material/check_circle:")
    said = any(label.author == author for label in labels)
    if said and st.button("Undo", key="label_undo", shortcut="U", icon=":material/undo:"):
        st.session_state[_focus(data, author)] = store.undo(author)
        st.rerun()


def _keep_form(data: TextDataset, labels: Sequence[GivenLabel]) -> None:
    st.subheader("Keep as a new version")
    authors = sorted({label.author for label in labels if label.cells is not None})
    for info in cache.datasets():
        if info.parent == data.ref and info.operation.get("name") == "label":
            by = ", ".join(f"{show.plain(name)} {count:,}" for name, count in info.operation["authors"].items())
            st.caption(f"Kept before as {info.ref}: {by}.")
    if not authors:
        st.caption("Labels become a version once there are some.")
        return
    taken = st.multiselect("Labels of", authors, default=authors, key=f"label_authors_{data.ref}_{len(authors)}")
    stay = st.checkbox(
        "Keep the rows that have no label yet",
        key="label_stay",
        help="Training refuses a row without a label until it has one or is dropped.",
    )
    if access.button(
        "Keep the labels",
        action="keep_data",
        key="label_keep",
        type="primary",
        icon=":material/save:",
        disabled=not taken,
    ):
        kept = store_labels(cache.settings().workspace, data, labels, authors=taken, unlabelled=stay)
        state.choose("dataset", str(kept.ref))
        st.rerun()
    rows = {label.row: label.cells for label in labels if label.cells is not None and label.author in taken}
    table = queue_table(data, [row for row in rows if (data.frame["id"] == row).any()])
    for name in label_columns(data):
        table[name] = [(rows[row - 1] or {})[name] for row in table["row"]]
    show.download(table, "labels")


def _focus(data: TextDataset, author: str) -> str:
    return f"label_at_{data.ref}_{author}"


@contextmanager
def _problems() -> Iterator[None]:
    """Keep what goes wrong in a callback for the page to show."""
    try:
        yield
    except LmError as error:
        st.session_state["label_problem"] = str(error)
