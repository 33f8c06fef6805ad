import pytest

from lmcore.access import Role
from lmcore.errors import OptionError
from lmcore.identity import Roles, identify, usable_email

ROLES = Roles.parse("Ann@Example.com=operate, @example.com = edit")
ENTRA = "https://login.microsoftonline.com/11111111-2222/v2.0"


def claims(**more):
    return {"iss": "https://id.example", "sub": "17", "email": "ann@example.com", "email_verified": True, **more}


def role(roles=ROLES, **more):
    return roles.role_of(identify(claims(**more)).email)


def test_the_narrowest_rule_counts():
    roles = Roles.of({"ann@example.com": "view", "example.com": "operate", "*": "edit"})
    assert roles.role_of("ann@example.com") is Role.VIEW
    assert roles.role_of("bob@example.com") is Role.OPERATE
    assert roles.role_of("eve@elsewhere.org") is Role.EDIT
    assert roles.role_of("") is Role.EDIT
    assert Roles().role_of("ann@example.com") is None


def test_letter_case_makes_no_difference():
    assert role(email="ANN@EXAMPLE.COM") is Role.OPERATE
    assert role(email="Bob@Example.Com") is Role.EDIT


@pytest.mark.parametrize(
    "email",
    [
        "bob@evil-example.com",
        "bob@example.com.evil.org",
        "bob@eu.example.com",
        "ann@example.com@evil.org",
        '"ann@example.com"@evil.org',
        "ann@example.com ",
        " ann@example.com",
        "ann@example.com\n",
        "ann@example.com.",
        "ann@example.com\x00",
        "@example.com",
        "example.com",
        "ann@",
        "*",
        "=1+1@example.com",
        "ann@example\u3002com",
        "\uff41nn@example.com",
        "ann@e\u212axample.com",
        "a" * 200 + "@example.com",
        ["ann@example.com"],
        {"ann@example.com": 1},
        None,
        "",
        True,
    ],
    ids=repr,
)
def test_what_is_not_plainly_an_address_of_the_domain_has_no_role(email):
    assert role(email=email) is None


def test_a_letter_that_becomes_a_plain_one_when_small_does_not_pass():
    assert "\u212a".lower() == "k", "the sign for kelvin"
    roles = Roles.parse("k@example.com=operate")
    assert role(roles, email="\u212a@example.com") is None
    assert role(roles, email="K@example.com") is Role.OPERATE


@pytest.mark.parametrize("verified", [False, None, "false", "no", 0, 1, "", [True]], ids=repr)
def test_an_address_that_is_not_verified_is_nobodys(verified):
    person = identify(claims(email_verified=verified))
    assert person.email == ""
    assert person.name == "https://id.example#17", "nor does it stand in the log"
    assert "does not say that your e-mail address is verified" in person.doubt


def test_verified_may_be_a_word():
    assert identify(claims(email_verified="True")).email == "ann@example.com"


def test_a_trusted_issuer_may_be_silent_but_not_deny():
    silent = {"iss": ENTRA, "sub": "1", "email": "ann@example.com"}
    assert identify(silent).email == ""
    assert identify(silent, [ENTRA]).email == "ann@example.com"
    assert identify(silent, [ENTRA.upper(), ENTRA[:-1]]).email == ""
    assert identify({**silent, "email_verified": False}, [ENTRA]).email == ""


def test_a_person_without_an_address_is_everybody():
    person = identify({"iss": "https://id.example", "sub": "17"})
    assert (person.name, person.email) == ("https://id.example#17", "")
    assert Roles.parse("*=view").role_of(person.email) is Role.VIEW


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ann@example.com=admin", r"gives 'ann@example.com' the role 'admin': give view, edit or operate"),
        ("ann@example.com", r"the role ''"),
        ("*@example.com=view", r"names '\*@example.com'"),
        ("*.example.com=view", r"names '\*.example.com'"),
        ("com=view", r"names 'com'"),
        ("=view", r"names ''"),
        ("\u212a@example.com=view", "names"),
        ("ann@example.com=view, ANN@example.com=edit", r"gives 'ann@example.com' two roles"),
        ("example.com=view, @Example.com=edit", r"gives '@example.com' two roles"),
    ],
)
def test_a_rule_that_is_none_is_one_sentence(text, said):
    with pytest.raises(OptionError, match=said) as refused:
        Roles.parse(text)
    assert str(refused.value).startswith("LMSCOPE_ROLES")
    assert "\n" not in str(refused.value)


def test_a_table_is_read_alike():
    assert Roles.of({"Ann@Example.com": "operate", "@example.com": "edit"}) == ROLES
    with pytest.raises(OptionError, match=r"^\[roles\] of the secrets gives '\*' the role \['view'\]"):
        Roles.of({"*": ["view"]})


def test_an_address_is_made_small():
    assert usable_email("O'Brien+News@Example.COM") == "o'brien+news@example.com"


def test_people_without_an_address_stay_apart_however_long_their_names_are():
    names = {identify({"iss": ENTRA, "sub": "x" * 100 + end}).name for end in "ab"}
    assert len(names) == 2
    assert {len(name) for name in names} == {120}
