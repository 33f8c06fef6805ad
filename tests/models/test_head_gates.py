import pytest
import torch

from lmcore.errors import OptionError
from lmcore.models.head_gates import gate_gradients, gated_heads, head_parts
from tests.analysis.readers import TEXT, reader


def logits(loaded, model, copies: int = 1):
    batch = {name: item.repeat(copies, 1) for name, item in loaded.tokenizer(TEXT, return_tensors="pt").items()}
    return model(**batch).logits


def test_each_copy_has_gates_of_its_own():
    loaded = reader("text-classification")
    twin, parts = loaded.twin(), head_parts(loaded.model, "encoder")
    assert [(part.layer, part.heads) for part in parts] == [(1, 4), (2, 4)]
    gates = [torch.ones(2, 4), torch.ones(2, 4)]
    gates[0][1, 2] = 0
    with torch.no_grad():
        plain = logits(loaded, loaded.model)
        with gated_heads(twin, parts, gates):
            found = logits(loaded, twin, copies=2)
        assert torch.allclose(found[0], plain[0], atol=1e-6)
        loaded.model.base_model.encoder.layer[0].attention.output.dense.weight[:, 16:24] = 0
        assert torch.allclose(found[1], logits(loaded, loaded.model)[0], atol=1e-5)
        assert not torch.allclose(found[1], plain[0], atol=1e-5)


def test_a_fill_stands_in_for_what_the_gate_leaves_out():
    loaded = reader("text-classification")
    twin, parts = loaded.twin(), head_parts(loaded.model, "encoder")
    fills = [torch.full((4, 8), 0.5)] * 2
    with torch.no_grad(), gated_heads(twin, parts, [torch.ones(1, 4)] * 2, fills):
        assert torch.allclose(logits(loaded, twin), logits(loaded, loaded.model), atol=1e-6)
    seen = []
    twin.base_model.encoder.layer[1].attention.output.dense.register_forward_hook(
        lambda m, given, out: seen.append(out)
    )
    with torch.no_grad(), gated_heads(twin, parts, [torch.zeros(1, 4)] * 2, fills):
        logits(loaded, twin)
    dense = loaded.model.base_model.encoder.layer[1].attention.output.dense
    assert torch.allclose(seen[0][0, 3], dense(torch.full((32,), 0.5)), atol=1e-5)


def test_gradients_are_without_their_sign():
    gates = [torch.tensor([[1.0, 1.0]], requires_grad=True)]
    value = (gates[0] * torch.tensor([[2.0, -3.0]])).sum()
    assert gate_gradients(value, gates).tolist() == [[[2.0, 3.0]]]


def test_an_encoder_decoder_has_three_kinds_of_heads():
    loaded = reader("translation")
    found = {kind: head_parts(loaded.model, kind) for kind in ("encoder", "decoder", "cross")}
    assert {part.stack for part in found["encoder"]} == {"encoder"}
    assert {part.kind for part in found["decoder"]} == {"heads"}
    assert {part.kind for part in found["cross"]} == {"cross_heads"}


def test_a_model_whose_parts_are_not_known_is_refused():
    loaded = reader("text-classification")
    loaded.model.base_model.config.model_type = "strange"
    with pytest.raises(OptionError):
        head_parts(loaded.model, "encoder")
