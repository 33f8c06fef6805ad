"""Which part of an output a command explains."""

from dataclasses import replace

from lmcore.errors import InputError
from lmcore.tasks.base import Task
from lmcore.tasks.links import LinkName
from lmcore.types import Prediction, Target


def target_of(
    task: Task, prediction: Prediction, named: str | None, against: str | None, at: tuple[int, int]
) -> Target:
    """Return the target that a command's words name.

    Args:
        task: the model's, as its architecture does it.
        prediction: what the model says, or is taken to say.
        named: a class, a tag, ``start`` or ``end`` of an answer, words of the output, or a token; None for what the model
            says first.
        against: what it is held against.
        at: the characters of the text at which a tag stands; (0, 0) where it is one that was found.

    Raises:
        InputError: the model says nothing, or the words are not in what it wrote.
    """
    offered = task.targets(prediction)
    if named is None:
        if not offered:
            raise InputError("The model finds nothing here that could be explained: name what is to be with --target.")
        return replace(offered[0], against=against or "")
    kind = offered[0].kind if offered else "tag" if at[1] else "class"
    if kind == "link":
        return Target("link", str(LinkName.parse(named)), against=against or "")
    if at[1]:
        return Target("tag", named, *at, against=against or "")
    if kind == "phrase":
        place = prediction.text.find(named)
        if place < 0:
            raise InputError(f"The model did not write {named!r}: name words of what it wrote, or give an --output.")
        return Target("phrase", named, place, place + len(named), against or "")
    known = next((target for target in offered if target.label == named and not target.against), None)
    if known is None and kind in ("tag", "span"):
        listed = ", ".join(dict.fromkeys(target.label for target in offered))
        raise InputError(f"The model finds no {named!r} here; it finds: {listed}. Name a tag's words with --at.")
    return replace(known or Target(kind, named), against=against or "")


def place_of(text: str, words: str | None) -> tuple[int, int]:
    """Return where words stand in a text; (0, 0) where none are given.

    Raises:
        InputError: they are not in it.
    """
    if words is None:
        return 0, 0
    start = text.find(words)
    if start < 0 or not words:
        raise InputError(f"The text has no {words[:80]!r}: give words that stand in it with --at.")
    return start, start + len(words)
