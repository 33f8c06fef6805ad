from pathlib import Path

import numpy as np
import pytest
import torch

from lmcore.models.causal import encode_measured
from lmcore.models.likelihood import score_tokens
from tests.tasks.speakers import rule_frame, speaker

TEXTS = rule_frame(240)["text"].tolist()


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_scores_are_those_of_the_plain_computation_in_the_order_of_the_windows():
    loaded = speaker("text-generation")
    encodings = encode_measured(loaded.tokenizer, [TEXTS[0], TEXTS[1][:30], TEXTS[2]], loaded.max_length)
    found = score_tokens(loaded, encodings, batch_size=2)
    done = 0
    for window, ids in enumerate(encodings.ids):
        output = loaded.model(torch.tensor([ids])).logits[0, :-1].log_softmax(dim=-1)
        own = slice(done, done := done + len(ids) - 1)
        chosen = output[torch.arange(len(ids) - 1), ids[1:]]
        np.testing.assert_allclose(found.nll[own], -chosen.numpy(), atol=1e-4)
        np.testing.assert_array_equal(found.best[own], output.argmax(dim=-1).numpy())
        np.testing.assert_array_equal(found.ranks[own], (output > chosen[:, None]).sum(dim=1).numpy())
        np.testing.assert_allclose(found.sureness[own], output.exp().max(dim=-1).values.numpy(), atol=1e-4)
        assert (found.rows[own] == window).all()
    assert done == len(found.nll)


def test_nothing_to_score_is_no_error():
    loaded = speaker("text-generation")
    found = score_tokens(loaded, encode_measured(loaded.tokenizer, [], loaded.max_length))
    assert len(found.nll) == len(found.rows) == len(found.targets) == 0


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="no /proc here")
def test_memory_does_not_grow_with_the_number_of_windows():
    loaded = speaker("text-generation")
    loaded.model.resize_token_embeddings(20_000, mean_resizing=False)
    long = [" ".join(TEXTS[start : start + 4]) for start in range(60)]
    encodings = encode_measured(loaded.tokenizer, long, loaded.max_length, stride=loaded.max_length)
    for size in (5, 10, 20, 30):
        torch.zeros(size << 18)  # once freed, arrays of such a size come from the heap
    before = resident()
    score_tokens(loaded, encodings, batch_size=1)
    assert resident() - before < 60 << 20
