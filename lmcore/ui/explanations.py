"""Analyses that pages show, kept by version, text and parameters so that a rerun computes nothing twice."""

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from lmcore.types import Prediction, Report, Target
from lmcore.ui import cache

if TYPE_CHECKING:
    from lmcore.analysis.attention import AttentionMaps
    from lmcore.analysis.attribution import Attribution
    from lmcore.analysis.probing import ProbeResult
    from lmcore.analysis.similarity import LayerSimilarity

ENTRIES = 32


def predict(version: str, text: str) -> Prediction:
    """Return a version's prediction of one text."""
    return _predict(_root(), version, text)


def attribution(
    version: str, text: str, target: Target, method: str, options: tuple[tuple[str, Any], ...]
) -> "Attribution":
    """Return the attribution of one text towards a target."""
    return _attribution(_root(), version, text, target, method, options)


def attention(version: str, text: str) -> "AttentionMaps":
    """Return every head's attention over one text."""
    return _attention(_root(), version, text)


def rollout(version: str, text: str) -> np.ndarray:
    """Return the attention rollout over one text, shape (tokens, tokens)."""
    from lmcore.analysis import attention_rollout

    rolled: np.ndarray = attention_rollout(attention(version, text).attentions)
    return rolled


def activation_norms(version: str, text: str) -> tuple[list[str], np.ndarray]:
    """Return one text's tokens, and the norm of each token's vector at each layer, shape (layers + 1, tokens)."""
    return _activation_norms(_root(), version, text)


def similarity(version: str, ref: str, rows: int, report: Report) -> "LayerSimilarity":
    """Return how alike the layers are over the test split of a data set."""
    return _similarity(_root(), version, ref, rows, report)


def probe(version: str, ref: str, report: Report) -> "ProbeResult":
    """Return how well a linear probe reads the labels of a data set off each layer."""
    return _probe(_root(), version, ref, report)


def _root() -> str:
    return str(cache.settings().workspace.root)


@st.cache_resource(max_entries=ENTRIES, show_spinner="Predicting …")
def _predict(root: str, version: str, text: str) -> Prediction:
    from lmcore.models import predict_texts

    with cache.pool().lease(version) as loaded:
        return predict_texts(loaded, [text])[0]


@st.cache_resource(max_entries=ENTRIES, show_spinner="Explaining …")
def _attribution(
    root: str, version: str, text: str, target: Target, method: str, options: tuple[tuple[str, Any], ...]
) -> "Attribution":
    from lmcore.analysis import attribute

    with cache.pool().lease(version) as loaded:
        return attribute(loaded, text, target, method=method, **dict(options))


@st.cache_resource(max_entries=ENTRIES, show_spinner="Reading the attention …")
def _attention(root: str, version: str, text: str) -> "AttentionMaps":
    from lmcore.analysis import attention_maps

    with cache.pool().lease(version) as loaded:
        return attention_maps(loaded, text)


@st.cache_resource(max_entries=ENTRIES, show_spinner="Reading the activations …")
def _activation_norms(root: str, version: str, text: str) -> tuple[list[str], np.ndarray]:
    from lmcore.analysis import extract_activations

    with cache.pool().lease(version) as loaded:
        found = extract_activations(loaded, [text])
    return list(found.tokens(0)), found.norms(0)


@st.cache_resource(max_entries=8, show_spinner=False)
def _similarity(root: str, version: str, ref: str, rows: int, _report: Report) -> "LayerSimilarity":
    from lmcore.analysis import layer_similarity

    texts = cache.dataset(ref).part("test").frame["text"].head(rows).tolist()
    with cache.pool().lease(version) as loaded:
        return layer_similarity(loaded, texts, report=_report)


@st.cache_resource(max_entries=8, show_spinner=False)
def _probe(root: str, version: str, ref: str, _report: Report) -> "ProbeResult":
    from lmcore.analysis import probe_layers

    data = cache.dataset(ref)
    frames = {split: data.part(split).frame for split in ("train", "dev", "test")}
    with cache.pool().lease(version) as loaded:
        return probe_layers(loaded, frames["train"], frames["dev"], frames["test"], seed=0, report=_report)
