"""How large and how sparse a layer's vectors are, over the tokens of some texts."""

import numpy as np
import pandas as pd

from lmcore.analysis.activations import Activations


def layer_sizes(found: Activations) -> pd.DataFrame:
    """Return one row a layer, over the tokens that are not special (over all of them where there are no others).

    Args:
        found: the vectors; they are read text by text, so that those in a file stay there.

    Returns:
        ``layer``, ``norm`` (mean L2 norm of a token's vector), ``sparsity`` (Hoyer 2004: 0 where a vector's features are
        all of one size, 1 where one alone is not 0; the mean over the vectors that are not 0), ``largest`` (the largest
        norm), and where that is: ``text`` and ``position``, both counted from 0, and ``token``.
    """
    masks = [_plain(found, text) for text in range(len(found.starts))]
    if not any(mask.any() for mask in masks):
        masks = [np.ones_like(mask) for mask in masks]
    layers = len(found.layers)
    sums, sparse, whole = np.zeros(layers), np.zeros(layers), np.zeros(layers)
    largest, places = np.full(layers, -1.0), [(0, 0)] * layers
    for text, mask in enumerate(masks):
        if not mask.any():
            continue
        norms, hoyer = _figures(found, text)
        norms = np.where(mask, norms, 0.0)
        sums += norms.sum(axis=1)
        sparse += np.where(norms > 0, hoyer, 0.0).sum(axis=1)
        whole += (norms > 0).sum(axis=1)
        for layer, position in enumerate(np.where(mask, norms, -1.0).argmax(axis=1)):
            if norms[layer, position] > largest[layer]:
                largest[layer], places[layer] = norms[layer, position], (text, int(position))
    return pd.DataFrame(
        {
            "layer": list(found.layers),
            "norm": sums / sum(int(mask.sum()) for mask in masks),
            "sparsity": sparse / np.maximum(whole, 1),
            "largest": largest,
            "text": [text for text, _ in places],
            "position": [position for _, position in places],
            "token": [found.tokens(text)[position] for text, position in places],
        }
    )


def _plain(found: Activations, text: int) -> np.ndarray:
    special = set(found.tokenizer.all_special_ids) - {found.tokenizer.unk_token_id}
    return np.array([token not in special for token in found.encodings.ids[text]], dtype=bool)


def _figures(found: Activations, text: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the norm and the sparsity of each of a text's vectors, float64 of shape (layers, tokens)."""
    start = int(found.starts[text])
    values = found.values[:, start : start + len(found.encodings.ids[text])].astype(np.float64)
    norms = np.linalg.norm(values, axis=-1)
    root = values.shape[-1] ** 0.5
    spread = np.abs(values).sum(axis=-1) / np.maximum(norms, 1e-300)
    return norms, (root - spread) / max(root - 1, 1e-12)
