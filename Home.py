"""What is in the workspace, what is running, and the five stages with the next sensible step."""

import streamlit as st

from lmcore.ui import cache
from lmcore.ui.home import demo_offer, reset_control, stage_card
from lmcore.ui.page import STAGES, open_page, shown_errors

open_page("Home")
st.title("LMScope")
st.caption("Bring texts, train a model on them, look inside it, see its map, and put it to work.")

with shown_errors():
    state = cache.overview()
    demo_offer(state.empty)
    for stage, condition in zip(STAGES, state.stages, strict=True):
        stage_card(stage, condition)
    if not state.empty:
        reset_control()
