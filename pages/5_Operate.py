"""Choose a version, serve it, ask it, and see what it answered."""

import streamlit as st

from lmcore.models.registry import ModelVersion
from lmcore.ui import cache, state
from lmcore.ui.operate import (
    EXAMPLE,
    alias_buttons,
    ask,
    champions_first,
    key_hash,
    show_answer,
    show_calls,
    versions_table,
    watch_server,
    watch_stats,
)
from lmcore.ui.page import empty_state, open_page, shown_errors
from lmcore.ui.train import version_label

open_page("Operate")


def versions() -> ModelVersion | None:
    """See what is registered, pick one version and move the aliases."""
    registered = cache.versions()
    if not registered:
        empty_state(
            "No version is registered yet: train one and it appears here.", label="Go to Train", page="pages/2_Train.py"
        )
        return None
    versions_table(registered)
    by_ref = champions_first(registered)
    ref = state.pick("version", "Version", list(by_ref), format_func=lambda r: version_label(by_ref[r]))
    alias_buttons(by_ref[str(ref)])
    return by_ref[str(ref)]


def ask_form(running: bool) -> None:
    """Send one text or several to the server and see the answer."""
    several = st.segmented_control(
        "How many", ["One text", "Several, one a line"], default="One text", required=True, key="operate_mode"
    ).startswith("Several")
    with st.form("operate_send", border=False):
        text = st.text_area("Texts" if several else "Text", EXAMPLE, height=120 if several else 80, key="operate_text")
        key = st.text_input("API key", type="password", key="operate_api_key") if key_hash() else ""
        sent = st.form_submit_button("Send", icon=":material/send:", type="primary", disabled=not running)
    if not running:
        st.caption("The server has to run before a text can be sent.")
    if sent:
        st.session_state.pop("operate_answer", None)
        texts = [line for line in text.splitlines() if line.strip()] if several else [text] if text.strip() else []
        st.session_state["operate_answer"] = ask(texts, key)
    if "operate_answer" in st.session_state:
        show_answer(st.session_state["operate_answer"])


picked: ModelVersion | None = None
running = False
with shown_errors():
    picked = versions()
with shown_errors():
    st.header("Prediction server")
    server = watch_server(picked)
    running = server.state == "running"
    if running:
        show_calls(server)
with shown_errors():
    st.header("Send a text")
    ask_form(running)
with shown_errors():
    st.header("What was served")
    watch_stats(running)
