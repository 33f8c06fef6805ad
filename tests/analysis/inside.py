"""Small models with random weights of four architectures, with a text and a target of each."""

from dataclasses import replace
from functools import cache
from typing import Any

from lmcore.models.load import LoadedModel
from lmcore.types import Target
from tests.analysis.readers import CASES, reader
from tests.tasks.speakers import decoder_tokenizer, speaker

NEXT = ("Ben told us on day", "Anna told us on day", Target("token", " that", against=" is"))
# Architecture to a clean text, a corrupted one with as many tokens, what is asked, and what was written.
ASKED: dict[str, tuple[str, str, Target, str]] = {
    "gpt2": (*NEXT, ""),
    "llama": (*NEXT, ""),
    "bert": ("Ben told us on [MASK] 7", "Anna told us on [MASK] 7", Target("token", "day", against="us"), ""),
    "marian": ("one two three", "two two three", CASES["translation"][1], CASES["translation"][2]),
}


@cache
def model(name: str) -> LoadedModel:
    """Return the model of an architecture."""
    if name == "marian":
        return reader("translation")
    if name == "bert":
        return speaker("completion", encoder=True)
    loaded = speaker("completion")
    return loaded if name == "llama" else replace(loaded, model=_gpt2(), fingerprint="gpt2")


def _gpt2() -> Any:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    size = len(decoder_tokenizer())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = GPT2LMHeadModel(GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=64)).eval()
        made.requires_grad_(False)
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return made
