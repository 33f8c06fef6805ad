"""Who uses this session: signing in through the host's ``[auth]`` secrets, and what is refused at the door."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from lmcore.access import Actor, Role
from lmcore.errors import AccessError, LmError, OptionError
from lmcore.identity import Person, Roles, identify
from lmcore.settings import Settings
from lmcore.ui import show, wanted

LOCAL = "local"
SECRET_LENGTH = 32
SECRET_VARIETY = 10
_NEEDED = ("client_id", "client_secret", "server_metadata_url")
# An editor that writes the secrets anew leaves them empty for a moment: a door that was there once stays.
_SEEN: set[str] = set()


def acting(settings: Settings) -> Settings:
    """Return the settings with the session's person as the actor of the workspace.

    Without ``[auth]`` in the secrets the dashboard is open, and everybody may do everything as ``local``.

    Raises:
        OptionError: the secrets ask for signing in and something about it is wrong: nobody is let in then.
    """
    return replace(settings, workspace=replace(settings.workspace, actor=_actor(settings)))


def gate(read: Callable[[], Settings], page: str, home: str) -> None:
    """Let those in who have a role; for others the page ends here, with what they can do about it.

    Who comes back from signing in is brought to the page that they wanted before.

    Args:
        read: reads the settings; what is wrong with them is said.
        page: this page's file.
        home: that of the page to which the sign-in service sends everybody back.
    """
    try:
        settings, auth = read(), _auth()
        actor = _actor(settings)
        providers = _providers(auth) if auth is not None else []
    except LmError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
    if actor.role is not None:
        if page == home and auth is not None:
            wanted.go_on(home)
        return
    st.title("LMScope")
    if not _signed_in():
        wanted.remember(page)
        st.markdown("Sign in to see this workspace.")
        for provider in providers:
            label = f"Log in with {provider}" if provider else "Log in"
            st.button(label, key=f"login_{provider}", type="primary", icon=":material/login:",
                      on_click=st.login, args=(provider or None,))  # fmt: skip
    else:
        person = _person(settings)
        st.warning(
            f"You are signed in as {show.plain(person.name)}, who has no role here: ask whoever runs this dashboard for one. "
            f"{person.doubt}"
        )
        _log_out()
    st.stop()


def account(settings: Settings) -> None:
    """Draw who is signed in, with a way out; nothing where the dashboard is open."""
    if not _signed_in() or _auth() is None:
        return
    actor = settings.workspace.actor
    st.caption(f":material/account_circle: {show.plain(actor.name)} · {actor.role}")
    _log_out()


def may_read(settings: Settings) -> None:
    """Let a part of a page pass that is drawn without its beginning, as fragments are.

    Raises:
        AccessError: the person has no role any more.
    """
    settings.workspace.actor.check("read")


def _actor(settings: Settings) -> Actor:
    auth, roles = _auth(), _roles(settings)
    if auth is None:
        if roles.rules:
            raise OptionError(
                "Roles are given and nobody can sign in: add [auth] to the secrets, or take the roles away to open the "
                "dashboard to everybody."
            )
        return Actor(LOCAL, "page", Role.OPERATE)
    _providers(auth)
    if not _signed_in():
        return Actor("nobody", "page", None)
    person = _person(settings)
    return Actor(person.name, "page", roles.role_of(person.email))


def _signed_in() -> bool:
    return st.user.to_dict().get("is_logged_in") is True


def _person(settings: Settings) -> Person:
    return identify(st.user.to_dict(), settings.trusted_issuers)


def _roles(settings: Settings) -> Roles:
    table = _secret("roles")
    if table is None:
        return settings.roles
    if not isinstance(table, Mapping):
        raise OptionError(
            '[roles] of the secrets is no table: write one line for each, such as "ann@example.com" = "edit".'
        )
    if settings.roles.rules:
        raise OptionError("Roles are given twice, in LMSCOPE_ROLES and in [roles] of the secrets: keep one of them.")
    return Roles.of(table)


def _auth() -> Mapping[str, Any] | None:
    """Return ``[auth]`` of the secrets, or None where the dashboard is open.

    Raises:
        AccessError: it was there when the dashboard started and cannot be read now.
        OptionError: it is no table.
    """
    auth = _secret("auth")
    if auth is None:
        if _SEEN:
            raise AccessError("The [auth] secrets are gone: put them back, or start the dashboard again to open it.")
        return None
    if not isinstance(auth, Mapping):
        raise OptionError("[auth] of the secrets is no table: see .streamlit/secrets.example.toml.")
    _SEEN.add("auth")
    return auth


def _secret(name: str) -> Any:
    if st.secrets.load_if_toml_exists():
        return st.secrets.get(name)
    if any(Path(path).exists() for path in st.get_option("secrets.files")):
        raise OptionError("The secrets cannot be read, so that nobody is let in: see the dashboard's log for the line.")
    return None


def _providers(auth: Mapping[str, Any]) -> list[str]:
    """Return the names of the sign-in services, an empty one for that of ``[auth]`` itself.

    Raises:
        OptionError: one of them could not work, or its cookies could be forged.
    """
    _check_cookies(auth)
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and name != "client_kwargs"]
    found = {name: auth[name] for name in named} | ({"": auth} if "client_id" in auth or not named else {})
    for name, section in found.items():
        missing = [key for key in _NEEDED if not section.get(key)]
        if missing:
            place = f"[auth.{name}]" if name else "[auth]"
            raise OptionError(f"{place} of the secrets lacks {', '.join(missing)}: the sign-in service tells them.")
        if "_" in name:
            raise OptionError(f"[auth.{name}] of the secrets has an underscore in its name: take a dash.")
    _check_library()
    return sorted(found)


def _check_cookies(auth: Mapping[str, Any]) -> None:
    secret = str(auth.get("cookie_secret", ""))
    if len(secret) < SECRET_LENGTH or len(set(secret)) < SECRET_VARIETY:
        raise OptionError(
            f"cookie_secret of [auth] can be guessed, and with it anybody could sign in as anybody: give {SECRET_LENGTH} "
            'random characters or more, from python -c "import secrets; print(secrets.token_hex(32))".'
        )
    if not str(auth.get("redirect_uri", "")).startswith(("http://", "https://")):
        raise OptionError(
            "redirect_uri of [auth] is missing: give the dashboard's address with /oauth2callback at its end."
        )


def _check_library() -> None:
    from importlib.util import find_spec

    if find_spec("authlib") is None:
        raise OptionError("Signing in needs the extra auth: pip install 'lmscope[auth]'.")


def _log_out() -> None:
    st.button("Log out", key="logout", icon=":material/logout:", on_click=st.logout)
