import threading
from dataclasses import replace as changed
from typing import Any

import pytest
import torch

from lmcore.errors import InputError, OptionError
from lmcore.models.components import components, head_outputs, projection_bias, record, replace
from lmcore.models.layouts import LAYOUTS, layout_of
from lmcore.models.load import LoadedModel
from lmcore.models.readout import readout
from lmcore.models.stacks import find_stacks
from lmcore.types import ModelRef
from tests.models.families import FAMILIES, family, inputs

CLOSE = 1e-6


def loaded_of(name: str) -> LoadedModel:
    return LoadedModel(ModelRef("folder", name), "", family(name), None, (), "f", "cpu", 0, 32)


@torch.inference_mode()
def recorded(name: str, *kinds: Any) -> tuple[Any, dict[Any, torch.Tensor], Any]:
    model = loaded_of(name).twin()
    with record(model, components(model, *kinds)) as kept:
        out = model(**inputs(model), output_hidden_states=True)
    return model, {(c.kind, c.stack, c.layer): value for c, value in kept.items()}, out


def states_of(out: Any) -> dict[str, Any]:
    if getattr(out, "hidden_states", None) is not None:
        return {"layers": out.hidden_states}
    return {"encoder": out.encoder_hidden_states, "decoder": out.decoder_hidden_states}


def test_every_kind_of_model_that_is_known_is_tested() -> None:
    tested = {family(name).base_model.config.model_type for name in FAMILIES}
    assert tested | {"xlm-roberta", "camembert"} == set(LAYOUTS)  # these two are RoBERTa under another name


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_the_parts_add_up(name: str) -> None:
    model, kept, _ = recorded(name)
    layouts = layout_of(model.base_model.config.model_type)
    for stack in find_stacks(model.base_model):
        layout = layouts[stack.name]
        assert torch.equal(kept["embedding", stack.name, 0], kept["residual", stack.name, 0])
        total = kept["embedding", stack.name, 0].clone()
        for number, layer in enumerate(stack.layers, 1):
            norm = layer.get_submodule
            middle = kept["residual", stack.name, number - 1] + kept["attention", stack.name, number]
            middle = middle if layout.before else norm(layout.attention_norm)(middle)
            if layout.cross:
                middle = middle + kept["cross_attention", stack.name, number]
                middle = middle if layout.before else norm(layout.cross_norm)(middle)
            after = middle + kept["mlp", stack.name, number]
            after = after if layout.before else norm(layout.mlp_norm)(after)
            assert (after - kept["residual", stack.name, number]).abs().max() <= CLOSE * after.abs().max().clamp(min=1)
            total += kept["attention", stack.name, number] + kept["mlp", stack.name, number]
            total += kept.get(("cross_attention", stack.name, number), torch.zeros(()))
        last = kept["residual", stack.name, len(stack)]
        gap = (total - last).abs().max()
        assert (gap <= CLOSE * last.abs().max()) if layout.before else gap > 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_the_residuals_are_the_hidden_states(name: str) -> None:
    model, kept, out = recorded(name, "residual")
    layouts = layout_of(model.base_model.config.model_type)
    for stack, states in states_of(out).items():
        final = layouts[stack].final
        for layer, state in enumerate(states[: -1 if final else None]):
            assert torch.equal(kept["residual", stack, layer], state)
        if final:  # the last of transformers' states has the final norm, and the residual has not
            assert not torch.allclose(kept["residual", stack, len(states) - 1], states[-1])


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_the_heads_add_up_to_their_block_and_the_neurons_to_the_mlp(name: str) -> None:
    model, kept, _ = recorded(name)
    for part in components(model, "heads", "cross_heads"):
        block = "attention" if part.kind == "heads" else "cross_attention"
        values = kept[part.kind, part.stack, part.layer]
        assert values.shape[2] == part.heads == (2 if part.stack == "decoder" and "t5" not in name else 4)
        parts = head_outputs(model, part, values)
        assert parts.shape == (*values.shape[:3], 16)
        bias = projection_bias(model, part)
        found = parts.sum(dim=2) + (0 if bias is None else bias)
        assert torch.allclose(found, kept[block, part.stack, part.layer], atol=CLOSE, rtol=1e-5)
    for part in components(model, "neurons"):
        values = kept["neurons", part.stack, part.layer]
        assert values.shape[-1] == part.width == 24
        found = model.get_submodule(part.path)(values)
        assert torch.equal(found, kept["mlp", part.stack, part.layer])


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_the_last_residual_reads_out_as_the_logits(name: str) -> None:
    model, kept, out = recorded(name, "residual")
    last = max(layer for _, stack, layer in kept if stack != "encoder")
    stack = "decoder" if model.config.is_encoder_decoder else "layers"
    found = readout(model).logits(kept["residual", stack, last])
    assert torch.allclose(found, out.logits, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_what_is_replaced_by_itself_changes_nothing_and_by_zero_changes_the_answer(name: str) -> None:
    model = loaded_of(name).twin()
    plain = model(**inputs(model)).logits
    for part in components(model):
        if part.layer > 1:
            continue
        with replace(model, part, lambda values: values.clone()):
            assert torch.equal(model(**inputs(model)).logits, plain)
        with replace(model, part, torch.zeros_like), record(model, [part]) as kept:
            gap = (model(**inputs(model)).logits - plain).abs().max()
        assert kept[part].abs().max() == 0
        assert gap > 1e-4, str(part)
    assert torch.equal(model(**inputs(model)).logits, plain)


@torch.inference_mode()
def test_one_head_alone_is_taken_out() -> None:
    model = loaded_of("llama").twin()
    heads, block = components(model, "heads", "attention")[:2]
    assert (heads.kind, block.kind, heads.layer, block.layer) == ("heads", "attention", 1, 1)
    with record(model, [heads, block]) as plain:
        model(**inputs(model))
    before = dict(plain)
    mask = torch.tensor([1.0, 1.0, 0.0, 1.0])[:, None]
    with replace(model, heads, lambda values: values * mask), record(model, [block]) as kept:
        model(**inputs(model))
    gone = head_outputs(model, heads, before[heads])[:, :, 2]
    assert torch.allclose(before[block] - kept[block], gone, atol=CLOSE)


def test_a_graph_goes_through_what_is_recorded() -> None:
    model = loaded_of("gpt2").twin()
    (part,) = [p for p in components(model, "residual") if p.layer == 1]
    with replace(model, part, lambda values: values.requires_grad_()), record(model, [part]) as kept:
        model(**inputs(model)).logits[0, -1, 3].backward(inputs=[kept[part]])
    assert kept[part].grad is not None
    assert kept[part].grad[0].abs().max() > 0
    assert kept[part].grad[1].abs().max() == 0


def test_hooks_go_with_an_error_and_leave_the_model_as_it_was() -> None:
    model = loaded_of("bert").twin()
    (part, *_) = components(model, "mlp")

    def stop(values: torch.Tensor) -> torch.Tensor:
        raise InputError("Stop.")

    with pytest.raises(InputError), replace(model, part, stop):
        model(**inputs(model))
    assert not any(module._forward_hooks for module in [model.get_submodule(part.path)])


def test_two_users_of_one_model_do_not_meet_each_other() -> None:
    """One ablates and one steers on twins while a third runs the model itself."""
    loaded = loaded_of("llama")
    batch = inputs(loaded.model)
    (part,) = [p for p in components(loaded.model, "mlp") if p.layer == 1]
    ways = {"zero": torch.zeros_like, "more": lambda values: values + 1.0}

    def run(way: str) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            model = loaded.twin()
            with replace(model, part, ways[way]), record(model, [part]) as kept:
                return model(**batch).logits, kept[part]

    alone = {way: run(way) for way in ways}
    with torch.inference_mode():
        plain = loaded.model(**batch).logits
    assert not torch.equal(alone["zero"][0], alone["more"][0])
    wrong: list[str] = []
    start = threading.Barrier(3)

    def many(way: str) -> None:
        start.wait()
        for _ in range(30):
            if not all(torch.equal(a, b) for a, b in zip(run(way), alone[way], strict=True)):
                wrong.append(way)

    threads = [threading.Thread(target=many, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    start.wait()
    with torch.inference_mode():
        gaps = [torch.equal(loaded.model(**batch).logits, plain) for _ in range(60)]
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(gaps)


def test_components_are_chosen_by_kind_and_stack() -> None:
    model = family("marian")
    assert [str(p) for p in components(model, "cross_attention")] == [
        f"cross-attention of layer {k} of the decoder" for k in (1, 2, 3)
    ]
    assert {p.layer for p in components(model, "residual", stack="encoder")} == {0, 1, 2}
    assert {p.stack for p in components(family("gpt2"))} == {"layers"}
    assert components(model.base_model, "mlp")[0].path == "encoder.layers.0.fc2"


def test_a_classifier_and_a_model_with_heads_taken_out_are_known(tiny_loaded: LoadedModel) -> None:
    from lmcore.models.heads import attention_blocks

    model = tiny_loaded.twin()
    attention_blocks(model.base_model)[0].keep([0, 2])
    assert [p.heads for p in components(model, "heads")] == [2, 4]
    with pytest.raises(InputError, match="has no language head"):
        readout(model)


def test_what_is_not_known_is_refused() -> None:
    from transformers import XLNetConfig, XLNetModel

    model = XLNetModel(XLNetConfig(vocab_size=20, d_model=16, n_layer=1, n_head=2, d_inner=16))
    with pytest.raises(OptionError, match="The parts of a xlnet model are not known"):
        components(model)
    with pytest.raises(OptionError, match="There is no component logits"):
        components(family("bert"), "logits")  # type: ignore[arg-type]


def test_a_model_in_eight_bits_has_no_heads_to_tell_apart(tiny_loaded: LoadedModel) -> None:
    from lmcore.models.int8 import quantise_linears

    loaded = changed(tiny_loaded, model=tiny_loaded.twin())
    quantise_linears(loaded.model)
    (heads, *_) = components(loaded.model, "heads")
    with pytest.raises(OptionError, match="eight bits"):
        head_outputs(loaded.model, heads, torch.zeros(1, 2, 4, 8))
