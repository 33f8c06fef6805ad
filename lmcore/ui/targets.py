"""What to explain: the choices that a prediction offers, named so that people know them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from lmcore.models.load import LoadedModel
from lmcore.tasks.base import Task
from lmcore.tasks.bio import OUTSIDE
from lmcore.tasks.links import LinkName
from lmcore.types import Input, Prediction, Target
from lmcore.ui import places, state
from lmcore.ui.links import link_choice


def read_of(task: Task, text: Input) -> str:
    """Return the text in which the stretches of a task's predictions stand: the last one, where the task names none."""
    if isinstance(text, str):
        return text
    return text[task.spans_in] if task.spans_in else list(text.values())[-1]


def target_choice(
    task: Task, loaded: LoadedModel, prediction: Prediction, read: str, text: Input = ""
) -> Target | None:
    """Ask what is to be explained, and rather than what.

    Args:
        task: the model's.
        loaded: the model.
        prediction: what it says.
        read: the text in which places are, for naming them.
        text: all that the model reads.

    Returns:
        The target; None where there is nothing to be explained.
    """
    offered = [*task.targets(prediction), *task.passed_over(prediction, read)]
    found = pick_target(offered, prediction, read, lambda target: task.rivals(loaded, target))
    return link_choice(task, loaded, found, text) if found is not None and found.kind == "link" else found


def pick_target(
    offered: Sequence[Target], prediction: Prediction, read: str, rivals_of: Callable[[Target], Sequence[str]]
) -> Target | None:
    """Ask which of the targets that a prediction offers is to be explained, and rather than what.

    Args:
        offered: the targets.
        prediction: what the model says.
        read: the text in which places are, for naming them.
        rivals_of: gives the labels of which exactly one holds, the target's among them.
    """
    if not offered:
        return None
    key = f"analyse_target_{prediction.label}_{abs(hash((prediction.text, len(offered))))}"
    target = offered_choice(offered, prediction, read, key)
    rivals = [label for label in rivals_of(target) if label != target.label]
    against = _rather_than(target, rivals)
    return replace(target, against=against) if against else target


def offered_choice(offered: Sequence[Target], prediction: Prediction, read: str, key: str) -> Target:
    """Ask which of some targets is to be explained; the link carries it by what it is, not as it is asked.

    Args:
        offered: the targets; at least one.
        prediction: what the model says.
        read: the text in which places are, for naming them.
        key: unique on the page.
    """
    places.output_is(prediction.text if any(target.kind == "phrase" for target in offered) else "")
    names = distinct([target_name(target, prediction, read) for target in offered])
    links = distinct([_link_name(target) for target in offered])
    wanted = state.chosen("target")
    index = next((found.index(wanted) for found in (links, names) if wanted in found), 0)
    index = names.index(st.selectbox("What to explain", names, index=index, key=places.key(key)))
    state.choose("target", links[index] if index else "")
    places.target_is(links[index])
    return offered[index]


def _link_name(target: Target) -> str:
    """Return what the link calls a target; of a phrase its place says it all."""
    label = "" if target.kind == "phrase" else f":{target.label}"
    place = f"@{target.start}-{target.end}" if target.end else ""
    against = f"~{target.against}" if target.against else ""
    return f"{target.kind}{label}{place}{against}"


def target_name(target: Target, prediction: Prediction, read: str) -> str:
    """Return a target as a question."""
    against = f" rather than {target.against}" if target.against else ""
    if target.kind == "phrase":
        whole = target.start == 0 and target.end == len(prediction.text)
        return "Why all of it" if whole else f"Why “{target.label}”{against}"
    if target.kind == "link":
        link = LinkName.parse(target.label)
        number = prediction.text.split().index(f"{link.source}-{link.target}")
        return f"Why “{read[target.start : target.end]}” – “{prediction.spans[number].label}”"
    if target.kind == "token":
        return f"Why “{target.label.strip() or target.label}”{against}"
    if target.kind == "tag":
        label = "nothing" if target.label == OUTSIDE else target.label
        return f"Why {label} at “{read[target.start : target.end]}”{against}"
    if target.kind == "span" and target.end:
        words = f"“{read[target.start : target.end]}”"
        said = {"start": f"it begins where {words} does", "end": f"it ends where {words} does"}
        return f"Why {said.get(target.label, words)}{against}"
    return f"Why {target.label}{against}"


def measure_of(target: Target) -> str:
    """Return the unit of a target's value."""
    if target.kind == "link":
        return LinkName.parse(target.label).measure
    return "nats" if target.kind == "phrase" and not target.against else "logits"


def _rather_than(target: Target, rivals: Sequence[str]) -> str:
    """Ask for what the target is held against; an output's word may be held against any other."""
    if target.against:
        return ""
    free = target.kind in ("phrase", "token")
    if not rivals and not free:
        return ""
    key = places.key(f"{places.AGAINST}_{target.kind}_{target.label}_{target.start}")
    wanted = st.query_params.get(places.AGAINST, "")
    if key not in st.session_state and wanted and (free or wanted in rivals):
        st.session_state[key] = wanted
    chosen = st.selectbox(
        "Rather than",
        rivals,
        index=None,
        placeholder="nothing else",
        accept_new_options=free,
        key=key,
        help="Explain why the one rather than the other; of a word that was written, its first token counts.",
    )
    if chosen:
        st.query_params[places.AGAINST] = str(chosen)
    else:
        st.query_params.pop(places.AGAINST, None)
    return str(chosen or "")


def distinct(names: Sequence[str]) -> list[str]:
    """Return names of which none stands twice: later ones are numbered."""
    found: dict[str, None] = {}
    counts: Counter[str] = Counter()
    for name in names:
        unlike = name
        while unlike in found:
            counts[name] += 1
            unlike = f"{name} ({counts[name] + 1})"
        found[unlike] = None
    return list(found)
