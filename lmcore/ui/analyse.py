"""Pieces of the Analyse page: the text, and what is shown of the model's inside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.methods import ATTRIBUTION
from lmcore.charts import analysis as charts
from lmcore.tasks import load_task
from lmcore.types import Prediction, Target
from lmcore.ui import cache, explanations, show, state
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.progress import PageReport

if TYPE_CHECKING:
    from lmcore.analysis.attribution import Attribution
    from lmcore.analysis.probing import ProbeResult
    from lmcore.analysis.similarity import LayerSimilarity

LINK_LENGTH = 500
MAX_CHARACTERS = 100_000
LAYER_ROWS = 1000
SHOWN_CHARACTERS = 2000
EXAMPLE = "The parcel came a week late and nobody answered my emails."


def text_choice() -> str:
    """Ask for a text: typed, or a row of a data set; the link carries the row's id or a short text."""
    sources = ["Type a text", "Row of a data set"]
    by_row = bool(state.chosen("row")) and not st.query_params.get("text")
    source = st.segmented_control(
        "Text", sources, default=sources[int(by_row)], key="analyse_source", required=True, label_visibility="collapsed"
    )
    return _row_text() if source == sources[1] else _typed_text()


def show_why(version: str, text: str) -> None:
    """Show the prediction, and which tokens speak for and against a class."""
    with cache.pool().lease(version) as loaded:
        prediction = explanations.predict(version, text)
        task = load_task(loaded.task)
    left, right = show.side_by_side()
    with left:
        sure = prediction.probabilities.get(prediction.label, prediction.score)
        st.markdown(f"The model says **{show.plain(prediction.label)}** with {sure:.1%}.")
        show.figure(charts.class_probabilities(prediction.probabilities), "analyse_probabilities")
    with right:
        target = _target_choice(task.targets(prediction), prediction)
        method = method_choice("Method", ATTRIBUTION, "analyse_method", in_link=True)
        with st.expander("Settings", icon=":material/tune:"):
            options = option_fields(ATTRIBUTION[method].options, f"analyse_{method}")
            by_word = st.checkbox("Add the tokens of a word together", value=True, key="analyse_by_word")
    result = explanations.attribution(version, text, target, method, tuple(sorted(options.items())))
    _show_attribution(result, by_word)


def show_attention(version: str, text: str) -> None:
    """Show one head's attention, how widely each head looks, and the rollout through all layers."""
    maps = explanations.attention(version, text)
    layers, heads = maps.attentions.shape[:2]
    st.caption("Attention shows where information may flow; it is no explanation of the answer by itself.")
    left, right = show.side_by_side()
    with left:
        key = f"analyse_attention_{layers}_{heads}"
        layer = st.slider("Layer", 1, layers, layers, key=f"{key}_layer", bind="query-params") if layers > 1 else 1
        head = st.slider("Head (0: all heads averaged)", 0, heads, 0, key=f"{key}_head", bind="query-params")
    with right:
        show.figure(charts.head_entropies(maps.entropies), "analyse_entropy")
    at_layer = maps.attentions[layer - 1]
    weights = at_layer[head - 1] if head else at_layer.mean(axis=0)
    name = f"head {head}" if head else "all heads averaged"
    title = f"Attention in layer {layer}, {name}"
    show.figure(charts.token_by_token(weights, maps.tokens, title=title), f"analyse_attention_{layer}_{head}")
    st.subheader("Rollout")
    st.caption("Attention of all layers multiplied through, with half kept on each token (Abnar & Zuidema 2020).")
    show.figure(
        charts.token_by_token(explanations.rollout(version, text), maps.tokens, title="Attention rollout"),
        "analyse_rollout",
    )


def show_activations(version: str, text: str) -> None:
    """Show how large each token's vector is at each layer."""
    tokens, norms = explanations.activation_norms(version, text)
    st.caption("The length (L2 norm) of each token's vector; colours compare the tokens of one layer.")
    figure = charts.layer_by_token(
        norms, tokens, title="Size of the activations by layer and token", unit="Share of the layer's largest"
    )
    show.figure(figure, "analyse_norms")


def show_layers(version: str) -> None:
    """Show, over a data set, how alike the layers are and how well each can be read by a linear probe."""
    datasets = [str(info.ref) for info in cache.datasets() if info.is_split]
    trained_on = str(cache.registry().get(version).facts.get("data", ""))
    ref = state.pick("dataset", "Data set", datasets, default=trained_on)
    if ref is None:
        st.info("There is no split data set to compare the layers over.")
        return
    left, right = show.side_by_side()
    with left:
        similarity = _similarity(version, ref)
        show.figure(charts.layer_similarity(similarity.matrix), "analyse_cka")
        st.caption(f"Linear CKA of the mean token vectors of {similarity.rows} test texts: 1 is alike up to rotation.")
    with right:
        probe = _probe(version, ref)
        show.figure(charts.probe_accuracy(probe.to_frame(), probe.best_layer), "analyse_probe")
        st.caption("Logistic regression on the frozen mean token vectors; the best layer is chosen on dev.")


def _typed_text() -> str:
    key = "analyse_text"
    if key not in st.session_state:
        st.session_state[key] = state.chosen("text") or EXAMPLE
    text = st.text_area("Text to analyse", key=key, max_chars=MAX_CHARACTERS, height=90)
    state.choose("row", "")
    state.choose("text", text if len(text) <= LINK_LENGTH else "")
    if len(text) > LINK_LENGTH:
        st.caption(f"The link carries texts of up to {LINK_LENGTH} characters; this one is longer.")
    return text


def _row_text() -> str:
    datasets = [str(info.ref) for info in cache.datasets()]
    ref = state.pick("dataset", "Data set", datasets)
    if ref is None:
        st.info("There is no data set to take a row from.")
        return ""
    frame = cache.dataset(ref).frame
    wanted = state.chosen("row")
    ids = frame["id"].astype(int)
    first, last = int(ids.min()) + 1, int(ids.max()) + 1
    there = wanted.isdecimal() and first <= int(wanted) + 1 <= last
    if wanted and not there:
        st.warning(f"The link names a row that is not in this data set: row {first} is shown.")
    start = int(wanted) + 1 if there else first
    number = st.number_input("Row", first, last, start, key=f"analyse_row_{ref}_{wanted}")
    state.choose("text", "")
    state.choose("row", str(int(number) - 1))
    found = frame[ids == int(number) - 1]
    if found.empty:
        st.info(f"Row {number} was dropped in cleaning: choose another.")
        return ""
    row = found.iloc[0]
    with st.container(border=True):
        st.text(str(row["text"])[:SHOWN_CHARACTERS])
        st.caption(f"Labelled {show.plain(str(row['label'])) or 'not at all'}.")
    return str(row["text"])


def _target_choice(targets: Sequence[Target], prediction: Prediction) -> Target:
    names = [f"Why {t.label}" + (f" rather than {t.against}" if t.against else "") for t in targets]
    wanted = state.chosen("target")
    index = names.index(wanted) if wanted in names else 0
    name = st.selectbox("What to explain", names, index=index, key=f"analyse_target_{prediction.label}")
    state.choose("target", "" if name == names[0] else name)
    return targets[names.index(name)]


def _show_attribution(result: "Attribution", by_word: bool) -> None:
    against = f" rather than {result.target.against}" if result.target.against else ""
    frame = result.by_word().rename(columns={"word": "token"}) if by_word else result.to_frame()
    units, scores = frame["token"].tolist(), frame["score"].tolist()
    figure = charts.token_scores(
        units, scores, title=f"What speaks for {result.target.label}{against}", towards=result.target.label,
        away=result.target.against,
    )  # fmt: skip
    if result.truncated:
        st.warning("The text is longer than the model's limit: only its beginning was read.")
    show.figure(figure, "analyse_attribution")
    left, right = show.side_by_side(narrowest=200)
    left.metric("Completeness error", f"{result.completeness_error:.2%}", border=True, help=_COMPLETENESS)
    right.metric("Sum of the scores", f"{sum(scores):+.3f}", border=True, help="In logits, relative to the baseline.")


_COMPLETENESS = (
    "The scores should add up to the model's output for the text less that for the baseline. This is by how much they "
    "miss it, as a share of that difference: above a few percent, don't trust the map."
)


def _similarity(version: str, ref: str) -> "LayerSimilarity":
    with PageReport("Comparing the layers") as report:
        return explanations.similarity(version, ref, LAYER_ROWS, report)


def _probe(version: str, ref: str) -> "ProbeResult":
    with PageReport("Probing the layers") as report:
        return explanations.probe(version, ref, report)
