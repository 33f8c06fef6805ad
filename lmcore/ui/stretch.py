"""Which stretch of a long text a page shows."""

import streamlit as st


def stretch_choice(tokens: int, shown: int, key: str) -> slice:
    """Ask for the stretch of a text that is drawn, where it is too long to be drawn at once.

    Args:
        tokens: of the text.
        shown: how many are drawn at once.
        key: unique on the page.

    Returns:
        The places of the tokens that are drawn.
    """
    if tokens <= shown:
        return slice(0, tokens)
    last = tokens - shown + 1
    first = int(
        st.number_input(
            f"Draw {shown} of {tokens:,} tokens, from token", 1, last, 1, step=shown, key=f"{key}_{tokens}",
            help="The table and the download have all of them.",
        )
    )  # fmt: skip
    return slice(first - 1, first - 1 + shown)


def stretch_name(stretch: slice, tokens: int) -> str:
    """Return what is added to a title: which tokens are drawn, where these are not all."""
    return (
        ""
        if stretch.stop - stretch.start >= tokens
        else f" (tokens {stretch.start + 1} to {stretch.stop} of {tokens:,})"
    )
