"""The parts of the Attention view, on the page and on an encoder-decoder."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

PAGE = "3_Analyse.py"


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def said(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*app.caption, *app.info, *app.markdown])


def clean(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error
    return app


@pytest.fixture
def open_part(open_app, filled) -> Callable[..., AppTest]:
    def open_part(part: str, text: str = "rain and bread on the train", **query: str) -> AppTest:
        return clean(open_app(PAGE, analyse_view="Attention", text=text, analyse_attention_part=part, **query))

    return open_part


def test_all_heads_are_shown_with_the_warning(open_part):
    app = open_part("Maps")
    assert "it is no explanation of the answer by itself" in said(app)
    alts = words(app)
    assert any(alt.startswith("Where all heads look: 2 layers of 4 heads") for alt in alts)
    assert any(alt.startswith("How far each head looks: the farthest look is that of head") for alt in alts)


def test_roles_of_a_text_and_over_a_data_set(open_part, filled):
    app = open_part("Roles")
    assert any(alt.startswith("The strongest role of each head") for alt in words(app))
    assert any(alt.startswith("Previous token: score of each head: the highest score") for alt in words(app))
    assert "Over 1 text." in said(app)
    app = clean(app.selectbox(key="analyse_role").set_value("induction").run())
    assert any(alt.startswith("Induction: score of each head: the highest score") for alt in words(app))
    app = clean(app.segmented_control(key="analyse_roles_over").set_value("data").run())
    assert "Over 12 texts." in said(app)


def test_flow_to_one_token_and_to_all(open_part):
    app = open_part("Flow")
    assert any(alt.startswith("What token 1, '[CLS]', takes from each input token: by rollout") for alt in words(app))
    app.number_input[0].set_value(2)
    app = clean(app.toggle(key="analyse_flow_all").set_value(True).run())
    assert any(alt.startswith("What token 2, 'rain', takes") for alt in words(app))
    assert any(alt.startswith("Attention flow.") for alt in words(app))


def test_contributions_of_all_tokens_and_of_one(open_part):
    app = open_part("Contributions")
    alts = words(app)
    assert any(
        alt.startswith("Of what the stream of all tokens, on the mean, consists. What adds most is") for alt in alts
    )
    assert any(alt.startswith("After the attention of layer 2, token by token. The largest share") for alt in alts)
    app.number_input[0].set_value(2)
    app = clean(app.segmented_control(key="analyse_contribution_block").set_value("mlp").run())
    assert any(alt.startswith("Of what the stream of token 2, 'rain', consists") for alt in words(app))
    assert any(alt.startswith("After the MLP of layer 2, token by token") for alt in words(app))


def test_importance_says_what_it_costs_and_runs_when_asked(open_part):
    app = open_part("Importance")
    app = clean(app.selectbox(key="analyse_importance").set_value("ablation").run())
    assert app.button(key="analyse_judge_heads").label == "Judge the heads (9 passes of the model)"
    assert "Nothing was run yet" in said(app)
    assert not words(app)
    app = clean(app.button(key="analyse_judge_heads").click().run())
    assert any(alt.startswith("What hangs on each head: the largest is that of head") for alt in words(app))
    assert re.search(r"Judged by: \w+\. How much it falls without the head, in logits\.", said(app))
    app = clean(app.selectbox(key="analyse_importance").set_value("gradient").run())
    assert app.button(key="analyse_judge_heads").label == "Judge the heads (3 passes of the model)"
    assert not words(app)


class _Pool:
    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    @contextmanager
    def lease(self, version: str) -> Iterator[Any]:
        yield self._loaded


def _view(text: str) -> None:
    from lmcore.ui.views.attention import draw

    draw("models:/numbers/1", text)


@pytest.fixture
def translator(home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    from tests.analysis.readers import reader

    pool = _Pool(reader("translation"))
    monkeypatch.setattr("lmcore.ui.cache.pool", lambda: pool)

    def open_view(**query: str) -> AppTest:
        app = AppTest.from_function(_view, default_timeout=60, args=("one two three",))
        app.query_params.update(query)
        return clean(app.run())

    return open_view


def test_an_encoder_decoder_shows_cross_attention_first(translator):
    app = translator(analyse_attention_output="eins zwei")
    assert "Written: **eins zwei**" in said(app)
    assert any(
        alt.startswith("Attention in layer 1, all heads averaged. The strongest link goes from") for alt in words(app)
    )
    assert any(alt.startswith("Attention rollout to the source.") for alt in words(app))
    assert "from what was written before it" in said(app)
    app = clean(app.segmented_control(key="analyse_attention_kind").set_value("decoder").run())
    assert any(alt.startswith("How far each head looks") for alt in words(app))


def test_contributions_to_what_an_encoder_decoder_writes(translator):
    app = translator(analyse_attention_part="Contributions", analyse_attention_output="eins zwei")
    assert "Written: **eins zwei**" in said(app)
    app = clean(app.segmented_control(key="analyse_contribution_block").set_value("cross_attention").run())
    assert any(alt.startswith("After the cross-attention of layer 1, token by token") for alt in words(app))


@pytest.mark.parametrize(
    ("part", "told"), [("Roles", "Roles are those of self-attention"), ("Flow", "through one stack")]
)
def test_what_cross_attention_does_not_have_is_said(translator, part, told):
    assert told in said(translator(analyse_attention_part=part, analyse_attention_output="eins"))
