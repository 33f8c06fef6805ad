"""Attention maps of every layer and head, and their rollout."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.analysis.parity import check_parity, model_output
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.models.text_tokens import TextTokens, read_tokens


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Where each head looks.

    Attributes:
        text_tokens: the text and its tokens.
        attentions: float32 of shape (layers, heads, tokens, tokens); row = the token that looks; rows sum to 1.
        fingerprint: hash of weights and tokens.
    """

    text_tokens: TextTokens
    attentions: np.ndarray
    fingerprint: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens as they are shown."""
        return self.text_tokens.tokens

    @property
    def entropies(self) -> np.ndarray:
        """How widely each head looks: mean entropy of its rows in nats, shape (layers, heads)."""
        logs = np.log(np.clip(self.attentions, 1e-12, None))
        spread: np.ndarray = -(self.attentions * logs).sum(axis=-1).mean(axis=-1)
        return spread

    def to_frame(self, layer: int, head: int) -> pd.DataFrame:
        """Return one head's map as ``row``, ``column``, ``weight``; layer and head count from 0."""
        weights = self.attentions[layer, head]
        rows, columns = np.indices(weights.shape)
        return pd.DataFrame({"row": rows.ravel(), "column": columns.ravel(), "weight": weights.ravel()})


def attention_maps(loaded: LoadedModel, text: str) -> AttentionMaps:
    """Read the attention of every head over one text.

    The model runs with eager attention for it (others don't return their weights), and its outputs are compared with the
    plain run.

    Raises:
        InputError: the text is empty; the model has no layers or does not give its attention; or the eager run gives
            other outputs than the plain one by more than 1e-4.
    """
    import torch

    tokens = read_tokens(loaded.tokenizer, [text], loaded.max_length)[0]
    ids = torch.from_numpy(tokens.ids)[None].to(loaded.device)
    with torch.inference_mode():
        plain = loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids))
        with loaded.attention("eager") as model:
            out = model(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True)
    maps = [layer for layer in (out.attentions or ()) if layer is not None]
    if not maps:
        raise InputError(f"{loaded.ref} gives no attention weights: it has no attention layers that can be read.")
    check_parity(loaded, model_output(plain), model_output(out), "eager attention")
    attentions = torch.stack([layer[0] for layer in maps]).float().cpu().numpy()
    return AttentionMaps(tokens, attentions, fingerprint(loaded.fingerprint, tokens.ids.tolist()))


def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    """Follow attention through all layers: add the identity, halve, multiply (Abnar & Zuidema 2020).

    Args:
        attentions: shape (layers, heads, tokens, tokens) or, with heads averaged already, (layers, tokens, tokens).

    Returns:
        Shape (tokens, tokens): row = output token, column = input token; rows sum to 1.

    Raises:
        InputError: the shape is another.
    """
    maps = np.asarray(attentions, dtype=np.float64)
    if maps.ndim == 4:
        maps = maps.mean(axis=1)
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not len(maps):
        raise InputError(f"The attention has the shape {np.shape(attentions)}: give (layers, heads, tokens, tokens).")
    identity = np.eye(maps.shape[1])
    rolled = identity
    for layer in maps:
        rolled = (layer + identity) / 2 @ rolled
    return rolled
