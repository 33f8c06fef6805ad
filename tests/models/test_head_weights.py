import pytest
import torch

from lmcore.errors import OptionError
from lmcore.models.head_weights import head_weights
from lmcore.models.stacks import layer_stacks
from tests.models.test_stacks import SIZES, build


@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2", "marian"])
def test_heads_together_hold_all_of_a_layers_matrices(kind):
    base = build(kind).base_model
    layer = layer_stacks(base)[0].layers[1]
    heads = head_weights(layer, base.config)
    assert len(heads) == 2
    assert all([tuple(m.shape) for m in head] == [(8, 16)] * 4 for head in heads)
    query = torch.cat([head[0] for head in heads])
    output = torch.cat([head[3] for head in heads]).T
    names = dict(layer.named_parameters())
    if kind == "gpt2":
        assert torch.equal(query, names["attn.c_attn.weight"][:, :16].T)
        assert torch.equal(output.T, names["attn.c_proj.weight"])
    else:
        path = {"bert": "attention.self.query", "llama": "self_attn.q_proj", "marian": "self_attn.q_proj"}[kind]
        assert torch.equal(query, names[f"{path}.weight"])
        out = {"bert": "attention.output.dense", "llama": "self_attn.o_proj", "marian": "self_attn.out_proj"}[kind]
        assert torch.equal(output, names[f"{out}.weight"])


def test_shared_keys_count_for_each_head_of_their_group():
    import transformers as t

    config = t.LlamaConfig(**{**SIZES, "num_attention_heads": 4}, num_hidden_layers=1, num_key_value_heads=2)
    model = t.LlamaModel(config)
    heads = head_weights(model.layers[0], config)
    assert len(heads) == 4
    keys = model.layers[0].self_attn.k_proj.weight
    for head, weights in enumerate(heads):
        assert torch.equal(weights[1], keys[(head // 2) * 4 : (head // 2 + 1) * 4])


def test_an_architecture_that_is_not_known_is_refused():
    base = build("t5")
    with pytest.raises(OptionError, match="The heads of this t5 model cannot be told apart"):
        head_weights(base.encoder.block[0], base.config)
