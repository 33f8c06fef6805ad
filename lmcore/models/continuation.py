"""Writing on from a text with a causal language model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmcore.methods import option, options_of
from lmcore.models.encode import length_sorted_batches
from lmcore.models.load import LoadedModel
from lmcore.types import Report, Silent

STRATEGIES = ("sampling", "greedy")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the next token is chosen."""

    strategy: str = option(
        "sampling",
        "sampling draws tokens by their probability; greedy takes the most probable one.",
        choices=STRATEGIES,
    )
    temperature: float = option(
        0.8, "With sampling: below 1 makes probable tokens more probable.", minimum=0.01, maximum=10
    )
    top_p: float = option(
        0.95,
        "With sampling: draw from the most probable tokens that together have this share.",
        minimum=0.01,
        maximum=1,
    )
    max_new_tokens: int = option(48, "The most tokens that are written.", minimum=1, maximum=512)
    seed: int = option(0, "With sampling: seed of the draws.", minimum=0, maximum=2**31)

    def __post_init__(self) -> None:
        for item in options_of(Decoding):
            item.check(getattr(self, item.name))


def continue_tokens(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    batch_size: int = 16,
    report: Report | None = None,
) -> list[list[int]]:
    """Write on from each prompt.

    Sampling is drawn from ``decoding.seed`` alone: the same prompts give the same continuations, and the global random
    state is left as it was.

    Args:
        loaded: a causal language model.
        prompts: token ids; an empty one begins with the tokenizer's first token. Of a prompt that leaves the model no room
            the last tokens are read.
        decoding: how.
        batch_size: prompts in one pass.
        report: progress and cancellation.

    Returns:
        The new tokens of each, without the end token.

    Raises:
        Cancelled: the report asked to stop.
    """
    import torch

    report = report or Silent()
    room = prompt_room(loaded, decoding)
    begin = [_first(loaded.tokenizer.bos_token_id, loaded.tokenizer.eos_token_id)]
    kept = [list(ids[-room:]) or begin for ids in prompts]
    found: list[list[int]] = [[] for _ in kept]
    done = 0
    with torch.random.fork_rng(devices=[torch.device(loaded.device)] if loaded.device != "cpu" else []):
        torch.manual_seed(decoding.seed)
        for rows in length_sorted_batches(np.array([len(ids) for ids in kept]), batch_size):
            report.check()
            for row, new in zip(rows, _generate(loaded, [kept[row] for row in rows], decoding), strict=True):
                found[row] = new
            done += len(rows)
            report.progress(done / len(kept), f"{done} of {len(kept)} texts continued")
    return found


def prompt_room(loaded: LoadedModel, decoding: Decoding) -> int:
    """Return how many tokens of a prompt the model can read beside those that it writes."""
    return max(1, loaded.max_length - decoding.max_new_tokens)


def _generate(loaded: LoadedModel, prompts: list[list[int]], decoding: Decoding) -> list[list[int]]:
    """Write on from one batch of prompts, padded on the left."""
    import torch
    from transformers import GenerationConfig

    tokenizer, longest = loaded.tokenizer, max(map(len, prompts))
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    pad = _first(pad, end)
    ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=loaded.device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=loaded.device)
    sampled = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
    how = GenerationConfig(
        max_new_tokens=decoding.max_new_tokens,
        pad_token_id=pad,
        eos_token_id=end,
        **(sampled if decoding.strategy == "sampling" else {"do_sample": False}),
    )
    with torch.inference_mode():
        out = loaded.model.generate(input_ids=ids, attention_mask=mask, generation_config=how)
    return [_until(new, end) for new in out[:, longest:].tolist()]


def _until(tokens: list[int], end: int | None) -> list[int]:
    return tokens[: tokens.index(end)] if end in tokens else tokens


def _first(*tokens: int | None) -> int:
    """Return the first of some special tokens that the tokenizer has, or token 0."""
    return next((token for token in tokens if token is not None), 0)
