"""Choices that point into a text, such as to a word of it: they hold for what they were made for, and for nothing else."""

from collections.abc import Iterable

import streamlit as st

from lmcore.fingerprint import fingerprint
from lmcore.types import Input
from lmcore.ui import state

AGAINST, LINK_AGAINST, LENS_COLUMN = "analyse_against", "link_against", "analyse_lens_column"
# Numbers of tokens: the keys go on with how many tokens there are.
CONTRIBUTION_TOKEN, FLOW_TOKEN = "analyse_contribution_token", "analyse_flow_token"
JUDGED_TOKEN = "attention_judged_token"
_POINTING = ("link:", "tag:", "span:", "token:", "phrase")


def text_is(text: Input, *, named: bool = True) -> None:
    """Forget what was chosen of another text: its targets and what they were held against, but for a class, which any has.

    What a link names at first holds for the text that it names.

    Args:
        text: what is looked at now.
        named: whether the link names it.
    """
    if not _held("text", text, first=named):
        return
    target = state.chosen("target")
    if not target or target.startswith(_POINTING):
        state.choose("target", "")
        _forget([AGAINST, LINK_AGAINST])
    _forget([LENS_COLUMN, *(key for key in _names() if key.startswith((CONTRIBUTION_TOKEN, FLOW_TOKEN, JUDGED_TOKEN)))])


def output_is(written: str) -> None:
    """Forget which part of another output was to be explained."""
    if _held("output", written):
        state.choose("target", "")
        _forget([AGAINST, LENS_COLUMN])


def target_is(name: str) -> None:
    """Forget what another target was held against."""
    if _held("target", name):
        _forget([AGAINST, LINK_AGAINST])


def key(name: str, *parts: object) -> str:
    """Return a key for a widget that begins anew with another text."""
    return "_".join(map(str, (name, *parts, st.session_state.get("held_text", ""))))


def _held(what: str, made_for: Input, *, first: bool = True) -> bool:
    """Note what choices are made for now; returns whether it was something else before (at first: whether it is not named)."""
    seed, mark = f"held_{what}", fingerprint(made_for)
    before = st.session_state.get(seed)
    st.session_state[seed] = mark
    return not first if before is None else before != mark


def _forget(keys: Iterable[str]) -> None:
    for name in keys:
        st.session_state.pop(name, None)
        st.query_params.pop(name, None)


def _names() -> list[str]:
    return [str(name) for name in (*st.session_state, *st.query_params)]
