"""Piece of the Operate page: the audit log, to be filtered and downloaded."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd
import streamlit as st

from lmcore.access import ACTIONS
from lmcore.audit import AuditLog, Entry
from lmcore.ui import cache, show
from lmcore.ui.page import empty_state

SHOWN_ROWS = 500
DAYS = {"Last day": 1, "Last 30 days": 30, "All": 0}
_DAY = 86400.0


def show_log() -> None:
    """List who did what and when, the newest first.

    Raises:
        AccessError: the person may not read the log.
    """
    workspace = cache.settings().workspace
    workspace.actor.check("read_audit")
    first, second, third = show.side_by_side(3, narrowest=230)
    stretch = first.segmented_control("Since", list(DAYS), default="Last 30 days", required=True, key="audit_since")
    who = second.text_input("Who", key="audit_who", placeholder="part of a name")
    action = third.selectbox(
        "Action", ["", *ACTIONS], format_func=lambda name: _called(name) or "All", key="audit_action"
    )
    days = DAYS[stretch or "Last 30 days"]
    since = pd.Timestamp.now("UTC").timestamp() - days * _DAY if days else 0.0
    found = AuditLog(workspace).find(who=who.strip(), action=action, since=since, limit=SHOWN_ROWS + 1)
    if not found:
        empty_state("Nothing of this kind was recorded: look at a longer time or at all people and actions.")
        return
    if len(found) > SHOWN_ROWS:
        st.caption(f"The newest {SHOWN_ROWS} are listed; lmcore audit --limit lists more.")
    shown = found[:SHOWN_ROWS]
    show.table(_frame(shown), "operate_audit", alt="What was done, by whom and with what outcome.", height=320)
    st.download_button(
        "JSON lines",
        data=lambda: "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in shown).encode(),
        file_name="lmscope-audit.jsonl",
        mime="application/jsonl",
        key="audit_download",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


def _called(action: str) -> str:
    return action.replace("_", " ").capitalize()


def _frame(entries: Sequence[Entry]) -> pd.DataFrame:
    zone = st.context.timezone or "UTC"
    rows = [
        {
            "Time": pd.Timestamp(entry.time, unit="s", tz="UTC").tz_convert(zone).strftime("%Y-%m-%d %H:%M:%S"),
            "Who": entry.who,
            "Via": entry.via,
            "Action": _called(entry.action),
            "Object": entry.object,
            "Outcome": entry.outcome,
            "Details": ", ".join(f"{name} {value}" for name, value in entry.details.items() if value != ""),
        }
        for entry in entries
    ]
    return pd.DataFrame(rows)
