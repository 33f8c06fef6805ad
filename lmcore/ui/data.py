"""Pieces of the Data page: bringing data in, its defects, cleaning, splitting and history."""

import pandas as pd
import streamlit as st

from lmcore.data.clean import CLEANING, Cleaning, clean_dataset
from lmcore.data.columns import known_names, labelled_columns, suggest_columns
from lmcore.data.dataset import TextDataset
from lmcore.data.header import HeaderChoice
from lmcore.data.issues import ISSUES, DataIssues
from lmcore.data.load import Upload, load_dataset, plain_reader
from lmcore.data.read import PLAIN, SUFFIXES, read_table
from lmcore.data.samples import SAMPLES
from lmcore.data.split import split_dataset
from lmcore.tasks import TASKS, load_task
from lmcore.types import SPLITS, count_of
from lmcore.ui import access, cache, show, state
from lmcore.ui.forms import option_fields

SHOWN_ROWS = 1000
RULES_IN_LINE = 3
NO_COLUMN = "(none)"
HEADERS: tuple[HeaderChoice, ...] = ("auto", "yes", "no")
_HEADERS: dict[HeaderChoice, str] = {"auto": "Guess", "yes": "Yes", "no": "No"}


def bring_in(expanded: bool) -> None:
    """Offer a sample, an upload or a hub data set; what is brought in becomes a stored version."""
    with st.expander("Bring in data", icon=":material/add:", expanded=expanded):
        source = st.segmented_control(
            "Source", ["Sample", "Upload", "Hub"], default="Sample", key="data_source", required=True
        )
        if source == "Upload":
            _upload()
        elif source == "Hub":
            _hub()
        else:
            _sample()


def show_issues(issues: DataIssues, data: TextDataset) -> None:
    """List the rows with a defect, and name what is not checked yet."""
    frame, named = data.frame, {column.name for column in load_task(data.task).columns}
    found = issues.frame.merge(frame, on="id", how="left")
    if found.empty:
        st.success("No defect of the kinds that are checked was found.", icon=":material/check_circle:")
    else:
        counts = {kind: count for kind, count in issues.counts.items() if count}
        kinds = st.pills(
            "Kinds of defect",
            list(counts),
            format_func=lambda kind: f"{ISSUES[kind].title} · {counts[kind]}",
            selection_mode="multi",
            key="data_issue_kinds",
            help="Choose some to see only those.",
        )
        shown = found[found["kind"].isin(kinds)] if kinds else found
        shown = shown.assign(row=shown["id"] + 1, kind=shown["kind"].map(lambda kind: ISSUES[kind].title))
        columns = ["row", "kind", "detail", *(c for c in frame.columns if c in named)]
        show.table(shown[columns].head(SHOWN_ROWS), "data_issues", alt="Rows with a defect, with its kind.", height=320)
    listed = ", ".join(kind.replace("_", " ") for kind in issues.not_checked)
    st.caption(f"Not checked yet: {listed}.", help=" ".join(issues.not_checked.values()))


def clean_form(data: TextDataset) -> None:
    """Choose rules, see what they would do, and keep the result as a new version."""
    rules, options = [], {}
    for number, (name, method) in enumerate(CLEANING.items()):
        if number % RULES_IN_LINE == 0:
            columns = st.columns(RULES_IN_LINE)
        with columns[number % RULES_IN_LINE]:
            if st.checkbox(method.title, value=True, key=f"clean_{name}", help=method.summary):
                rules.append(name)
                if method.options:
                    options[name] = option_fields(method.options, f"clean_{name}")
    if not rules:
        st.caption("Choose at least one rule.")
        return
    cleaning = clean_dataset(data, rules=rules, options=options)
    _preview(cleaning)
    unchanged = cleaning.changes.empty
    if access.button(
        "Keep as a new version", action="keep_data", type="primary", icon=":material/save:", disabled=unchanged
    ):
        _keep(cleaning.data)


def split_form(data: TextDataset) -> None:
    """Choose ratios and seed, and keep the split as a new version."""
    columns = st.columns(4)
    ratios = [
        column.number_input(name.capitalize(), 0.1, 100.0, default, 1.0, key=f"split_{name}", format="%g")
        for column, name, default in zip(columns, SPLITS, (8.0, 1.0, 1.0), strict=False)
    ]
    seed = columns[3].number_input("Seed", 0, 2**31, 0, key="split_seed", help="The same seed gives the same split.")
    stratify = st.checkbox("Give each split every label in its overall share", value=True, key="split_stratify")
    if access.button(
        "Split and keep as a new version", action="keep_data", type="primary", icon=":material/call_split:"
    ):
        _keep(split_dataset(data, ratios=ratios, seed=int(seed), stratify=stratify))


def show_rows(data: TextDataset) -> None:
    """Show the rows, counted from 1 as everywhere on the pages."""
    shown = data.frame.head(SHOWN_ROWS)
    st.caption(f"The first {len(shown):,} of {len(data):,} rows; the download has all that are shown.")
    numbered = shown.assign(id=shown["id"] + 1).rename(columns={"row": "row in the file", "id": "row"})
    show.table(numbered, "data_rows", alt="The rows of the data set.", height=480)


def show_history(data: TextDataset) -> None:
    """Show how a version came to be, the oldest first, with a link to each."""
    for info in reversed(cache.store().history(str(data.ref))):
        operation = info.operation.get("name", "read") if info.operation else "read"
        left, right = st.columns([1, 4], vertical_alignment="center")
        with left:
            if st.button(str(info.ref), key=f"history_{info.ref}", disabled=info.ref == data.ref, width="stretch"):
                state.choose("dataset", str(info.ref))
                st.rerun()
        by = ", ".join(f"{show.plain(name)} {count:,}" for name, count in info.operation.get("authors", {}).items())
        operation += f" by {by}" if by else ""
        right.caption(
            f"{operation} · {count_of(info.rows, 'row')} · {pd.Timestamp(info.created, unit='s'):%Y-%m-%d %H:%M} UTC"
        )


def _sample() -> None:
    name = st.selectbox("Sample", list(SAMPLES), format_func=lambda n: SAMPLES[n].title, key="data_sample")
    st.caption(SAMPLES[name].summary)
    if access.button("Take this sample", action="keep_data", type="primary", icon=":material/download:"):
        _keep(load_dataset(f"sample:{name}", task=SAMPLES[name].facts["task"], name=name))


def _upload() -> None:
    limit = cache.settings().upload_bytes
    kinds = [suffix.lstrip(".") for suffix in (*SUFFIXES, PLAIN)]
    file = st.file_uploader("File", type=kinds, key="data_file", disabled=not access.may("keep_data"))
    st.caption(
        f"CSV, TSV, JSONL, JSON, Parquet, XLSX or CoNLL up to {limit >> 20} MB; UTF-8, UTF-16 or GB18030. Plain text "
        "may be a TXT file: a text a line or paragraphs, or source ||| target on each line, as the task reads it."
    )
    if file is None:
        return
    upload = Upload(file.name, file.getvalue())
    task = st.selectbox("Task", list(TASKS), format_func=lambda n: TASKS[n].title, key="data_task")
    header: HeaderChoice = st.selectbox(
        "First row holds the column names", HEADERS, format_func=_HEADERS.__getitem__, key="data_header"
    )
    known = known_names(load_task(task))
    table = read_table(
        upload.content,
        name=upload.name,
        header=header,
        known=known,
        limit_bytes=limit,
        plain=plain_reader(load_task(task)),
    )
    columns = _column_mapping(table, task)
    show.table(table.head(5), "data_upload_preview", alt="The first five rows of the file.")
    lacking = [name for name in labelled_columns(load_task(task)) if name not in columns]
    if lacking:
        st.caption(f"The rows have no {' and '.join(lacking)} yet: give them in the view Label.")
    if access.button("Bring it in", action="keep_data", type="primary", icon=":material/upload:"):
        data = load_dataset(
            upload, task=task, columns=columns, header=header, limit_bytes=limit, unlabelled=bool(lacking)
        )
        _keep(data)


def _column_mapping(table: pd.DataFrame, task: str) -> dict[str, str]:
    guessed = suggest_columns(table, task)
    names = [str(name) for name in table.columns]
    asked, to_label = load_task(task).columns, labelled_columns(load_task(task))
    chosen = {}
    for place, column in zip(st.columns(len(asked)), asked, strict=True):
        offered = names if column.required and column.name not in to_label else [NO_COLUMN, *names]
        index = offered.index(guessed[column.name]) if guessed.get(column.name) in offered else 0
        title = f"Column with {column.help}"
        picked = place.selectbox(title, offered, index=index, key=f"data_column_{column.name}_{'|'.join(names)}")
        if picked != NO_COLUMN:
            chosen[column.name] = picked
    return chosen


def _hub() -> None:
    name = st.text_input("Data set on the Hugging Face hub", placeholder="org/name", key="data_hub")
    task = st.selectbox("Task", list(TASKS), format_func=lambda n: TASKS[n].title, key="data_hub_task")
    st.caption("Its train, validation and test splits are kept. This needs a network that reaches the hub.")
    if access.button(
        "Bring it in",
        action="keep_data",
        type="primary",
        icon=":material/cloud_download:",
        disabled=not name.strip(),
    ):
        with st.spinner("Reading from the hub …"):
            data = load_dataset(f"hub:{name.strip()}", task=task)
        _keep(data)


def _preview(cleaning: Cleaning) -> None:
    changes = cleaning.changes
    if changes.empty:
        st.info("These rules change nothing.", icon=":material/check_circle:")
        return
    dropped = int((changes["action"] == "dropped").sum())
    changed = changes.loc[changes["action"] == "changed", "id"].nunique()
    left = len(cleaning.data)
    goes, *are = ("goes" if dropped == 1 else "go", *("is" if n == 1 else "are" for n in (changed, left)))
    st.markdown(f"**{count_of(dropped, 'row')} {goes}, {changed:,} {are[0]} changed, {left:,} {are[1]} left.**")
    shown = changes.assign(row=changes["id"] + 1, rule=changes["rule"].map(lambda rule: CLEANING[rule].title))
    columns = ["row", "rule", "action", "before", "after"]
    show.table(shown[columns].head(SHOWN_ROWS), "clean_preview", alt="What cleaning would do, row by row.", height=280)


def _keep(data: TextDataset) -> None:
    kept = cache.store().save(data)
    state.choose("dataset", str(kept.ref))
    st.rerun()
