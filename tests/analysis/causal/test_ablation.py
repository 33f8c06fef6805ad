import numpy as np
import pytest
import torch

from lmcore.analysis import ablate
from lmcore.analysis.asked import ask
from lmcore.analysis.runs import run_tokens, target_values
from lmcore.errors import InputError, OptionError, UnknownError
from tests.analysis.inside import ASKED, model
from tests.tasks.speakers import rule_frame

TEXTS = rule_frame(6)["text"].tolist()


def take_out(name, **options):
    text, _, target, output = ASKED[name]
    return ablate(model(name), text, target, output=output or None, **options)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("part", ["heads", "attention", "mlp", "layers", "tokens"])
def test_each_part_is_taken_out_alone(name, part):
    found = take_out(name, part=part, method="zero")
    assert np.allclose(found.cells["value"] - found.value, found.cells["change"])
    assert found.cells["change"].abs().max() > 1e-3
    assert (found.cells["spread"] == 0).all()
    assert found.runs == len(found.cells) + 3


def test_a_head_without_output_is_a_head_whose_projection_is_zero():
    loaded, (text, _, target, _) = model("llama"), ASKED["llama"]
    found = ablate(loaded, text, target, part="heads", method="zero")
    import copy
    from dataclasses import replace

    changed = copy.deepcopy(loaded.model)
    changed.model.layers[1].self_attn.o_proj.weight[:, 8:16] = 0
    reading = ask(loaded, [text], [target])[0].reading
    with torch.inference_mode():
        out = run_tokens(replace(loaded, model=changed), [reading])
    cell = found.cells[(found.cells["layer"] == 2) & (found.cells["head"] == 2)].iloc[0]
    assert cell["value"] == pytest.approx(target_values(loaded, out, [reading], [target])[0], abs=1e-5)


def test_a_layer_that_adds_nothing_is_passed_over():
    loaded, (text, _, target, _) = model("gpt2"), ASKED["gpt2"]
    found = ablate(loaded, text, target, part="layers", method="zero")
    import copy
    from dataclasses import replace

    changed = copy.deepcopy(loaded.model)
    del changed.transformer.h[0]
    for number, layer in enumerate(changed.transformer.h):
        layer.attn.layer_idx = number
    reading = ask(loaded, [text], [target])[0].reading
    with torch.inference_mode():
        out = run_tokens(replace(loaded, model=changed), [reading])
    assert found.cells["value"].iloc[0] == pytest.approx(target_values(loaded, out, [reading], [target])[0], abs=1e-4)


def test_the_mean_of_one_token_is_the_token_itself():
    """A text of one token is its own mean, and the only thing that can be drawn from it."""
    loaded = model("llama")
    one = ablate(loaded, "Ben", part="layers", method="zero")
    assert one.cells["change"].abs().max() > 1e-3
    tokens = len(one.text_tokens.ids)
    for method in ("mean", "resample"):
        found = ablate(loaded, "Ben", part="layers", method=method)
        assert (found.cells["change"].abs().max() < 1e-5) == (tokens == 1)


def test_the_reference_matters_and_the_seed_draws():
    own, others = take_out("llama"), take_out("llama", reference=TEXTS)
    assert not np.allclose(own.cells["value"], others.cells["value"])
    assert own.fingerprint != others.fingerprint
    first, again, other = (
        take_out("llama", method="resample", reference=TEXTS, seed=seed, draws=3) for seed in (0, 0, 1)
    )
    assert np.array_equal(first.cells["value"], again.cells["value"])
    assert not np.allclose(first.cells["value"], other.cells["value"])
    assert first.cells["spread"].max() > 0
    assert first.runs == 3 * len(first.cells) + 3


def test_cross_attention_is_taken_out():
    heads, whole = take_out("marian", part="cross_heads"), take_out("marian", part="cross_attention", method="zero")
    assert set(heads.cells["stack"]) == {"decoder"}
    assert whole.cells["change"].abs().max() > 1e-3


def test_the_strongest_come_first():
    found = take_out("gpt2", part="heads", method="zero").strongest(3)["change"].abs().tolist()
    assert found == sorted(found, reverse=True)


def test_bad_options_are_refused():
    with pytest.raises(UnknownError, match="There is no part to take out 'soul'"):
        take_out("llama", part="soul")
    with pytest.raises(UnknownError, match="There is no ablation 'fire'"):
        take_out("llama", method="fire")
    with pytest.raises(OptionError, match="The number of draws is 0"):
        take_out("llama", draws=0)
    with pytest.raises(OptionError, match="has no cross-heads"):
        take_out("llama", part="cross_heads")
    with pytest.raises(InputError, match="The text is empty"):
        ablate(model("llama"), "")
