"""Pairs of texts whose words are linked, and a small encoder that knows the words."""

import numpy as np
import pandas as pd
import torch

from lmcore.models.load import LoadedModel
from tests.tasks.speakers import rule_frame, speaker


def frame_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Return pairs, each a source, a target and links."""
    frame = pd.DataFrame(rows, columns=["source", "target", "links"], dtype="str")
    frame.insert(0, "id", np.arange(len(frame)))
    return frame


def reversed_frame(rows: int = 12) -> pd.DataFrame:
    """Return sentences and the same words in the opposite order: only a word's own vector can link them."""
    texts = rule_frame(rows)["text"]
    turned = texts.str.split().map(lambda words: " ".join(words[::-1]))
    count = texts.str.split().map(len)
    links = [" ".join(f"{n}-{size - 1 - n}" for n in range(size)) for size in count]
    return frame_of(*zip(texts, turned, links, strict=True))


def encoder(max_length: int = 64) -> LoadedModel:
    """Return a model whose layers mix places in, so that its embeddings alone know the words."""
    loaded = speaker("text-alignment", encoder=True, max_length=max_length)
    with torch.no_grad():
        loaded.model.embeddings.position_embeddings.weight.zero_()
    return loaded
