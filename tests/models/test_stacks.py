from typing import Any

import pytest
import torch

from lmcore.errors import OptionError
from lmcore.models.stacks import keep_layers, layer_stacks
from lmcore.models.structure import note

SIZES = {"vocab_size": 30, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}


def build(kind: str) -> Any:
    import transformers as t

    torch.manual_seed(0)
    if kind == "bert":
        return t.BertModel(t.BertConfig(**SIZES, num_hidden_layers=3)).eval()
    if kind == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(**SIZES, num_hidden_layers=3)).eval()
    if kind == "gpt2":
        return t.GPT2LMHeadModel(t.GPT2Config(vocab_size=30, n_embd=16, n_layer=3, n_head=2)).eval()
    if kind == "marian":
        marian = t.MarianConfig(
            vocab_size=30, d_model=16, encoder_layers=3, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=32,
            pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        )  # fmt: skip
        return t.MarianMTModel(marian).eval()
    return t.T5Model(t.T5Config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)).eval()


@pytest.mark.parametrize(
    ("kind", "sizes"), [("bert", [3]), ("llama", [3]), ("gpt2", [3]), ("marian", [3, 2])]
)  # fmt: skip
def test_stacks_are_found(kind: str, sizes: list[int]) -> None:
    assert [len(stack) for stack in layer_stacks(build(kind).base_model)] == sizes


def test_an_architecture_that_is_not_known_is_refused() -> None:
    with pytest.raises(OptionError, match="Layers cannot be taken out of a t5 model"):
        layer_stacks(build("t5"))


@pytest.mark.parametrize("kind", ["bert", "llama", "gpt2", "marian"])
def test_a_saved_model_without_a_layer_gives_the_same_again(kind: str, tmp_path: Any) -> None:
    model = build(kind)
    for stack in layer_stacks(model.base_model):
        note(model, **keep_layers(model.base_model, stack, range(1, len(stack))))
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    ids = {"input_ids": torch.tensor([[3, 4, 5]])}
    if kind == "marian":
        ids["decoder_input_ids"] = torch.tensor([[0, 6]])
    with torch.inference_mode():
        assert torch.equal(again(**ids)[0], model(**ids)[0])
    assert sum(p.numel() for p in again.parameters()) < sum(p.numel() for p in build(kind).parameters())


def test_a_decoder_without_its_first_layer_still_writes_from_its_cache() -> None:
    model = build("llama")
    (stack,) = layer_stacks(model.base_model)
    note(model, **keep_layers(model.base_model, stack, [1, 2]))
    ids = torch.tensor([[3, 4, 5]])
    cached, plain = (model.generate(ids, max_new_tokens=5, do_sample=False, use_cache=c) for c in (True, False))
    assert torch.equal(cached, plain)
