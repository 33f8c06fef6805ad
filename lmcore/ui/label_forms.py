"""What is filled in to label a row: classes, sets of labels, typed stretches of words, an answer; by mouse or keys."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from lmcore.data.label_forms import LabelField, marked_words, row_words, span_cell, written_cell
from lmcore.tasks.base import Task
from lmcore.tasks.multilabel import read_labels, write_labels
from lmcore.ui import show

Marked = list[tuple[int, int, str]]
KEYS = 9
_COLORS = ("blue", "green", "orange", "violet", "red", "gray")
_DRAFT = "label_draft"


def draft(row: str, start: Mapping[str, str]) -> dict[str, str]:
    """Return the cells of the row on the page as they are so far; a row that comes anew begins with ``start``."""
    held = st.session_state.get(_DRAFT)
    if held is None or held["row"] != row:
        held = st.session_state[_DRAFT] = {"row": row, "cells": dict(start)}
    cells: dict[str, str] = held["cells"]
    return cells


def forget_draft() -> None:
    """Begin the next row anew, also where it is the same one."""
    st.session_state.pop(_DRAFT, None)


def draw_field(
    task: Task, field: LabelField, row: Mapping[str, str], key: str, choose: Callable[[str], None], first: int
) -> int:
    """Draw what is to be filled in for one column.

    Args:
        task: the task.
        field: the column, its form and its choices.
        row: the row's cells.
        key: unique to the row.
        choose: is given the class of a column of the form ``class``.
        first: the number of the first key on the keyboard that is still free.

    Returns:
        The number of the next free key.
    """
    cells = st.session_state[_DRAFT]["cells"]
    if field.form in {"spans", "answer"}:
        picked = _words(task, field, row, key, cells)
        if field.form == "answer":
            return first
        marks = _first_free(field.choices, first)
        _choices(field, marks, set(), lambda kind: _mark(task, field, row, key, kind), disabled=not picked)
        _new(f"{field.column}_type", "Another type", "Mark with it", lambda kind: _mark(task, field, row, key, kind))
        return first + len(field.choices)
    taken = set(read_labels(cells.get(field.column, ""))) if field.form == "classes" else {cells.get(field.column, "")}
    press = choose if field.form == "class" else lambda label: _toggle(field.column, label)
    known = sorted({*field.choices, *(taken if field.form == "classes" else ())})
    _choices(field, _first_free(known, first), taken, press)
    _new(f"{field.column}_class", "Another class", "Take it", press)
    return first + len(known)


def finish_fields(task: Task, fields: Sequence[LabelField], row: Mapping[str, str], key: str) -> None:
    """Take a stretch that is picked and not yet marked as the answer."""
    for field in fields:
        if field.form == "answer" and st.session_state.get(f"label_words_{key}"):
            _mark(task, field, row, key, "")


def set_cell(column: str, cell: str) -> None:
    """Set a cell of the row on the page."""
    st.session_state[_DRAFT]["cells"][column] = cell


def coloured(words: Sequence[str], marked: Marked, kinds: Sequence[str]) -> list[str]:
    """Return words as Markdown, those of a marked stretch on the colour of its type."""
    found = [show.plain(word) for word in words]
    for first, end, kind in marked:
        color = _COLORS[kinds.index(kind) % len(_COLORS)] if kind in kinds else _COLORS[-1]
        for number in range(first, end):
            found[number] = f":{color}-background[{found[number]}]"
    return found


def _words(task: Task, field: LabelField, row: Mapping[str, str], key: str, cells: dict[str, str]) -> bool:
    """Draw the words, of which a stretch is picked by its first and last, and the marks; says whether one is picked."""
    text, places = row_words(task, row)
    words = [text[start:end] for start, end in places]
    marked = marked_words(task, row, cells.get(field.column, ""))
    shown = coloured(words, marked, field.choices)
    picker = f"label_words_{key}"
    picked = st.pills(
        "Words: press the first and the last of a stretch",
        range(len(words)),
        format_func=shown.__getitem__,
        selection_mode="multi",
        key=picker,
    )
    with st.container(horizontal=True):
        for label, shortcut, by in _MOVES:
            st.button(
                label, key=f"label_move_{label}", shortcut=shortcut, type="tertiary", on_click=_move,
                args=(picker, len(words), *by),
            )  # fmt: skip
        st.button(
            "Mark as the answer" if field.form == "answer" else "Take the mark away",
            key="label_mark",
            shortcut="1" if field.form == "answer" else "Delete",
            type="tertiary",
            disabled=not picked if field.form == "answer" else not marked,
            on_click=_mark,
            args=(task, field, row, key, ""),
        )
    listed = written_cell(task, field, row, cells.get(field.column, ""))
    st.caption(f"Marked: {show.plain(listed)}" if marked else "Nothing is marked.")
    return bool(picked)


_MOVES = (("Back a word", "Left", (-1, -1)), ("On a word", "Right", (1, 1)), ("Shorter", "Shift+Left", (0, -1)),
          ("Longer", "Shift+Right", (0, 1)))  # fmt: skip


def _move(picker: str, count: int, first: int, last: int) -> None:
    """Move the picked stretch, or its last word; without one the first word is picked."""
    picked = st.session_state.get(picker) or []
    if not picked:
        st.session_state[picker] = [0]
        return
    start, end = min(picked), max(picked)
    if first:  # a step away from the whole stretch picks one word
        start = end = end + 1 if first > 0 else start - 1
    else:
        end += last
    start, end = min(max(start, 0), count - 1), min(max(end, 0), count - 1)
    st.session_state[picker] = list(range(start, max(start, end) + 1))


def _mark(task: Task, field: LabelField, row: Mapping[str, str], key: str, kind: str) -> None:
    """Mark the picked stretch with a type in place of what overlaps it; without a type take marks away."""
    cells, picker = st.session_state[_DRAFT]["cells"], f"label_words_{key}"
    picked = st.session_state.get(picker) or []
    marked = marked_words(task, row, cells.get(field.column, ""))
    start, end = (min(picked), max(picked) + 1) if picked else (marked[-1][:2] if marked else (0, 0))
    kept = [] if field.form == "answer" else [(a, b, k) for a, b, k in marked if b <= start or a >= end]
    if picked and (kind or field.form == "answer"):
        kept.append((start, end, "-".join(kind.split())))
    cells[field.column] = span_cell(task, row, sorted(kept))
    st.session_state[picker] = []


def _toggle(column: str, label: str) -> None:
    cells = st.session_state[_DRAFT]["cells"]
    cells[column] = write_labels(sorted(set(read_labels(cells.get(column, ""))) ^ set(read_labels(label))))


def _first_free(names: Sequence[str], first: int) -> list[tuple[str, str | None]]:
    """Return names with the key on the keyboard that stands for each, None from the tenth on."""
    return [(name, str(first + n) if first + n <= KEYS else None) for n, name in enumerate(names)]


def _choices(
    field: LabelField,
    named: Sequence[tuple[str, str | None]],
    taken: set[str],
    press: Callable[[str], None],
    *,
    disabled: bool = False,
) -> None:
    with st.container(horizontal=True):
        for number, (name, shortcut) in enumerate(named):
            st.button(
                show.plain(name),
                key=f"label_choice_{field.column}_{number}",
                shortcut=shortcut,
                type="primary" if name in taken else "secondary",
                disabled=disabled,
                on_click=press,
                args=(name,),
            )


def _new(key: str, label: str, button: str, press: Callable[[str], None]) -> None:
    """Ask for a class or type that is not among the known ones."""
    name = f"label_new_{key}"

    def take() -> None:
        typed = str(st.session_state.get(name, "")).strip()
        if typed:
            st.session_state[name] = ""
            press(typed)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(label, key=name, width=240, max_chars=100)
        st.button(button, key=f"{name}_take", on_click=take, type="tertiary", icon=":material/add:")
