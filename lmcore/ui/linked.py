"""Choices and texts of a view that its link carries: choices by their names, since what is shown is language and may change."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

LINK_LENGTH = 500


def select(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    format_func: Callable[[str], str] = str,
    default: str = "",
    always: bool = False,
    help: str | None = None,
) -> str:
    """Draw a select box whose choice the link carries by its name.

    Args:
        label: of the box.
        options: the names; at least one.
        key: unique on the page; the name in the link.
        format_func: what is shown of a name. A link that names what is shown is understood too.
        default: what is chosen at first, and what a link that names nothing means; the first option where empty.
        always: whether the link names what is chosen at first too, as where that will be another one later.
        help: what it is.
    """
    first = _restore(key, options, format_func, default)
    value = st.selectbox(label, options, format_func=format_func, key=key, help=help)
    return _carry(key, str(value), "" if always else first)


def segments(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    format_func: Callable[[str], str] = str,
    default: str = "",
    hidden: bool = False,
    help: str | None = None,
) -> str:
    """Draw the same as buttons side by side; ``hidden`` leaves the label out."""
    first = _restore(key, options, format_func, default)
    value = st.segmented_control(
        label, options, format_func=format_func, key=key, required=True, help=help,
        label_visibility="collapsed" if hidden else "visible",
    )  # fmt: skip
    return _carry(key, value or first, first)


def pills(
    label: str, options: Sequence[str], key: str, *, format_func: Callable[[str], str] = str, help: str | None = None
) -> tuple[str, ...]:
    """Draw a choice of several, all of them at first; the link names those that are chosen, with commas between."""
    if key not in st.session_state or not set(st.session_state[key]) <= set(options):
        asked = st.query_params.get(key, "").split(",")
        named = [name for name in options if name in asked]
        st.session_state[key] = named or list(options)
    chosen = st.pills(label, options, format_func=format_func, selection_mode="multi", key=key, help=help)
    found = tuple(name for name in options if name in chosen)
    _carry(key, ",".join(found), ",".join(options))
    return found


def number(label: str, least: int, most: int, start: int, key: str) -> int:
    """Draw a field for a whole number that the link carries.

    Args:
        label: of the field.
        least: the smallest that can be given.
        most: the largest; one beyond either, in a link, is passed over.
        start: what stands there at first.
        key: unique on the page; the name in the link.
    """
    asked = st.query_params.get(key, "")
    if key not in st.session_state:
        there = asked.isdecimal() and len(asked) <= len(str(most)) and least <= int(asked) <= most
        st.session_state[key] = int(asked) if there else start
    given = int(st.number_input(label, least, most, key=key))
    _carry(key, str(given), str(start))
    return given


def text(
    label: str,
    key: str,
    start: str = "",
    *,
    height: int = 80,
    max_chars: int | None = None,
    placeholder: str | None = None,
    help: str | None = None,
) -> str:
    """Draw a field for a text that the link carries up to `LINK_LENGTH` characters; beyond, a sentence says so.

    Args:
        label: of the field.
        key: unique on the page; the name in the link.
        start: what stands there at first. Where nobody has changed it, it follows a new start.
        height: in pixels; 0 draws a field of one line.
        max_chars: the longest text that can be typed.
        placeholder: what is shown while it is empty.
        help: what it is.
    """
    seed = f"{key}_start"
    shown, seeded = st.session_state.get(key), st.session_state.get(seed)
    if shown is None and key in st.query_params:
        st.session_state[key] = st.query_params[key]
    elif shown is None or (shown == seeded and seeded != start):
        st.session_state[key] = start
    st.session_state[seed] = start
    shared: dict[str, Any] = {"key": key, "max_chars": max_chars, "placeholder": placeholder, "help": help}
    given: str = st.text_area(label, height=height, **shared) if height else st.text_input(label, **shared)
    if len(given) > LINK_LENGTH:
        st.query_params.pop(key, None)
        st.caption(f"The link carries texts of up to {LINK_LENGTH} characters; this one is longer.")
        return given
    return _carry(key, given, start)


def named(key: str, options: Sequence[str], format_func: Callable[[str], str] = str) -> str | None:
    """Return which option the viewer has chosen, else which one the link names, by its name or by what is shown of it.

    Args:
        key: of the widget.
        options: the names.
        format_func: what is shown of a name.
    """
    chosen: str | None = st.session_state.get(key)
    if chosen in options:
        return chosen
    if key not in st.query_params:
        return None
    wanted = st.query_params[key]
    shown = {format_func(name): name for name in options}
    return wanted if wanted in options else shown.get(wanted)


def _restore(key: str, options: Sequence[str], format_func: Callable[[str], str], default: str) -> str:
    """Put into a widget what the link names, where the viewer has chosen nothing that is offered; returns the default."""
    first = default if default in options else options[0]
    found = named(key, options, format_func)
    st.session_state[key] = first if found is None else found
    return default or first


def _carry(key: str, value: str, default: str) -> str:
    """Put a value into the link, where it is another than what stands there without; returns it."""
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value
    return value
