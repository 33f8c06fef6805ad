"""Choose a version, serve it, ask it, and see what it answered."""

import streamlit as st

from lmcore.models.registry import ModelVersion
from lmcore.serving import ServerState
from lmcore.ui import access, cache, state
from lmcore.ui.asking import ask_form, show_calls
from lmcore.ui.audit import show_log
from lmcore.ui.operate import alias_buttons, champions_first, versions_table, watch_server, watch_stats
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


picked: ModelVersion | None = None
server: ServerState | None = None
with shown_errors():
    picked = versions()
with shown_errors():
    st.header("Prediction server")
    server = watch_server(picked)
    if server.state == "running":
        show_calls(server)
with shown_errors():
    st.header("Send a text")
    ask_form(server)
with shown_errors():
    st.header("What was served")
    watch_stats(server is not None and server.state == "running")
if access.may("read_audit"):
    with shown_errors():
        st.header("What was done")
        show_log()
