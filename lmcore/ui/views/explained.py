"""What the views that look inside ask for first: what is to be explained, and beside which other text."""

from dataclasses import replace

import streamlit as st

from lmcore.tasks import load_task
from lmcore.types import Input, Prediction, Target
from lmcore.ui import cache, linked, places, show
from lmcore.ui.targets import offered_choice, read_of


def target_choice(version: str, text: Input, key: str, *, output: str = "") -> tuple[Target, str]:
    """Ask what is to be explained about a text; a token can be held against any other.

    Args:
        version: which model.
        text: what it reads.
        key: unique on the page.
        output: what the model is taken to have written; its own where empty.

    Returns:
        The target, and what the model wrote, empty where its task writes nothing.
    """
    prediction, task, writes = _predicted(cache.workspace_root(), version, _frozen(text))
    prediction = Prediction(prediction.id, text=output) if writes and output else prediction
    kind = load_task(task)
    read = read_of(kind, text)
    targets = [*kind.targets(prediction), *kind.passed_over(prediction, read)]
    if not targets:
        st.info("The model predicts nothing here that could be explained: take another text.")
        st.stop()
    target = offered_choice(targets, prediction, read, f"{key}_target_{hash(tuple(targets))}")
    if target.kind in ("token", "phrase") and not target.against:
        other = linked.text(
            "Rather than",
            places.AGAINST,
            height=0,
            help="Another token that could stand there; a space before it counts. Empty explains the target alone.",
        )
        target = replace(target, against=other)
    return target, prediction.text if writes else ""


def thawed(text: "str | tuple[tuple[str, str], ...]") -> Input:
    """Return a text, or the columns of one, from the form in which it keys a cache."""
    return text if isinstance(text, str) else dict(text)


def frozen(text: Input) -> "str | tuple[tuple[str, str], ...]":
    """Return a text, or the columns of one, in a form that keys a cache."""
    return _frozen(text)


def other_text(version: str, text: Input, key: str, label: str, *, as_long: bool = False) -> Input:
    """Ask for another text beside the first; it begins as the first with one word changed.

    Args:
        version: the model that reads both.
        text: the first.
        key: unique on the page, and the name in the link.
        label: of the field.
        as_long: begin with a text of as many tokens, where there is one.
    """
    start = thawed(_second(cache.workspace_root(), version, _frozen(text), as_long))
    columns = {"": start} if isinstance(start, str) else dict(start)
    found = {
        name: linked.text(f"{label}: {name}" if name else label, f"{key}_{name}" if name else key, value)
        for name, value in columns.items()
    }
    return found[""] if isinstance(text, str) else found


def part_names(version: str) -> tuple[str, ...]:
    """Return the kinds of parts that a model has.

    Raises:
        OptionError: its parts are not known.
    """
    return _parts(cache.workspace_root(), version)


def said(prediction: Prediction) -> str:
    """Return what was predicted in a few words, so that Markdown shows it as it is."""
    words = prediction.text or prediction.label or ", ".join(span.label for span in prediction.spans) or "nothing"
    return show.plain(words)


def _frozen(text: Input) -> "str | tuple[tuple[str, str], ...]":
    return text if isinstance(text, str) else tuple(text.items())


@st.cache_data(show_spinner="Predicting …")
def _predicted(root: str, version: str, text: "str | tuple[tuple[str, str], ...]") -> tuple[Prediction, str, bool]:
    from lmcore.models import predict_texts

    with cache.pool().lease(version) as loaded:
        writes = load_task(loaded.task).adapted(loaded.model.config).decoding(loaded) is not None
        return predict_texts(loaded.widest, [thawed(text)])[0], loaded.task, writes


@st.cache_data(show_spinner=False)
def _second(
    root: str, version: str, text: "str | tuple[tuple[str, str], ...]", as_long: bool
) -> "str | tuple[tuple[str, str], ...]":
    from lmcore.analysis.causal.second_texts import second_text

    with cache.pool().lease(version) as loaded:
        return _frozen(second_text(loaded, thawed(text), as_long=as_long))


@st.cache_data(show_spinner=False)
def _parts(root: str, version: str) -> tuple[str, ...]:
    from lmcore.models.components import components

    with cache.pool().lease(version) as loaded:
        return tuple(dict.fromkeys(part.kind for part in components(loaded.model)))
