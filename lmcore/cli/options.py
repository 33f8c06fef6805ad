"""Flags made from the options of methods, so that pages, flags and help say the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click

from lmcore.methods import Method, Option

Function = TypeVar("Function", bound=Callable[..., Any])
_METAVARS = {"int": "N", "float": "X", "text": "TEXT"}


def method_flags(methods: Mapping[str, Method], prefix: str = "") -> Callable[[Function], Function]:
    """Add a flag for each option that any of the methods takes; the function is given None where one is left out.

    Args:
        methods: a registry.
        prefix: is set before the flags' names, where two registries share a command.
    """
    found: dict[str, list[tuple[str, Option]]] = {}
    for method in methods.values():
        for item in method.options:
            found.setdefault(item.name, []).append((method.name, item))

    def add(function: Function) -> Function:
        for name, readers in reversed(found.items()):
            function = _flag(prefix + name, readers, everywhere=len(readers) == len(methods))(function)
        return function

    return add


def choices_help(methods: Mapping[str, Method]) -> str:
    """Return the help of a flag that chooses among methods: each one's name with its sentence."""
    return " ".join(f"{method.name}: {method.summary}" for method in methods.values())


def given_options(flags: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the options that were given, by name without the prefix."""
    named = {name: value for name, value in flags.items() if name.startswith(prefix) and value is not None}
    return {name.removeprefix(prefix): value for name, value in named.items()}


def _flag(name: str, readers: Sequence[tuple[str, Option]], *, everywhere: bool) -> Callable[[Function], Function]:
    first = readers[0][1]
    flag = f"--{name.replace('_', '-')}"
    text = _help(readers, everywhere)
    if first.kind == "bool":
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    metavar = "[" + "|".join(first.choices) + "]" if first.choices else _METAVARS[first.kind]
    return click.option(flag, name, default=None, metavar=metavar, help=text)


def _help(readers: Sequence[tuple[str, Option]], everywhere: bool) -> str:
    """Say what an option does; where methods differ on it, for each of them."""
    by_option: dict[Option, list[str]] = {}
    for method, item in readers:
        by_option.setdefault(item, []).append(method)
    sentences = []
    for item, names in by_option.items():
        whose = "" if everywhere and len(by_option) == 1 else f"{', '.join(names)}: "
        sentences.append(f"{whose}{item.help} [{_facts(item)}]")
    return " ".join(sentences)


def _facts(item: Option) -> str:
    facts = [] if item.choices or item.kind == "bool" else [replace(item, optional=False).takes()]
    if item.default not in (None, ""):
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        facts.append(f"default {default:g}" if isinstance(default, float) else f"default {default}")
    return "; ".join(facts)
