"""What the session's person may do, as controls show it.

A button that a person may not use is drawn disabled and says which role it needs. That alone protects nothing: what changes the
workspace checks the role again where it is done (`lmcore.audit.audited`), as a browser may send what it likes.
"""

from typing import Any

import streamlit as st

from lmcore.access import refusal
from lmcore.ui import cache


def may(action: str) -> bool:
    """Whether the person may do one of `lmcore.access.ACTIONS`."""
    return cache.settings().workspace.actor.allows(action)


def button(label: str, *, action: str, disabled: bool = False, help: str | None = None, **options: Any) -> bool:
    """Draw a button for an action; returns whether it was pressed by somebody who may do it.

    Args:
        label: as of `st.button`.
        action: one of `lmcore.access.ACTIONS`.
        disabled: whether it is so for other reasons.
        help: what it says where the person may do it.
        options: passed to `st.button`.
    """
    allowed = may(action)
    said = help if allowed else refusal(action, cache.settings().workspace.actor.role)
    return st.button(label, disabled=disabled or not allowed, help=said, **options) and allowed
