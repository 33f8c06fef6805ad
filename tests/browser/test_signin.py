"""Signing in at a real provider, with a real browser."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("authlib", reason="the extra auth is not installed")

from lmcore.audit import AuditLog
from lmcore.settings import Workspace
from tests.browser.driving import HEIGHT, WIDTH, Dashboard, Visitor, browsing
from tests.browser.openid import CLIENT, SECRET, Provider, providing

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

VIC = {"sub": "1", "email": "Vic@Partner.org", "email_verified": True}
ANN = {"sub": "2", "email": "ann@example.com", "email_verified": True}
EVE = {"sub": "3", "email": "ann@example.com", "email_verified": False}
ROLES = {"ann@example.com": "operate", "@partner.org": "view"}


class Door:
    """A dashboard behind a provider, and the secrets that it reads."""

    def __init__(self, provider: Provider, dashboard: Dashboard, file: Path) -> None:
        self.provider, self.dashboard, self._file = provider, dashboard, file
        self._cookie_secret = secrets.token_hex(32)

    def give(self, roles: dict[str, str]) -> None:
        """Write the secrets; a dashboard that runs sees it."""
        auth = {
            "redirect_uri": f"{self.dashboard.url}/oauth2callback",
            "cookie_secret": self._cookie_secret,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "server_metadata_url": f"{self.provider.url}/.well-known/openid-configuration",
        }
        lines = ["[auth]", *(f'{name} = "{value}"' for name, value in auth.items())]
        lines += ["[roles]", *(f'"{name}" = "{role}"' for name, role in roles.items())]
        self._file.write_text("\n".join(lines))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with tempfile.TemporaryDirectory(prefix="lmscope-") as home, providing() as provider:
        file = tmp_path / "secrets.toml"
        dashboard = Dashboard(Path(home), tmp_path / "dashboard.log", options=("--secrets.files", str(file)))
        door = Door(provider, dashboard, file)
        door.give(ROLES)
        dashboard.start()
        yield door
        dashboard.kill()


@pytest.fixture
def guest(door: Door, tmp_path: Path) -> Iterator[Visitor]:
    with browsing() as browser:
        yield Visitor(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), door.dashboard.url, tmp_path)


def enter(guest, door, person):
    door.provider.person = person
    guest.open()
    guest.press("Log in")
    guest.expect(guest.page.get_by_role("button", name="Log out")).to_be_visible()
    guest.settle()


def leave(guest):
    with guest.page.expect_event("load"):  # the old page asks to sign in too, before the cookie is gone
        guest.press("Log out")
    guest.sees("Sign in to see this workspace.")


def links(guest):
    return guest.page.get_by_test_id("stPageLink").count()


def test_who_signs_in_gets_their_role_and_no_more(door, guest):
    for page in ("", "Data", "Train", "Analyse", "Visualise", "Operate"):
        guest.open(page)
        guest.sees("Sign in to see this workspace.")
        assert links(guest) == 0

    enter(guest, door, EVE)
    guest.sees("has no role here")
    assert links(guest) == 0
    leave(guest)

    guest.open("Visualise")
    door.provider.person = VIC
    guest.press("Log in")
    guest.expect(guest.page.get_by_role("heading", name="Visualise")).to_be_visible()
    leave(guest)

    enter(guest, door, VIC)
    guest.page.get_by_test_id("stSidebar").get_by_text("vic@partner.org · view").wait_for()
    guest.open("Data")
    guest.expect(guest.page.get_by_role("button", name="Take this sample")).to_be_disabled()
    guest.go("LMScope")
    leave(guest)

    enter(guest, door, ANN)
    guest.open("Data")
    guest.press("Take this sample")
    guest.sees("409 rows")
    (kept,) = AuditLog(Workspace(door.dashboard.home)).find(action="keep_data")
    assert (kept.who, kept.via, kept.object) == ("ann@example.com", "page", "feedback-en@1")
    guest.open("Operate")
    guest.sees("What was done", role="heading")
    guest.is_content()

    door.give({"@partner.org": "view"})
    guest.sees("has no role here")
    assert links(guest) == 0
