import pytest

from lmcore.access import os_user
from lmcore.data.store import DatasetStore
from lmcore.settings import Settings


@pytest.fixture
def done(run):
    assert run("data", "clean", "sample:feedback-en").exit_code == 0
    assert run("data", "split", "feedback-en@2").exit_code == 0


def test_what_the_command_line_does_is_recorded_with_the_login_name(done, ask):
    found = ask("audit")
    assert [(entry["action"], entry["object"]) for entry in found] == [
        ("keep_data", "feedback-en@3"),
        ("keep_data", "feedback-en@2"),
        ("keep_data", "feedback-en@1"),
    ]
    assert {(entry["who"], entry["via"], entry["outcome"]) for entry in found} == {
        (os_user().name, "command line", "done")
    }
    assert [entry["details"]["operation"] for entry in found] == ["split", "clean", "import"]
    assert found[0]["details"]["parent"] == "feedback-en@2"


def test_it_is_filtered_and_shown_as_a_table(done, ask, run):
    assert len(ask("audit", "--limit", 2)) == 2
    assert ask("audit", "--who", "somebody else") == []
    assert ask("audit", "--action", "promote") == []
    assert len(ask("audit", "--since", "2020-01-01")) == 3
    assert ask("audit", "--since", "2999-01-01T00:00") == []
    shown = run("audit").stdout
    assert "feedback-en@3" in shown
    assert "command line" in shown


def test_an_empty_log_says_so(run):
    assert run("audit").stdout == "Nothing of this kind was recorded.\n"


def test_what_python_does_is_recorded_too(topics, ask):
    DatasetStore(Settings.from_environment().workspace).save(topics)
    (entry,) = ask("audit")
    assert (entry["who"], entry["via"], entry["object"]) == (os_user().name, "python", "topics@1")


def test_a_bad_role_in_the_environment_is_one_sentence(refused, monkeypatch):
    monkeypatch.setenv("LMSCOPE_ROLES", "ann@example.com=root")
    assert refused("data", "list") == (
        "LMSCOPE_ROLES gives 'ann@example.com' the role 'root': give view, edit or operate."
    )
