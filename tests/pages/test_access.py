"""Who is let in, what each role sees, and that a forged click does nothing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lmcore.audit import AuditLog, Entry
from lmcore.data.label_store import LabelStore
from lmcore.data.store import DatasetStore
from lmcore.jobs import JobBoard
from lmcore.jobs.selftest import TARGET as COUNTING
from lmcore.models.registry import ModelRegistry
from lmcore.serving.server import ServerState, write_state
from lmcore.settings import Settings
from lmcore.types import DatasetRef
from lmcore.ui import signin, wanted

ROOT = Path(__file__).parents[2]
PAGES = ["Home.py", *sorted(path.name for path in (ROOT / "pages").glob("*.py"))]
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "7d1c0a9be6f24835a1f0c3e2d4b58697",
    "client_id": "lmscope",
    "client_secret": "told by the service",
    "server_metadata_url": "http://localhost:9/.well-known/openid-configuration",
}
ROLES = {"ann@example.com": "operate", "@example.com": "edit", "@partner.org": "view"}
SECONDS = 60

Open = Callable[..., AppTest]


@pytest.fixture
def enter(open_app: Open, home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a page of a dashboard that asks people to sign in."""
    monkeypatch.setattr(signin, "_SEEN", set())

    def enter(
        page: str, email: str = "", /, *, secrets: dict[str, Any] | None = None, choices: Any = None, **claims: Any
    ) -> AppTest:
        app = AppTest.from_file(ROOT / "Home.py", default_timeout=30)
        app = app if page == "Home.py" else app.switch_page(f"pages/{page}")
        for name, value in (choices or {}).items():
            app.query_params[name] = value
        app.secrets = {"auth": AUTH, "roles": ROLES} if secrets is None else secrets
        known = {"iss": "https://id.example", "sub": "17", "email": email, "email_verified": True}
        app.user = {"is_logged_in": bool(email), **(known if email else {}), **claims}
        return app.run()

    return enter


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def button(app: AppTest, label: str) -> Any:
    return next(item for item in app.button if item.label.startswith(label))


def forge(item: Any) -> AppTest:
    """Press a disabled button, as a browser that was tampered with may."""
    item.proto.disabled = False
    return item.click().run()


def recorded(settings: Settings, **wanted: Any) -> list[Entry]:
    return AuditLog(settings.workspace).find(**wanted)


def is_shut(app: AppTest) -> bool:
    """Whether the page shows nothing of the workspace: no navigation, no table, no choice."""
    drawn = [*app.sidebar.get("page_link"), *app.main.get("page_link"), *app.dataframe, *app.selectbox, *app.header]
    return not app.exception and not drawn


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_a_page_before_signing_in(enter, filled, page):
    app = enter(page)
    assert is_shut(app)
    assert labels(app) == ["Log in"]
    assert not button(app, "Log in").disabled


@pytest.mark.parametrize("page", PAGES)
def test_who_has_no_role_sees_nothing_but_why(enter, filled, page):
    app = enter(page, "eve@evil-example.com")
    assert is_shut(app)
    assert labels(app) == ["Log out"]
    assert "has no role here" in app.warning[0].value


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """One browser for all that a test opens."""
    monkeypatch.setattr(wanted, "_browser", lambda: "the browser")
    wanted._pages.clear()


def test_a_link_leads_to_its_page_after_signing_in(enter, filled, browser):
    asked = {"version": "models:/topics/1", "text": "so much rain"}
    assert is_shut(enter("3_Analyse.py", "", choices=asked))
    assert is_shut(enter("Home.py", "eve@evil-example.com")), "who has no role is led nowhere"
    app = enter("Home.py", "ann@example.com")
    assert app.title[0].value == "Analyse"
    assert {name: app.query_params[name] for name in asked} == asked
    again = enter("Home.py", "ann@example.com")
    assert "Analyse" not in {title.value for title in again.title}, "it is gone to once"


def test_who_came_to_the_home_page_last_stays_there(enter, filled, browser):
    enter("1_Data.py")
    enter("Home.py")
    app = enter("Home.py", "ann@example.com")
    assert "Data" not in {title.value for title in app.title}
    enter("1_Data.py")
    linked = enter("Home.py", "ann@example.com", choices={"version": "models:/topics/1"})
    assert "Data" not in {title.value for title in linked.title}, "a link to the home page itself is one too"


@pytest.mark.parametrize("page", PAGES)
def test_without_auth_the_dashboard_is_open(open_app, filled, page):
    app = open_app(page)
    assert not app.exception
    assert not app.error
    assert not {"Log in", "Log out"} & set(labels(app))
    assert app.sidebar.get("page_link")


@pytest.mark.parametrize(
    "claims",
    [{"email_verified": False}, {"email_verified": None}, {"email": None}, {"email": "ann@example.com@evil.org"}],
    ids=str,
)
def test_an_address_that_cannot_be_believed_opens_nothing(enter, filled, claims):
    app = enter("5_Operate.py", "ann@example.com", **claims)
    assert is_shut(app)
    assert "ann@example.com" not in app.warning[0].value.replace("\\", "")


def test_each_sign_in_service_has_its_button_and_leads_there(enter, monkeypatch):
    went: list[Any] = []
    monkeypatch.setattr(st, "login", went.append)
    service = {name: AUTH[name] for name in ("client_id", "client_secret", "server_metadata_url")}
    shared = {name: AUTH[name] for name in ("redirect_uri", "cookie_secret")}
    app = enter("Home.py", secrets={"auth": {**shared, "okta": service, "google": service}})
    assert labels(app) == ["Log in with google", "Log in with okta"]
    button(app, "Log in with okta").click().run()
    monkeypatch.setattr(signin, "_SEEN", set())
    button(enter("Home.py"), "Log in").click().run()
    assert went == ["okta", None]


def test_who_is_signed_in_stands_in_the_sidebar_with_a_way_out(enter, filled, monkeypatch):
    out: list[int] = []
    monkeypatch.setattr(st, "logout", lambda: out.append(1))
    app = enter("1_Data.py", "Ann@Example.com")
    assert any("ann@example\\.com · operate" in text.value for text in app.sidebar.caption)
    button(app, "Log out").click().run()
    assert out == [1]


CHANGING = {
    "1_Data.py": ["Take this sample"],
    "2_Train.py": ["Start training"],
    "5_Operate.py": ["Undo", "Remove alias", "Start with", "Promote"],
    "Home.py": ["Delete everything"],
}


@pytest.mark.parametrize("page", CHANGING)
def test_a_viewer_reads_and_may_press_nothing_that_changes(enter, filled, home, page):
    app = enter(page, "vic@partner.org")
    assert not app.exception
    assert not app.error
    changing = [item for item in app.button if item.label.startswith(tuple(CHANGING[page]))]
    assert changing
    for item in changing:
        assert item.disabled
        assert "yours is view" in item.help
        forge(item)
    assert ModelRegistry(home.workspace).get(filled.version).aliases == ("champion",)
    assert {str(info.ref) for info in DatasetStore(home.workspace).list()} == {filled.raw, filled.split}
    assert JobBoard(home.workspace).list() == []
    assert "What was done" not in [item.value for item in app.header]


def test_an_editor_trains_and_the_version_bears_their_name(enter, filled, home):
    app = enter("2_Train.py", "Bob@example.com")
    app.selectbox(key=f"train_model_{filled.split}").set_value(
        f"folder:{Path(os.environ['LMSCOPE_MODEL_DIRS']) / 'tiny'}"
    ).run()
    assert not app.error
    start = button(app, "Start training")
    assert not start.disabled
    start.click().run()
    (job,) = JobBoard(home.workspace).list(kind="train")
    assert job.submitted_by == "bob@example.com"
    ended = JobBoard(home.workspace).wait(job.id, SECONDS)
    assert ended.state == "done", ended.error
    begun = recorded(home, action="start_job")[0]
    assert (begun.who, begun.via, begun.details["kind"]) == ("bob@example.com", "page", "train")
    made = recorded(home, action="register", who="bob")[0]
    assert (made.who, made.via, made.object) == ("bob@example.com", "job", "models:/topics/2")


def test_an_editor_neither_operates_nor_stops_the_jobs_of_others(enter, filled, home):
    write_state(home.workspace, ServerState("running", version=filled.version, pid=os.getpid()))
    app = enter("5_Operate.py", "bob@example.com")
    assert "needs the role operate: yours is edit" in button(app, "Remove alias champion").help
    forge(button(app, "Remove alias champion"))
    assert ModelRegistry(home.workspace).get(filled.version).aliases == ("champion",)
    job = JobBoard(home.workspace).submit(COUNTING, {"to": 1000, "pause": 0.05}, title="Count", kind="train")
    cancel = button(enter("2_Train.py", "bob@example.com"), "Cancel")
    assert cancel.disabled
    assert "another person" in cancel.help
    assert JobBoard(home.workspace).get(job.id).cancel_requested is None


def test_an_operator_promotes_and_finds_it_in_the_log(enter, filled, home):
    app = enter("5_Operate.py", "ann@example.com")
    button(app, "Remove alias champion").click().run()
    button(app, "Promote to champion").click().run()
    assert not app.error
    assert ModelRegistry(home.workspace).get(filled.version).aliases == ("champion",)
    log = app.dataframe[-1].value
    assert list(log["Action"][:2]) == ["Promote", "Demote"]
    assert set(log["Who"][:2]) == {"ann@example.com"}
    app.text_input(key="audit_who").set_value("nobody at all").run()
    assert any("Nothing of this kind was recorded" in text.value for text in app.markdown)
    assert not app.exception


def test_a_role_that_is_taken_away_ends_the_running_session(enter, filled, home):
    app = enter("5_Operate.py", "ann@example.com")
    assert not button(app, "Remove alias champion").disabled
    app.secrets = {"auth": AUTH, "roles": {**ROLES, "ann@example.com": "view"}}
    button(app, "Remove alias champion").click().run()
    assert ModelRegistry(home.workspace).get(filled.version).aliases == ("champion",)
    assert button(app, "Remove alias champion").disabled
    app.secrets = {"auth": AUTH, "roles": {"bob@example.com": "view"}}
    app.run()
    assert is_shut(app)


def test_secrets_that_vanish_open_nothing(enter, filled):
    assert enter("Home.py", "ann@example.com").title
    app = enter("Home.py", "ann@example.com", secrets={"other": 1})
    assert is_shut(app)
    assert "The [auth] secrets are gone" in app.error[0].value


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"cookie_secret": "xxx"}, "cookie_secret of [auth] can be guessed"),
        ({"cookie_secret": "x" * 64}, "cookie_secret of [auth] can be guessed"),
        ({"cookie_secret": ""}, "cookie_secret of [auth] can be guessed"),
        ({"client_secret": ""}, "[auth] of the secrets lacks client_secret"),
        ({"redirect_uri": "localhost"}, "redirect_uri of [auth] is missing"),
        ({"my_id": dict(AUTH)}, "[auth.my_id] of the secrets has an underscore"),
    ],
)
def test_a_door_that_could_be_forced_stays_shut(enter, filled, auth, said):
    app = enter("Home.py", "ann@example.com", secrets={"auth": {**AUTH, **auth}, "roles": ROLES})
    assert is_shut(app)
    assert said in app.error[0].value


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({"roles": ROLES}, "Roles are given and nobody can sign in"),
        ({"auth": "yes", "roles": ROLES}, "[auth] of the secrets is no table"),
        ({"auth": {}, "roles": ROLES}, "cookie_secret"),
        ({"auth": AUTH, "roles": "ann"}, "[roles] of the secrets is no table"),
        ({"auth": AUTH, "roles": {"ann@example.com": "root"}}, "give view, edit or operate"),
    ],
    ids=["roles alone", "auth no table", "auth empty", "roles no table", "no role"],
)
def test_what_is_set_up_wrongly_lets_nobody_in(enter, filled, secrets, said):
    app = enter("Home.py", "ann@example.com", secrets=secrets)
    assert is_shut(app)
    assert said in app.error[0].value


def test_roles_may_come_from_the_environment_but_not_from_two_places(enter, filled, monkeypatch):
    monkeypatch.setenv("LMSCOPE_ROLES", "ann@example.com=view")
    app = enter("Home.py", "ann@example.com", secrets={"auth": AUTH})
    assert app.sidebar.get("page_link")
    assert "Roles are given twice" in enter("Home.py", "ann@example.com").error[0].value


def test_secrets_that_cannot_be_read_let_nobody_in(open_app, filled, tmp_path, monkeypatch):
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth\n")
    monkeypatch.setattr(st.secrets, "load_if_toml_exists", lambda: False)
    monkeypatch.setattr(st, "get_option", lambda name: [str(broken)] if name == "secrets.files" else None)
    app = open_app("Home.py")
    assert is_shut(app)
    assert "The secrets cannot be read" in app.error[0].value


def test_labels_bear_the_name_of_who_is_signed_in_and_a_viewer_gives_none(enter, filled, home):
    app = enter("1_Data.py", "vic@partner.org").segmented_control(key="data_view").set_value("label").run()
    assert not app.exception
    assert "Labelling rows needs the role edit: yours is view." in [box.value for box in app.info]
    app = enter("1_Data.py", "bo@example.com").segmented_control(key="data_view").set_value("label").run()
    assert any(c.value.startswith("You label as bo@example") for c in app.main.caption)
    assert not [field for field in app.text_input if field.label == "Your name"]
    app = app.button(key="label_save").click().run()
    assert not app.exception
    ref = DatasetRef.parse(str(app.selectbox(key="pick_dataset").value))
    assert [label.author for label in LabelStore(home.workspace, ref).labels()] == ["bo@example.com"]
