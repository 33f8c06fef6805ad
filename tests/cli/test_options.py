"""Flags from the options of methods."""

import click
import pytest
from click.testing import CliRunner

from lmcore.cli.options import given_options, method_flags
from lmcore.methods import Method, Option, Registry, options_of
from lmcore.training.config import TrainConfig
from lmcore.training.methods import TRAINING

SIZE = Option("size", "int", 3, "How many.", minimum=1, maximum=9)
METHODS = Registry(
    "thing",
    Method("a", "A", "Does a.", "x:a", (SIZE, Option("fast_mode", "bool", False, "Be fast."))),
    Method("b", "B", "Does b.", "x:b", (Option("size", "int", 5, "How much.", minimum=2, maximum=9),)),
    Method("c", "C", "Does c.", "x:c", (SIZE, Option("kind", "choice", "x", "Which.", choices=("x", "y")))),
)


def parsed(*arguments, prefix=""):
    found = {}

    @click.command()
    @method_flags(METHODS, prefix=prefix)
    def command(**flags):
        found.update(flags)

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    return found, result


def test_only_what_was_given_is_taken():
    flags, _ = parsed("--size", "4", "--no-fast-mode")
    assert given_options(flags) == {"size": "4", "fast_mode": False}
    assert METHODS["a"].check(given_options(flags)) == {"size": 4, "fast_mode": False}


def test_a_prefix_keeps_two_registries_apart():
    flags, _ = parsed("--thing-size", "4", prefix="thing_")
    assert given_options({**flags, "size": 1}, "thing_") == {"size": "4"}


def test_the_help_says_for_which_method_and_what_is_valid():
    text = " ".join(parsed("--help")[1].output.split())
    assert "--size N a, c: How many. [a whole number from 1 up to 9; default 3] b: How much. [a whole number" in text
    assert "--fast-mode / --no-fast-mode a: Be fast. [default false]" in text
    assert "--kind [x|y] c: Which. [default x]" in text


@pytest.mark.parametrize("name", [option.name for option in options_of(TrainConfig)])
def test_train_has_a_flag_for_every_option(run, name):
    text = " ".join(run("train", "--help").output.split())
    assert f"--{name.replace('_', '-')} " in text


def test_training_help_is_the_registry_s(run):
    text = " ".join(run("train", "--help").output.split())
    for method in TRAINING.values():
        assert method.summary in text
