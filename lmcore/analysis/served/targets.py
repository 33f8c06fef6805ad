"""What can be explained about an answer of which nothing but the answer itself is seen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmcore.errors import InputError, UnknownError
from lmcore.tasks.phrases import phrase_targets
from lmcore.types import Target, TargetKind

Answer = Mapping[str, Any]


def served_targets(answer: Answer) -> list[Target]:
    """Return what can be explained about an answer, the most natural first.

    Of class probabilities every class, then the first against each other one; every stretch that was found; of an answer that
    has neither, every word that was written and the whole of it.

    Args:
        answer: ``label``, ``probabilities`` and, where the task has them, ``spans`` and ``text``, as the server gives them.
    """
    shares: Mapping[str, float] = answer.get("probabilities") or {}
    kind: TargetKind = "token" if answer.get("text") and not answer.get("label") else "class"
    spans = answer.get("spans", ())
    stretches = [Target(_span_kind(answer, span), span["label"], span["start"], span["end"]) for span in spans]
    ranked = sorted(shares, key=lambda label: -shares[label])
    ranked.sort(key=lambda label: label != answer.get("label"))
    alone = [Target(kind, label) for label in ranked]
    against = [Target(kind, ranked[0], against=other) for other in ranked[1:]]
    return [*alone, *against, *stretches] or phrase_targets(str(answer.get("text", "")))


def settled(answer: Answer, target: Target | str | None, against: str = "") -> Target:
    """Return the target that is meant: the first of those that the answer offers, one of them by its name, or the given one.

    Raises:
        InputError: the answer has nothing that could be explained, or the words are not in what was written.
        UnknownError: there is no such class or stretch.
    """
    offered = served_targets(answer)
    if not offered:
        raise InputError("The server's model says nothing of this text that could be explained: give another text.")
    if isinstance(target, Target):
        chosen = target
    elif target is None:
        chosen = offered[0]
    else:
        chosen = _named(target, answer, offered)
    chosen = replace(chosen, against=against) if against else chosen
    if chosen.kind in ("class", "token"):
        for label in filter(None, (chosen.label, chosen.against)):
            if label not in answer["probabilities"]:
                raise UnknownError("class", label, answer["probabilities"])
    return chosen


def served_value(answer: Answer, target: Target, words: str, read: str) -> float:
    """Return how much an answer holds to a target, 0 to 1; less what it holds to the one that it is held against.

    A class counts with its probability, a stretch with that of the same words where they are found again with the same label,
    and words that were written with 1 where they are written again.

    Args:
        answer: to a text, or to a part of it.
        target: what is explained.
        words: those of a stretch in the whole text.
        read: the column of the asked text in which stretches stand, the last one.
    """

    def share(label: str) -> float:
        if target.kind in ("class", "token"):
            return float(answer["probabilities"].get(label, 0.0))
        if target.kind == "phrase":
            return float(label in str(answer.get("text", "")))
        same = [s for s in answer.get("spans", ()) if s["label"] == label and read[s["start"] : s["end"]] == words]
        return max((float(span["score"]) for span in same), default=0.0)

    return share(target.label) - (share(target.against) if target.against else 0.0)


def _span_kind(answer: Answer, span: Mapping[str, Any]) -> TargetKind:
    return "span" if span["label"] == answer.get("label") else "tag"


def _named(name: str, answer: Answer, offered: Sequence[Target]) -> Target:
    found = next((target for target in offered if target.label == name and not target.against), None)
    if found is not None:
        return found
    place = str(answer.get("text", "")).find(name)
    if offered[0].kind == "phrase" and name and place >= 0:
        return Target("phrase", name, place, place + len(name))
    raise UnknownError("class or stretch", name, [target.label for target in offered if not target.against])
