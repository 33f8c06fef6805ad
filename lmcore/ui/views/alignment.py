"""Which words of two texts a version's encoder holds to belong together; over a data set, how often it is wrong."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.charts import alignment as charts
from lmcore.charts.figure import Figure
from lmcore.data.text import is_chinese
from lmcore.types import Report
from lmcore.ui import cache, linked, show
from lmcore.ui.example import example_texts
from lmcore.ui.links import linking_method
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable
from lmcore.ui.views.link_errors import draw_errors

if TYPE_CHECKING:
    from lmcore.analysis.alignment import WordAlignment

LONGEST = 2000
SEEN = {"pair": "A pair", "data": "A data set with gold links"}
_SAMPLES = {False: "sample:words-en-fr", True: "sample:words-zh-en"}


def draw(version: str) -> None:
    """Ask whether a pair or a data set is looked at, and look at it."""
    layers, default, reads_both_ways = _encoder(cache.workspace_root(), version)
    if not reads_both_ways:
        st.info("The words of two texts are linked by an encoder, and this version's model is none: choose another.")
        return
    seen = linked.segments("What is linked", list(SEEN), "alignment_of", format_func=SEEN.__getitem__, hidden=True)
    if seen == "data":
        draw_errors(version)
    else:
        _draw_pair(version, layers, default)


def _draw_pair(version: str, layers: int, default: int) -> None:
    """Ask for two texts, a layer and a method, and show which words are linked."""
    source, target = _texts(version)
    left, right = show.side_by_side()
    with left:
        layer = st.slider(
            "Layer (0: embeddings)", 0, layers, default, key=f"alignment_layer_{layers}", bind="query-params",
            help="Whose word vectors are compared; those in the middle are mostly best.",
        )  # fmt: skip
    with right:
        method, options = linking_method()
    if not source.strip() or not target.strip():
        st.info("Type both texts to see which of their words belong together.")
        return
    asked = cache.workspace_root(), version, source, target, int(layer), method, tuple(sorted(options.items()))
    st.caption("Reads both texts once, and compares every word of one with every word of the other.")
    found = stoppable("Linking the words", "alignment_linking", lambda report: _links(*asked, report))
    if found is None:
        return
    figure = charts.word_links(found)
    _show(found, figure)
    arguments = {"source": source, "target": target, "layer": int(layer), "method": method, "options": options}
    report_button("alignment", version, found, arguments, [figure])


def _texts(version: str) -> tuple[str, str]:
    """Ask for the two texts; those of a pair are there at first."""
    given = _pair(cache.workspace_root(), version)
    texts = []
    for cell, name, label in zip(
        show.side_by_side(), ("source", "target"), ("First text", "Second text, such as its translation"), strict=True
    ):
        with cell:
            texts.append(linked.text(label, f"alignment_{name}", given[name], max_chars=LONGEST, height=90))
    return texts[0], texts[1]


def _show(found: "WordAlignment", figure: Figure) -> None:
    if found.truncated:
        st.warning("A text is longer than the model's limit: the words at its end were not read and have no link.")
    left, right = show.side_by_side()
    with left:
        show.figure(figure, "alignment")
    with right:
        frame = found.to_frame()
        linked = frame[frame["linked"]][["source", "target", "similarity"]]
        if linked.empty:
            st.info("No two words are linked: take another layer or method.")
            return
        st.caption(
            f"{len(linked)} links over {len(found.source)} and {len(found.target)} words, by layer {found.layer}."
        )
        titled = linked.rename(columns={"source": "first text", "target": "second text"})
        show.table(titled, "alignment_links", alt="The linked words with their cosine.", formats={"similarity": "%.3f"})


@st.cache_data(show_spinner="Loading the model …")
def _encoder(root: str, version: str) -> tuple[int, int, bool]:
    """Return a version's number of layers, the one whose vectors it links words by, and whether it is an encoder."""
    from lmcore.analysis.attention.run import attention_kinds
    from lmcore.tasks.alignment import TextAlignment

    with cache.pool().lease(version) as loaded:
        return loaded.layers, TextAlignment().layer_of(loaded), attention_kinds(loaded) == ("encoder",)


@st.cache_data(show_spinner=False)
def _pair(root: str, version: str) -> dict[str, str]:
    """Return two texts to begin with: a test row of the version's own pairs, else of the sample in its language."""
    from lmcore.data import load_dataset

    found = cache.registry().get(version)
    if found.task == "text-alignment":
        return example_texts(version)
    read = " ".join(example_texts(version).values())
    frame = load_dataset(_SAMPLES[is_chinese(read)], task="text-alignment").frame
    row = max(frame.head(20).to_dict("records"), key=lambda row: len(str(row["source"])))
    return {name: str(row[name]) for name in ("source", "target")}


@st.cache_data(show_spinner=False)
def _links(
    root: str,
    version: str,
    source: str,
    target: str,
    layer: int,
    method: str,
    options: tuple[tuple[str, Any], ...],
    _report: Report,
) -> "WordAlignment":
    from lmcore.analysis import align_words

    with cache.pool().lease(version) as loaded:
        return align_words(loaded, source, target, layer=layer, method=method, report=_report, **dict(options))
