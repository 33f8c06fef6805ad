"""What commands that look inside a model ask for: the model, the text and what is to be explained."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lmcore.cli.command import Session
from lmcore.errors import InputError, UnknownError
from lmcore.tasks import TASKS, load_task
from lmcore.types import Input, Prediction, Target

if TYPE_CHECKING:
    from lmcore.models.load import LoadedModel

Function = TypeVar("Function", bound=Callable[..., Any])

max_tokens_flag = click.option(
    "--max-tokens",
    type=click.IntRange(1),
    help="The most tokens of a text that are read.  [default: as many as the model takes]",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as the command line names it.

    Attributes:
        text: what the model reads; see `input_of`.
        target: what is explained; None for what the model predicts.
        against: what it is held against.
        output: what the model is taken to have written.
        task: of a model that is not registered.
        max_tokens: the most tokens of the text that are read; None for as many as the model takes.
    """

    text: str
    target: str | None
    against: str | None
    output: str | None
    task: str | None
    max_tokens: int | None


def question_flags(function: Function) -> Function:
    """Add ``--target``, ``--against``, ``--output``, ``--task`` and ``--max-tokens``, which `asked_question` reads."""
    flags = (
        click.option(
            "--target", metavar="TEXT", help="The class, tag, token or phrase to explain.  [default: what is predicted]"
        ),
        click.option("--against", metavar="TEXT", help="Explain why the target rather than this."),
        click.option("--output", metavar="TEXT", help="What the model is taken to have written.  [default: its own]"),
        click.option(
            "--task", type=click.Choice(list(TASKS)), help="Of a model that is not registered.  [default: completion]"
        ),
        max_tokens_flag,
    )
    for flag in reversed(flags):
        function = flag(function)
    return function


def asked_question(text: str, flags: dict[str, Any]) -> Question:
    """Take a question's flags out of all; a text of ``-`` is read from the standard input."""
    names = ("target", "against", "output", "task", "max_tokens")
    return Question(read_text(text), *(flags.pop(name) for name in names))


def read_text(text: str) -> str:
    """Return an argument as text, its bytes that are none as question marks; ``-`` reads the standard input."""
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace").strip()
    return text.encode(errors="replace").decode()


def input_of(loaded: "LoadedModel", text: str) -> Input:
    """Return a text as a model's task reads it: of one that reads several, JSON of all of them by column is taken apart."""
    task = load_task(loaded.task) if loaded.task else None
    if task is None or len(task.inputs()) < 2 or not text.startswith("{"):
        return text
    try:
        parts = json.loads(text)
    except ValueError:
        return text
    named = isinstance(parts, dict) and all(isinstance(part, str) for part in parts.values())
    return parts if named and set(task.required()) <= set(parts) <= set(task.inputs()) else text


def load_asked(session: Session, version: str, task: str | None, max_tokens: int | None = None) -> "LoadedModel":
    """Load a registered version with its head, or another model with that of a task.

    Raises:
        InputError: there is no such model, or it has no such head.
        OptionError: it does not take as many tokens.
    """
    from lmcore.models.catalogue import resolve_model
    from lmcore.models.load import load_model

    known = resolve_model(version, session.settings)
    head = None if known.kind == "registry" else task or "completion"
    return load_model(known, task=head, settings=session.settings, max_tokens=max_tokens)


def named_target(loaded: "LoadedModel", question: Question) -> Target | None:
    """Return the target that a question names; None where it names none.

    Raises:
        InputError: a phrase does not stand in what the model wrote.
        UnknownError: nothing is predicted that is called so.
    """
    from lmcore.models.predict import predict_texts

    if question.target is None and question.against is None:
        return None
    task = load_task(loaded.task).adapted(loaded.model.config)
    written = question.output
    prediction = (
        predict_texts(loaded.widest, [input_of(loaded, question.text)])[0]
        if written is None
        else Prediction(0, text=written)
    )
    offered = task.targets(prediction)
    kind = offered[0].kind if offered else "token"
    against = question.against or ""
    if question.target is None:
        if not offered:
            raise InputError("The model predicts nothing here that could be explained: name a target.")
        return replace(offered[0], against=against)
    known = [target for target in offered if target.label == question.target]
    if known:
        return replace(known[0], against=against)
    if kind in ("class", "token"):
        return Target(kind, question.target, against=against)
    if kind == "phrase":
        start = prediction.text.find(question.target)
        if start < 0 or not question.target:
            raise InputError(
                f"The model did not write {question.target!r}: name a part of its output, or give --output."
            )
        return Target("phrase", question.target, start, start + len(question.target), against)
    raise UnknownError("target", question.target, {target.label for target in offered})


def described(target: Target) -> dict[str, Any]:
    """Return a target as a document has it."""
    return {
        "kind": target.kind,
        "label": target.label,
        "start": target.start,
        "end": target.end,
        "against": target.against or None,
    }


def titled(target: Target) -> str:
    """Return a target in words."""
    return repr(target.label) + (f" rather than {target.against!r}" if target.against else "")
