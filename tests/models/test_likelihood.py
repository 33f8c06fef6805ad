"""How probable a model holds tokens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lmcore.models.causal import encode_measured
from lmcore.models.encode import counted
from lmcore.models.likelihood import score_tokens
from tests.tasks.speakers import speaker


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_scores_are_those_of_the_plain_run():
    loaded = speaker("text-generation")
    encodings = encode_measured(loaded.tokenizer, ["Anna told us on day 7", "Ben", "nothing is as good as eggs"], 64)
    found = score_tokens(loaded, encodings)
    for row, ids in enumerate(encodings.ids):
        logs = loaded.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        wanted = -logs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        np.testing.assert_allclose(found.nll[found.rows == row], wanted.numpy(), atol=1e-5)
        assert found.best[found.rows == row].tolist() == logs[:-1].argmax(-1).tolist()


def test_memory_does_not_grow_with_the_number_of_windows():
    """Each window's logits take 5 MB here; without care the allocator keeps them all."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=20_000, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64,
    )  # fmt: skip
    loaded = replace(speaker("text-generation"), model=LlamaForCausalLM(config).eval())
    ids = np.random.default_rng(0).integers(20_000, size=(160, 64)).tolist()
    notes = {"places": [list(range(63))] * len(ids), "targets": [row[1:] for row in ids]}
    encodings = counted(loaded.tokenizer, ids, notes=notes)
    score_tokens(loaded, counted(loaded.tokenizer, ids[:16], notes={k: v[:16] for k, v in notes.items()}), batch_size=8)
    before = resident()
    score_tokens(loaded, encodings, batch_size=8)
    assert resident() - before < 200 << 20
