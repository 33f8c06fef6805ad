"""Which role a person has who signed in: from the claims of an identity token and the roles that the owner gave."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmcore.access import Role
from lmcore.errors import OptionError
from lmcore.fingerprint import fingerprint

EVERYBODY = "*"
NAME_LENGTH = 120
_DOMAIN = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# An address that begins with = would be a formula in a spreadsheet.
_EMAIL = re.compile(rf"[a-z0-9_][a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{0,63}}@{_DOMAIN}")
_RULE = re.compile(rf"\*|@?{_DOMAIN}")
_FORM = "write an e-mail address, a domain such as @example.com, or * for everybody who can sign in"


@dataclass(frozen=True, slots=True)
class Roles:
    """Who has which role.

    The narrowest rule counts: that for the address, else that for its domain, else that for everybody. A domain is
    compared as a whole, so that a rule for ``example.com`` says nothing of ``eu.example.com`` or ``evil-example.com``.

    Attributes:
        rules: an address, a domain written ``@example.com``, or ``*``, each in small letters, with the role.
    """

    rules: tuple[tuple[str, Role], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Roles":
        """Read ``ann@example.com=operate, @example.com=edit, *=view``.

        Raises:
            OptionError: a rule is none, or two say different things of the same people.
        """
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        return cls._checked([(who, role) for who, _, role in pairs], "LMSCOPE_ROLES")

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Roles":
        """Read the table ``[roles]`` of the secrets.

        Raises:
            OptionError: as `parse`.
        """
        return cls._checked(list(table.items()), "[roles] of the secrets")

    def role_of(self, email: str) -> Role | None:
        """Return the role of a person who signed in, whose address is empty where none is known for sure."""
        known, domain = dict(self.rules), email.partition("@")[2]
        for rule in [*([email, f"@{domain}"] if email else []), EVERYBODY]:
            if rule in known:
                return known[rule]
        return None

    @classmethod
    def _checked(cls, pairs: Sequence[tuple[Any, Any]], place: str) -> "Roles":
        found: dict[str, Role] = {}
        for given, role in pairs:
            rule, named = _rule(given, place), str(role).strip().upper()
            if named not in Role.__members__:
                raise OptionError(f"{place} gives {given!r} the role {role!r}: give view, edit or operate.")
            if found.setdefault(rule, Role[named]) != Role[named]:
                raise OptionError(f"{place} gives {rule!r} two roles: keep one of them.")
        return cls(tuple(found.items()))


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in.

    Attributes:
        name: the address, or the issuer and subject of the token where no address can be believed.
        email: the address in small letters, or empty where none can be believed.
        doubt: one sentence that says why there is no address, or empty.
    """

    name: str
    email: str = ""
    doubt: str = ""


def identify(claims: Mapping[str, Any], trusted_issuers: Sequence[str] = ()) -> Person:
    """Return who an identity token speaks of.

    An address counts only where the issuer says that it has verified it (``email_verified``), or is one whose addresses
    the owner trusts without a word; a provider at which everybody may write any address into their profile would
    otherwise let them in as anybody.

    Args:
        claims: the token's claims; its signature was checked before.
        trusted_issuers: issuers (``iss``) that verify addresses and don't say so.
    """
    issuer, given = str(claims.get("iss", "")), claims.get("email")
    nameless = _short(f"{issuer or 'unknown issuer'}#{claims.get('sub', '')}")
    if not given:
        return Person(nameless, doubt="Your sign-in service gives no e-mail address.")
    email = usable_email(given)
    if not email:
        return Person(nameless, doubt="Your sign-in service gives an e-mail address of an unusual form.")
    said = claims.get("email_verified")
    verified = said is True or (isinstance(said, str) and said.lower() == "true")
    if verified or (said is None and issuer in trusted_issuers):
        return Person(email, email)
    return Person(nameless, doubt="Your sign-in service does not say that your e-mail address is verified.")


def usable_email(given: object) -> str:
    """Return an address in small letters, or an empty text where it has not the plain form of one.

    Only ASCII is taken: among other letters there are some that turn into a plain one when they are made small.
    """
    if not isinstance(given, str) or not given.isascii() or len(given) > NAME_LENGTH:
        return ""
    email = given.lower()
    return email if _EMAIL.fullmatch(email) else ""


def _short(name: str) -> str:
    """Return a name that is short enough and still tells people apart."""
    if len(name) <= NAME_LENGTH:
        return name
    mark = fingerprint(name)
    return f"{name[: NAME_LENGTH - len(mark) - 1]}~{mark}"


def _rule(given: object, place: str) -> str:
    text = str(given).strip()
    if email := usable_email(text):
        return email
    rule = text.lower()
    if not text.isascii() or not _RULE.fullmatch(rule):
        raise OptionError(f"{place} names {text[:NAME_LENGTH]!r}: {_FORM}.")
    return rule if rule == EVERYBODY else f"@{rule.removeprefix('@')}"
