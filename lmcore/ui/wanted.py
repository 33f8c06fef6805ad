"""Where somebody wanted to go before they signed in.

The sign-in service sends every browser back to the home page, in a new session: a link that was sent to a colleague would be
lost on the way. The dashboard therefore remembers it for a while, by the random token that Streamlit gives each browser against
forged requests.
"""

import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import streamlit as st

KEPT_SECONDS = 15 * 60.0
MOST = 1000
_COOKIE = "_streamlit_xsrf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page that somebody wanted to see.

    Attributes:
        page: its file.
        choices: what its link said.
        time: when they came, in seconds since 1970.
    """

    page: str
    choices: Mapping[str, str | list[str]]
    time: float


class WantedPages:
    """What each browser wanted last; safe from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[str, Wanted] = {}

    def keep(self, browser: str, wanted: Wanted) -> None:
        """Remember what a browser wants in the place of what it wanted before; of too many the oldest is forgotten."""
        with self._lock:
            self._found.pop(browser, None)
            while len(self._found) >= MOST:
                del self._found[next(iter(self._found))]
            self._found[browser] = wanted

    def take(self, browser: str, now: float) -> Wanted | None:
        """Return what a browser wanted and forget it; None where it wanted nothing, or too long ago."""
        with self._lock:
            found = self._found.pop(browser, None)
        return found if found is not None and now - found.time <= KEPT_SECONDS else None


@st.cache_resource
def _pages() -> WantedPages:
    return WantedPages()


def remember(page: str) -> None:
    """Remember the page that somebody who has to sign in first came to, with what its link says."""
    browser = _browser()
    if browser:
        choices = {name: st.query_params.get_all(name) for name in st.query_params}
        _pages().keep(browser, Wanted(page, choices, time.time()))


def go_on(home: str) -> None:
    """Open, from the home page, the one that was wanted before signing in, once; the page ends here then."""
    browser = _browser()
    found = _pages().take(browser, time.time()) if browser and not st.query_params else None
    if found is not None and (found.page != home or found.choices):
        st.switch_page(found.page, query_params=dict(found.choices))


def _browser() -> str:
    return token_of(str(st.context.cookies.get(_COOKIE, "")))


def token_of(cookie: str) -> str:
    """Return the token in Streamlit's cookie, which is masked anew in every answer; empty where there is none.

    Args:
        cookie: ``2|mask|masked token|time``, mask and token in hexadecimal digits.
    """
    parts = cookie.strip("\"'").split("|")
    if len(parts) != 4 or parts[0] != "2":
        return ""
    try:
        mask, masked = (binascii.a2b_hex(part) for part in parts[1:3])
    except (binascii.Error, ValueError):
        return ""
    if len(mask) != 4 or len(masked) < 16:
        return ""
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked)).hex()
