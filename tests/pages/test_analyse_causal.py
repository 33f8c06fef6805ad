"""Output reading and causal tests on the Analyse page."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lmcore.analysis import keep_lens, train_lens
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Settings
from tests.analysis.inside import ASKED, model

PAGE = "3_Analyse.py"
TEXT = "we had some bread and soup today"
OTHER = "we had some rain and soup today"
NEXT = ASKED["llama"][0]


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def shown(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


@pytest.fixture
def speaking(filled: Any, home: Settings) -> str:
    """A registered decoder that completes texts."""
    folder, loaded = home.workspace.models / "speaker", model("llama")
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return str(ModelRegistry(home.workspace).register("speaker", folder, task="completion", facts={}).ref)


def test_the_layers_of_a_classifier_are_read(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Output reading")
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("What each layer would say. At 'the whole text' the model says ")
    assert any("trained to read the last layer alone" in caption.value for caption in app.caption)
    assert any(alt.startswith("What adds most: ") for alt in words(app))
    assert shown(app)["Sum of all parts"].startswith(("+", "-"))


def test_the_layers_of_a_decoder_are_read_by_place(open_app: Any, speaking: str) -> None:
    app = open_app(PAGE, version=speaking, text=NEXT, analyse_view="Output reading", analyse_lens_colour="Entropy")
    assert not app.exception
    assert not app.error
    assert app.segmented_control(key="analyse_lens_colour").value == "entropy"
    place = next(box for box in app.selectbox if box.label == "Follow")
    before = words(app)[1]
    app = place.select("2").run()
    assert not app.exception
    assert words(app)[1] != before
    app = app.text_input(key="analyse_against").set_value(" is").run()
    assert not app.exception
    assert not app.error


def test_a_tuned_lens_is_chosen_once_there_is_one(open_app: Any, speaking: str, home: Settings) -> None:
    app = open_app(PAGE, version=speaking, text=NEXT, analyse_view="Output reading", analyse_lens="Tuned lens")
    assert not app.exception
    assert "Train" in [button.label for button in app.button]
    assert not words(app)
    from lmcore.models import load_model

    lens = train_lens(load_model(speaking, settings=home), [NEXT] * 4, steps=2, tokens=40, batch=8)
    keep_lens(home.workspace, lens)
    app.run()
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("What each layer would say.")


def test_two_texts_are_patched(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Causal tests")
    assert not app.exception
    start = app.text_area(key="analyse_corrupted").value
    assert start != TEXT
    assert len(start.split()) == len(TEXT.split())
    app = app.text_area(key="analyse_corrupted").set_value(TEXT).run()
    assert app.info[0].value.startswith("Change a word of the corrupted text")
    app = app.text_area(key="analyse_corrupted").set_value(OTHER).run()
    assert any("The model runs " in caption.value for caption in app.caption)
    assert not words(app)
    app = press(app, "Patch")
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("Effect of patching. The largest is ")
    assert set(shown(app)) == {"Value for the clean text", "Value for the corrupted text"}
    app = app.checkbox(key="analyse_whole").check().run()
    assert not words(app)  # another test has to be begun anew


def test_texts_that_cannot_be_patched_are_told_in_one_sentence(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Causal tests", analyse_corrupted=f"{TEXT} and more")
    app = press(app, "Patch")
    assert not app.exception
    assert "tokens and the corrupted one" in app.error[0].value


def test_parts_are_taken_out(open_app: Any, filled: Any) -> None:
    app = open_app(PAGE, text=TEXT, analyse_view="Causal tests", analyse_test="Ablation", analyse_ablated="Layers")
    assert not app.exception
    assert app.selectbox(key="analyse_ablated").options == ["Heads", "Attention", "MLP", "Layers", "Tokens"]
    app = press(app, "Take out")
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("What moves the value most when it is taken out: all of layer ")
    app = app.selectbox(key="analyse_reference").select(filled.split).run()
    app = press(app, "Take out")
    assert not app.exception
    assert words(app)


def test_an_answer_is_steered(open_app: Any, speaking: str) -> None:
    app = open_app(PAGE, version=speaking, text=NEXT, analyse_view="Causal tests", analyse_test="Steering")
    assert not app.exception
    assert app.text_area(key="analyse_towards").value.startswith("I love this")
    app = app.text_area(key="analyse_away").set_value("").run()
    assert app.info[0].value.startswith("Give at least one text in each set")
    app.text_area(key="analyse_towards").set_value("Anna told us on day 1\nAnna told us on day 2")
    app.text_area(key="analyse_away").set_value("Ben told us on day 1")
    app = app.run()
    app = press(app, "Steer")
    assert not app.exception
    assert not app.error
    assert words(app)[0].startswith("The value goes from ")
    assert [heading.value for heading in app.subheader] == ["Before", "After"]
