"""How commands end: exit codes, sentences, JSON, help."""

import json

import click
import pytest
from click.testing import CliRunner

import lmcore
from lmcore.cli import main
from lmcore.cli.command import AnswerCommand, RootGroup, Session
from lmcore.cli.output import Answer
from lmcore.errors import Cancelled, InputError
from lmcore.settings import Settings


def commands(group=main, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def ended(error, *arguments):
    """Run a command that raises."""

    @click.group(cls=RootGroup)
    @click.pass_context
    def root(context):
        context.obj = Session(Settings.from_environment())

    @root.command("fail")
    @click.pass_obj
    def fail(session):
        raise error

    return CliRunner().invoke(root, ["fail", *arguments])


def test_the_version():
    assert CliRunner().invoke(main, ["--version"]).output == f"lmcore {lmcore.__version__}\n"


def test_the_tree_is_complete():
    assert {" ".join(path) for path, command in commands() if not isinstance(command, click.Group)} == {
        *(f"data {name}" for name in ("profile", "clean", "split", "list")),
        *(f"data label {name}" for name in ("queue", "give", "status", "undo", "keep")),
        *(
            "train",
            "evaluate",
            "compare",
            "compress",
            "curve",
            "search",
            "forgetting",
            "project",
            "serve",
            "audit",
            "methods",
            "demo",
        ),
        *(
            f"analyse {name}"
            for name in (
                *(
                    "why",
                    "ablate",
                    "activations",
                    "align",
                    "attention",
                    "concepts",
                    "counterfactuals",
                    "head-map",
                    "lens",
                    "logits",
                ),
                *(
                    "neighbours",
                    "neurons",
                    "patch",
                    "probabilities",
                    "probe",
                    "compare",
                    "rebuild",
                    "similarity",
                    "steer",
                    "words",
                ),
            )
        ),
        *(f"analyse suite {name}" for name in ("compare", "export", "list", "make", "run")),
        *(f"models {name}" for name in ("list", "promote", "card", "calibrate")),
        *(f"jobs {name}" for name in ("list", "show", "log", "cancel", "resume", "delete", "check")),
    }


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_help_is_helpful(run, path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    command = dict(commands())[path]
    if isinstance(command, click.Group):
        return
    assert isinstance(command, AnswerCommand)
    assert "--json" in result.output
    example = " ".join(result.output.split()).partition("Example: lmcore ")[2]
    assert " ".join(path) in example
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help


def test_short_help_is_not_cut(run):
    for group in ((), ("data",), ("models",), ("jobs",)):
        assert "..." not in run(*group, "--help").output.partition("Commands:")[2]


def test_bad_input_is_one_sentence():
    result = ended(InputError("The file x is empty."))
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "The file x is empty.\n")


def test_bad_input_in_json():
    result = ended(InputError("The file x is empty."), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (2, {"error": "The file x is empty."})
    assert result.stderr == "The file x is empty.\n"


@pytest.mark.parametrize(
    ("error", "said"), [(Cancelled("Stopped."), "Stopped."), (KeyboardInterrupt(), "Interrupted.")]
)
def test_an_interruption_ends_with_130(error, said):
    result = ended(error)
    assert (result.exit_code, result.stderr) == (130, f"{said}\n")


def test_an_unexpected_error_keeps_its_traceback():
    result = ended(ZeroDivisionError("x"))
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments", [("nosuch",), ("train",), ("data", "list", "--nosuch"), ("train", "x@1", "--method", "y")]
)
def test_wrong_usage_ends_with_2(run, arguments):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert list(json.loads(run(*arguments, "--json").stdout)) == ["error"]


def test_a_wrong_environment_is_one_sentence(refused, monkeypatch):
    monkeypatch.setenv("LMSCOPE_JOBS", "many")
    assert refused("jobs", "list") == "LMSCOPE_JOBS is 'many': give a whole number from 1 to 64."


def test_home_goes_before_the_environment(run, ask, tmp_path):
    source = tmp_path / "few.csv"
    source.write_text("text,label\na b,x\nc d,y\ne f,x\n")
    run("data", "split", source, home=tmp_path / "there")
    assert [info["ref"] for info in ask("data", "list", home=tmp_path / "there")] == ["few@2", "few@1"]
    assert ask("data", "list") == []
    assert not (tmp_path / "home").exists()


def test_what_libraries_print_does_not_reach_the_answer():
    @click.group(cls=RootGroup)
    @click.pass_context
    def root(context):
        context.obj = Session(Settings.from_environment())

    @root.command("chat")
    @click.pass_obj
    def chat(session):
        print("chatter")
        session.note("a note")
        return Answer({"a": 1}, ["one"])

    in_json = CliRunner().invoke(root, ["chat", "--json"])
    assert (json.loads(in_json.stdout), in_json.stderr) == ({"a": 1}, "")
    for_people = CliRunner().invoke(root, ["chat"])
    assert (for_people.stdout, for_people.stderr) == ("one\n", "chatter\na note\n")
