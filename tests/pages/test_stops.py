"""Whatever reads one text on the Analyse page says what it costs, can be stopped, and leaves the page usable."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.pages.test_analyse import PAGE, words
from tests.tasks.speakers import speaker

TEXT = "rain and bread"
ATTENTION = {"analyse_view": "Attention", "text": TEXT}
# What the link carries, what is stopped, what is said beforehand, and the chart that is there once it was taken up again.
STOPPED = {
    "attention": (ATTENTION, "attention.maps.read_attention", "The model reads 5 tokens twice", "Where all heads look"),
    "rollout": (ATTENTION, "attention.maps.attention_rollout", "The model reads 5 tokens twice", "Attention rollout"),
    "flow": (
        {**ATTENTION, "analyse_attention_part": "flow"}, "attention.flow.attention_flow",
        "This finds 5 flows, less than a second", "What token 1, '[CLS]', takes",
    ),
    "contributions": (
        {**ATTENTION, "analyse_attention_part": "contributions"}, "residual.shares.stream_contributions",
        "The model reads 5 tokens 3 times", "Of what the stream of all tokens",
    ),
    "neuron": (
        {"analyse_view": "Neurons"}, "neurons.find.neuron_tokens",
        "Reads the 5 texts that it answers to most once more.", "Row ",
    ),
    "pair": (
        {"analyse_view": "Alignment"}, "alignment.align_words", "Reads both texts once",
        "Similarity of the words, and their links.",
    ),
}  # fmt: skip


def said(app: AppTest) -> str:
    return " ".join(str(box.value) for box in app.caption)


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    app = button.click().run()
    assert not app.exception
    assert not app.error
    return app


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


@pytest.mark.parametrize("name", STOPPED)
def test_it_can_be_stopped_and_begun_again(open_app, filled, monkeypatch, name):
    link, work, cost, chart = STOPPED[name]
    with monkeypatch.context() as patch:
        patch.setattr(f"lmcore.analysis.{work}", lambda *_, **__: st.stop())
        app = press(open_app(PAGE, version=filled.version, dataset=filled.split, **link), "Stop")
    assert "Stopped: nothing was kept." in [box.value for box in app.info]
    assert not any(alt.startswith(chart) for alt in words(app))
    app = press(app, "Start again")
    assert cost in said(app)
    assert any(alt.startswith(chart) for alt in words(app))
    assert not {"Stop", "Start again"} & set(labels(app))


def test_the_parts_of_the_logit_can_be_stopped_while_the_lens_stays(open_app, filled, home, monkeypatch):
    from lmcore.models.registry import ModelRegistry

    loaded = speaker("completion")
    folder = home.workspace.models / "writer"
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    version = str(ModelRegistry(home.workspace).register("writer", folder, task=loaded.task, facts={}).ref)
    with monkeypatch.context() as patch:
        patch.setattr("lmcore.analysis.residual.direct_logits.attribute_logits", lambda *_, **__: st.stop())
        app = press(open_app(PAGE, version=version, text="Anna told us on", analyse_view="Output reading"), "Stop")
    assert "Stopped: nothing was kept." in [box.value for box in app.info]
    before = words(app)
    assert before
    app = press(app, "Start again")
    assert words(app)[: len(before)] == before
    assert len(words(app)) == len(before) + 2
    assert "tokens 4 times; this takes less than 1 MiB of memory." in said(app)


def test_what_is_slow_waits_for_a_click(open_app, filled, monkeypatch):
    monkeypatch.setattr("lmcore.analysis.reading_cost.SLOW", 0.0)
    app = open_app(PAGE, version=filled.version, **ATTENTION)
    assert not app.exception
    assert "The model reads 5 tokens twice" in said(app)
    assert not words(app)
    assert words(press(app, "Read the attention"))[0].startswith("Where all heads look")


def test_maps_that_are_too_large_are_refused_before_anybody_is_asked(open_app, filled, monkeypatch):
    monkeypatch.setattr("lmcore.ui.views.attention.MAX_BYTES", 100)
    app = open_app(PAGE, version=filled.version, **ATTENTION)
    assert not app.exception
    assert ["give a text of at most" in box.value for box in app.error] == [True]
