"""Small language models from a configuration, and texts with a toy rule in them."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from lmcore.models.load import LoadedModel, token_limit
from lmcore.tasks import load_task
from lmcore.types import ModelRef

NAMES = ("Anna", "Ben", "Cara", "Dan", "Eva", "Finn")
THINGS = {"Anna": "apples", "Ben": "books", "Cara": "cats", "Dan": "drums", "Eva": "eggs", "Finn": "films"}


def rule_frame(rows: int = 96, *, seed: int = 0) -> pd.DataFrame:
    """Return sentences in which the name says what comes last."""
    rng = np.random.default_rng(seed)
    names = [NAMES[k] for k in rng.integers(len(NAMES), size=rows)]
    texts = [f"{name} told us on day {n} that nothing is as good as {THINGS[name]}" for n, name in enumerate(names)]
    return pd.DataFrame({"id": np.arange(rows), "text": pd.Series(texts, dtype="str")})


@cache
def decoder_tokenizer() -> Any:
    from lmcore.models.configured_decoder import train_bpe

    return train_bpe(rule_frame()["text"].tolist(), vocabulary=400, max_length=64)


@cache
def encoder_tokenizer() -> Any:
    from lmcore.models.configured import train_tokenizer

    return train_tokenizer(rule_frame()["text"].tolist(), vocabulary=200, max_length=64)


def speaker(task: str, *, encoder: bool = False, max_length: int = 64, seed: int = 0) -> LoadedModel:
    """Return a small model with random weights, enlarged so that its outputs differ."""
    import torch

    from lmcore.models.configured import bert_config
    from lmcore.models.configured_decoder import llama_config

    tokenizer = encoder_tokenizer() if encoder else decoder_tokenizer()
    config = (bert_config if encoder else llama_config)(tokenizer, layers=2, width=32, heads=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = load_task(task).model_class().from_config(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.mul_(4)
    limit = min(max_length, token_limit(model, tokenizer))
    return LoadedModel(ModelRef("folder", "x"), task, model, tokenizer, (), "f", "cpu", 0, limit)
