"""Choices that travel between pages and in links: which data set, version, job, search, row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import streamlit as st

Choice = Literal["dataset", "version", "job", "search", "evaluation", "row", "text", "target", "layer"]


def chosen(name: Choice) -> str:
    """Return the choice that the link names, else the one made last in this session, else an empty text."""
    return str(st.query_params.get(name) or st.session_state.get(f"chosen_{name}", ""))


def choose(name: Choice, value: str) -> None:
    """Make a choice: every page sees it, and the link carries it."""
    st.session_state[f"chosen_{name}"] = value
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def pick(
    name: Choice,
    label: str,
    options: Sequence[str],
    *,
    format_func: Callable[[str], str] = str,
    help: str | None = None,
    default: str = "",
) -> str | None:
    """Draw a select box whose choice is shared by all pages and carried by the link.

    A link that names something that is not there is said in a sentence. Where the choice is no option, ``default`` is
    taken if it is one, else the first.

    Returns:
        The choice, or None where there are no options.
    """
    if not options:
        return None
    wanted = chosen(name)
    first = default if default in options else options[0]
    current = wanted if wanted in options else first
    if wanted != current and wanted and st.session_state.get(f"chosen_{name}") != wanted:
        st.warning(
            f"The link names the {label.lower()} {wanted!r}, which is not here: {format_func(current)} is shown."
        )
    key, seed = f"pick_{name}", f"seeded_{name}"
    shown, seeded = st.session_state.get(key), st.session_state.get(seed, "")
    # What the viewer has just chosen is left alone. Else the box is set each time: after a change of page the key still
    # tells what the box of the other page showed, while the box of this one would begin with its first option.
    st.session_state[key] = shown if shown in options and shown != seeded else current
    value: str = st.selectbox(label, options, format_func=format_func, key=key, help=help)
    st.session_state[seed] = value
    if {st.session_state.get(f"chosen_{name}"), st.query_params.get(name)} != {value}:
        choose(name, value)
    return value


def link(page: str, label: str, choices: Mapping[Choice, str], *, icon: str = ":material/arrow_forward:") -> None:
    """Draw a link to a page that takes choices along."""
    st.page_link(page, label=label, icon=icon, query_params={str(name): value for name, value in choices.items()})
