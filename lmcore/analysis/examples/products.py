"""The dot product of last-layer gradients, without ever making a gradient over a vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmcore.analysis.examples.last_layer import FEW_OUTPUTS, Factors, WindowFactors

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class _LayerGradient:
    """The gradient of one layer: as it is where outputs are few, else as the factors of the tokens that are learnt.

    Attributes:
        errors: shape (tokens, outputs), each times its window's share.
        features: shape (tokens, features).
        whole: their product, shape (outputs, features); None where it would be over a vocabulary.
        biased: whether the layer has a bias.
    """

    errors: "torch.Tensor"
    features: "torch.Tensor"
    whole: "torch.Tensor | None"
    biased: bool

    def products(self, other: Factors) -> np.ndarray:
        """Return the dot product with each window's gradient, times its share, float64 of shape (windows,)."""
        if self.whole is not None:
            each = ((other.errors @ self.whole) * other.features).sum(dim=2)
            if self.biased:
                each = each + other.errors @ self.errors.sum(dim=0)
        else:
            each = ((other.errors @ self.errors.T) * (other.features @ self.features.T + float(self.biased))).sum(dim=2)
        # Of a batch without anything to learn the mean loss is not a number; its shares are 0.
        found: np.ndarray = np.nan_to_num(each.double().sum(dim=1).cpu().numpy()) * other.shares
        return found


@dataclass(frozen=True, eq=False)
class TextGradient:
    """The gradient of one text's loss with respect to the last layers.

    Attributes:
        layers: that of each.
    """

    layers: tuple[_LayerGradient, ...]

    @classmethod
    def of(cls, windows: Sequence[WindowFactors]) -> "TextGradient":
        """Return the gradient that the windows of one text add up to."""
        return cls(tuple(_layer([item.layers[n] for item in windows]) for n in range(len(windows[0].layers))))

    def products(self, batch: WindowFactors) -> np.ndarray:
        """Return the dot product with the gradient of each window, float64 of shape (windows,)."""
        found: np.ndarray = np.sum(
            [mine.products(other) for mine, other in zip(self.layers, batch.layers, strict=True)], axis=0
        )
        return found


def _layer(parts: Sequence[Factors]) -> _LayerGradient:
    import torch

    errors, features = [], []
    for part in parts:
        shares = torch.from_numpy(part.shares).to(part.errors)
        shared = (part.errors * shares[:, None, None]).nan_to_num().flatten(0, 1)
        learnt = shared.abs().amax(dim=1) > 0
        errors.append(shared[learnt])
        features.append(part.features.flatten(0, 1)[learnt])
    every, read = torch.cat(errors), torch.cat(features)
    return _LayerGradient(every, read, every.T @ read if every.shape[1] <= FEW_OUTPUTS else None, parts[0].biased)
