import numpy as np
import pytest

from lmcore.analysis import head_roles
from lmcore.analysis.attention.maps import attention_maps
from lmcore.analysis.attention.role_scores import HEAD_ROLES, RoleTokens, role_sums
from lmcore.analysis.attention.roles import NO_ROLE, HeadRoles
from lmcore.errors import Cancelled, InputError, OptionError, ResourceError
from lmcore.types import Silent
from tests.analysis.readers import reader

TEXTS = ["Anna told us on day 7 that nothing is as good as apples", "Ben told us", "Eva and Dan"]


def plant(loaded, layer: int, *, back: int) -> None:
    """Let every head of a small Llama's layer look a number of tokens back, through positions alone."""
    import torch

    attention = loaded.model.base_model.layers[layer].self_attn

    def forward(hidden_states, position_embeddings=None, attention_mask=None, **rest):
        batch, size = hidden_states.shape[:2]
        goal = (torch.arange(size) - back).clamp(min=0)
        weights = torch.nn.functional.one_hot(goal, size).float().expand(batch, 4, size, size)
        return attention.o_proj(hidden_states), weights

    attention.forward = forward


def test_scores_over_texts_are_means_over_all_their_tokens():
    loaded = reader("text-classification")
    found = head_roles(loaded, TEXTS, batch_size=2)
    sums, rows = 0.0, 0
    for text in TEXTS:
        maps = attention_maps(loaded, text)
        own = RoleTokens(maps.text_tokens.ids, maps.text_tokens.special, False)
        more, count = role_sums(maps.attentions, own, ["previous_token", "delimiter"])
        sums, rows = sums + more, rows + count
    assert found.score("previous_token") == pytest.approx(sums[0] / rows[0], abs=1e-5)
    assert found.score("delimiter") == pytest.approx(sums[1] / rows[1], abs=1e-5)
    assert found.scores.shape == (len(HEAD_ROLES), 2, 4)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert found.texts == 3
    assert found.rows[found.roles.index("previous_token")] == rows[0]


def test_texts_are_read_alike_whatever_the_batch():
    loaded = reader("text-generation")
    one, many = (head_roles(loaded, TEXTS, batch_size=size) for size in (1, 8))
    assert one.scores == pytest.approx(many.scores, abs=1e-5)
    assert one.fingerprint == many.fingerprint
    assert head_roles(loaded, TEXTS, seed=1).fingerprint != one.fingerprint


def test_heads_that_were_planted_in_a_decoder_are_found(monkeypatch):
    """One layer looks at the token before; with sequences of ten the other finds the one after the earlier occurrence."""
    from lmcore.analysis.attention import run

    monkeypatch.setattr(run, "check_parity", lambda *given: None)  # plain and eager runs differ by design
    loaded = reader("text-generation")
    plant(loaded, 0, back=1)
    plant(loaded, 1, back=9)
    found = head_roles(loaded, TEXTS[:1], length=10)
    strongest = found.strongest().set_index(["layer", "head"])["role"]
    assert set(strongest.loc[1]) == {"previous_token"}
    assert set(strongest.loc[2]) == {"induction"}
    assert found.score("previous_token")[0] == pytest.approx(np.ones(4))
    assert found.score("induction")[1] == pytest.approx(np.ones(4))


def test_the_decoder_of_an_encoder_decoder_has_roles_too():
    loaded = reader("translation")
    found = head_roles(loaded, ["one two three"], kind="decoder")
    assert found.kind == "decoder"
    assert not found.score("next_token").any()
    assert found.score("previous_token").any()
    with pytest.raises(InputError, match="Roles are those of self-attention, and not cross"):
        head_roles(loaded, ["one"], kind="cross")


def test_pairs_are_read_through_the_task():
    rows = [{"question": "who told us", "context": TEXTS[0]}, {"question": "who", "context": TEXTS[1]}]
    assert head_roles(reader("question-answering"), rows).texts == 2


def named(scores: dict[str, float]) -> str:
    values = np.array([[[scores.get(name, 0.0)]] for name in HEAD_ROLES])
    found = HeadRoles(tuple(HEAD_ROLES), values, np.ones(len(HEAD_ROLES)), 1, "encoder", {}, "f")
    return str(found.strongest()["role"].iloc[0])


def test_a_role_where_a_head_rests_is_named_only_if_no_other_is_clear():
    assert named({"first_token": 0.9, "induction": 0.5}) == "induction"
    assert named({"first_token": 0.9, "induction": 0.3}) == "first_token"
    assert named({"first_token": 0.3, "induction": 0.2}) == NO_ROLE
    assert named({"first_token": float("nan"), "own_token": 0.8}) == "own_token"


def test_a_text_too_short_for_a_role_has_no_score_for_it():
    loaded = reader("text-generation")
    found = head_roles(loaded, ["Anna"])
    size = len(attention_maps(loaded, "Anna").tokens)
    assert np.isnan(found.score("first_token")).all() == (size < 3)
    frame = found.to_frame()
    assert len(frame) == len(HEAD_ROLES) * 8
    assert (frame["layer"].min(), frame["head"].max()) == (1, 4)


@pytest.mark.parametrize(
    ("texts", "options", "kind", "said"),
    [
        ([], {}, InputError, "no text"),
        (["a", "  "], {}, InputError, "The text is empty"),
        (["a", {"text": "b"}], {}, InputError, "mixed"),
        (["a"], {"length": 1}, OptionError, "random sequence of two tokens"),
        (TEXTS, {"max_bytes": 100}, ResourceError, "give a text of at most"),
    ],
)
def test_what_cannot_be_read_is_refused(texts, options, kind, said):
    with pytest.raises(kind, match=said):
        head_roles(reader("text-classification"), texts, **options)


def test_the_work_stops_when_asked():
    class Stop(Silent):
        def check(self):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        head_roles(reader("text-classification"), TEXTS, report=Stop())
