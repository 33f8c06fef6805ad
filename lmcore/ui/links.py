"""What is asked about links between two texts: how they are made, by which layer, and one rather than which other."""

from dataclasses import replace
from typing import Any

import streamlit as st

from lmcore.models.linking import ALIGNMENT
from lmcore.models.load import LoadedModel
from lmcore.tasks.alignment import TextAlignment
from lmcore.tasks.base import Task
from lmcore.tasks.links import MEASURES, LinkName, word_stretches
from lmcore.types import Input, Target
from lmcore.ui import linked, places, show
from lmcore.ui.forms import method_choice, option_fields


def linking_method() -> tuple[str, dict[str, Any]]:
    """Ask how links are made of similarities; returns the method and its options."""
    method = method_choice("Method", ALIGNMENT, "alignment_method", in_link=True)
    if not ALIGNMENT[method].options:
        return method, {}
    with st.expander("Settings", icon=":material/tune:"):
        return method, option_fields(ALIGNMENT[method].options, f"alignment_{method}", in_link=True)


def link_choice(task: Task, loaded: LoadedModel, target: Target, text: Input) -> Target:
    """Ask for the layer and the measure of a link, and for another word of the second text that it is held against.

    Args:
        task: the model's.
        loaded: the model.
        target: a link that was found.
        text: both texts by column, the first and the second.
    """
    link = LinkName.parse(target.label)
    first, second = show.side_by_side(narrowest=150)
    usual = TextAlignment().layer_of(loaded)
    with first:
        layer = st.slider(
            "Layer (0: embeddings)", 0, loaded.layers, usual, key=f"link_layer_{loaded.layers}", bind="query-params",
            help="Whose word vectors are compared; at first the one that the version links words by.",
        )  # fmt: skip
    with second:
        measure = st.segmented_control(
            "Value", MEASURES, default=link.measure, key="link_measure", required=True, bind="query-params",
            help="The cosine of both words' vectors, or the link's probability in both directions.",
        )  # fmt: skip
    other = _other_word(link, text)
    against = "" if other is None else str(LinkName(link.source, other))
    return replace(target, label=str(replace(link, layer=int(layer), measure=str(measure))), against=against)


def _other_word(link: LinkName, text: Input) -> int | None:
    """Ask for a word of the second text; None for no other."""
    read = text if isinstance(text, str) else list(text.values())[-1]
    words = [read[start:end] for start, end in word_stretches(read, raw=True)]
    words_at = {str(place): f"{word} (word {place + 1})" for place, word in enumerate(words) if place != link.target}
    found = linked.select(
        "Rather than", ["", *words_at], places.LINK_AGAINST, format_func=lambda place: words_at.get(place, "nothing else"),
        help="Explain why the word is linked with the one rather than with the other.",
    )  # fmt: skip
    return int(found) if found else None
