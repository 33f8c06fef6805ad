"""``lmcore models``."""

import pytest


def test_an_empty_workspace_lists_the_base_models(ask, run):
    found = ask("models", "list")
    assert found["versions"] == []
    assert "config:bert-small" in [base["ref"] for base in found["base"]]
    assert run("models", "list").stdout.startswith("No version is registered yet.")


def test_versions_are_listed_with_their_aliases(ask, run, trained_home):
    (version,) = ask("models", "list", "topics", home=trained_home)["versions"]
    assert (version["ref"], version["aliases"], version["available"]) == ("models:/topics/1", ["champion"], True)
    assert version["facts"]["data"] == "topics@1"
    assert "champion" in run("models", "list", home=trained_home).stdout


def test_promoting(ask, run, trained_home):
    found = ask("models", "promote", "topics", 1, "--alias", "challenger", home=trained_home)
    assert found["aliases"] == ["champion", "challenger"]
    shown = run("models", "promote", "topics", 1, home=trained_home).stdout
    assert shown == "models:/topics/1 is now the champion of topics.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "nosuch"), "There is no registered model 'nosuch'"),
        (("promote", "nosuch", 1), "There is no registered model 'nosuch'"),
        (("promote", "topics", 99), "There is no version or alias of topics '99'"),
        (("promote", "topics", 1, "--alias", "boss"), "The alias is 'boss': give one of champion, challenger."),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("models", *arguments, home=trained_home)
