"""Running a model over two texts that it reads one by one: the rows of a batch hold both, and so does what comes out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading

if TYPE_CHECKING:
    import torch


def are_apart(readings: Sequence[Reading]) -> bool:
    """Say whether readings hold two texts that are read one by one; all of a batch do or none."""
    return bool(readings) and readings[0].apart


def run_apart(loaded: LoadedModel, readings: Sequence[Reading], rows: "torch.Tensor", name: str) -> Any:
    """Run the first and the second texts as rows of their own, and join what comes out again.

    Args:
        loaded: an encoder.
        readings: one a row, each with two texts.
        rows: tokens or embeddings of both texts in order, shape (rows, tokens, …), padded on the right.
        name: ``input_ids`` or ``inputs_embeds``.

    Returns:
        ``last_hidden_state`` of shape (rows, tokens, features), and ``states`` of every layer, the embeddings first, of shape
        (rows, layers + 1, tokens, features); both padded on the right.
    """
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    firsts, totals = [r.first for r in readings], [len(r) for r in readings]
    fill = (loaded.tokenizer.pad_token_id or 0) if name == "input_ids" else 0
    texts = [row[:first] for row, first in zip(rows, firsts, strict=True)]
    texts += [row[first:total] for row, first, total in zip(rows, firsts, totals, strict=True)]
    lengths = np.array([len(text) for text in texts])
    mask = torch.from_numpy((np.arange(lengths.max())[None, :] < lengths[:, None]).astype(np.int64)).to(rows.device)
    both = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=fill)
    out = loaded.model(**{name: both}, attention_mask=mask, output_hidden_states=True)
    layers = torch.stack(out.hidden_states, dim=1)  # (texts, layers + 1, tokens, features)
    count = len(readings)
    joined = [
        torch.cat([layers[row, :, :first], layers[count + row, :, : total - first]], dim=1).transpose(0, 1)
        for row, (first, total) in enumerate(zip(firsts, totals, strict=True))
    ]
    states = torch.nn.utils.rnn.pad_sequence(joined, batch_first=True).transpose(1, 2)
    found = BaseModelOutput(last_hidden_state=states[:, -1])
    found["states"] = states
    return found
