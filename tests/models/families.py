"""Tiny models of every family whose parts are known, from a configuration, with enlarged random weights."""

from functools import cache
from typing import Any

_DISTIL = {"vocab_size": 40, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24}
_NORMAL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
}
_JOINED = {
    "vocab_size": 40, "d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 32,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0, "forced_eos_token_id": None,
}  # fmt: skip
_T5 = {
    "vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4,
    "decoder_start_token_id": 0,
}  # fmt: skip
_GATED = {**_T5, "feed_forward_proj": "gated-gelu"}
# Family to the names of its configuration, of its model with a language head, and the configuration's values.
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertConfig", "BertForMaskedLM", _NORMAL),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", _NORMAL),
    "electra": ("ElectraConfig", "ElectraForMaskedLM", {**_NORMAL, "embedding_size": 8}),
    "distilbert": ("DistilBertConfig", "DistilBertForMaskedLM", _DISTIL),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_inner": 24}),
    "llama": ("LlamaConfig", "LlamaForCausalLM", {**_NORMAL, "num_key_value_heads": 2}),
    "mistral": ("MistralConfig", "MistralForCausalLM", {**_NORMAL, "num_key_value_heads": 2, "head_dim": 8}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {**_NORMAL, "num_key_value_heads": 2}),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {**_NORMAL, "num_key_value_heads": 2, "head_dim": 8}),
    "smollm3": ("SmolLM3Config", "SmolLM3ForCausalLM", {**_NORMAL, "num_key_value_heads": 2, "pad_token_id": 0}),
    "marian": ("MarianConfig", "MarianMTModel", _JOINED),
    "bart": ("BartConfig", "BartForConditionalGeneration", _JOINED),
    "mbart": ("MBartConfig", "MBartForConditionalGeneration", _JOINED),
    "pegasus": ("PegasusConfig", "PegasusForConditionalGeneration", _JOINED),
    "t5": ("T5Config", "T5ForConditionalGeneration", _T5),
    "t5-gated": ("T5Config", "T5ForConditionalGeneration", {**_GATED, "tie_word_embeddings": False}),
    "mt5": ("MT5Config", "MT5ForConditionalGeneration", _GATED),
}  # fmt: skip


@cache
def family(name: str) -> Any:
    """Return a model of a family; its weights and biases are far from their first values."""
    import torch
    import transformers

    config, model, values = FAMILIES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = getattr(transformers, model)(getattr(transformers, config)(**values)).eval().requires_grad_(False)
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
        if hasattr(made, "final_logits_bias"):
            made.final_logits_bias.normal_()
    return made


def inputs(model: Any) -> Any:
    """Return a batch of two texts, the second padded."""
    import torch

    batch = {
        "input_ids": torch.tensor([[3, 9, 12, 30, 7], [4, 8, 21, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }
    if model.config.is_encoder_decoder:
        batch["decoder_input_ids"] = torch.tensor([[0, 5, 6, 7], [0, 11, 12, 13]])
    return batch
