"""Figures of many neurons at once, added up batch by batch: memory does not hang on how many texts there are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class RunningMoments:
    """Count, mean and variance of values that come in batches (Chan, Golub & LeVeque 1979), float64.

    Args:
        shape: of one value.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self.mean = np.zeros(shape)
        self._squares = np.zeros(shape)

    def add(self, count: int, mean: np.ndarray, squares: np.ndarray) -> None:
        """Take in a batch.

        Args:
            count: how many values it has.
            mean: their mean.
            squares: the sum of their squared distances from it.
        """
        if not count:
            return
        total = self.count + count
        gap = mean - self.mean
        self._squares += squares + gap**2 * (self.count * count / total)
        self.mean = self.mean + gap * (count / total)
        self.count = total

    def add_values(self, values: np.ndarray) -> None:
        """Take in values along the first axis."""
        if len(values):
            mean = values.mean(axis=0, dtype=np.float64)
            self.add(len(values), mean, ((values - mean) ** 2).sum(axis=0))

    def merged(self, others: "list[RunningMoments]") -> "RunningMoments":
        """Return what this and others would have found together."""
        found = RunningMoments(self.mean.shape)
        for each in (self, *others):
            found.add(each.count, each.mean, each._squares)
        return found

    @property
    def variance(self) -> np.ndarray:
        """The values' variance (over n - 1); 0 below two of them."""
        spread: np.ndarray = self._squares / max(self.count - 1, 1)
        return spread


@dataclass(frozen=True, eq=False)
class TopTexts:
    """The texts with the largest activations of each neuron.

    Attributes:
        values: the activation, descending, float32 of shape (layers, neurons, texts); -inf where there are fewer.
        rows: the text's number, int64 of the same shape; -1 where there are fewer.
    """

    values: np.ndarray
    rows: np.ndarray


class NeuronSums:
    """What is known of every neuron after the texts so far.

    Args:
        layers: how many layers.
        neurons: of each layer.
        threshold: a neuron is active at a token where its value is above this.
        signed: whether values are measured by their size, whatever their sign.
        top: how many texts are kept for each neuron.
    """

    def __init__(self, layers: int, neurons: int, *, threshold: float, signed: bool, top: int) -> None:
        self._threshold, self._signed = threshold, signed
        self.moments = [RunningMoments((neurons,)) for _ in range(layers)]
        self.active = np.zeros((layers, neurons), dtype=np.int64)
        self.active_texts = np.zeros((layers, neurons), dtype=np.int64)
        self.largest = np.full((layers, neurons), -np.inf)
        self.smallest = np.full((layers, neurons), np.inf)
        self.norms = np.zeros(layers)
        self.hoyer = np.zeros(layers)
        self.tokens = self.texts = 0
        empty = (layers, neurons, top)
        self._top = TopTexts(np.full(empty, -np.inf, dtype=np.float32), np.full(empty, -1, dtype=np.int64))

    def count(self, tokens: int, texts: int) -> None:
        """Count a batch once, whatever its layers."""
        self.tokens += tokens
        self.texts += texts

    def add(self, layer: int, values: "torch.Tensor", mask: "torch.Tensor", rows: np.ndarray) -> None:
        """Take in one layer's values of a batch.

        Args:
            layer: its place, counted from 0.
            values: shape (batch, tokens, neurons).
            mask: which tokens count, bool of shape (batch, tokens).
            rows: the texts' numbers, shape (batch,).
        """
        tokens = values[mask].double()
        if not len(tokens):
            return
        mean = tokens.mean(dim=0)
        squares = (tokens - mean).square().sum(dim=0)
        self.moments[layer].add(len(tokens), mean.cpu().numpy(), squares.cpu().numpy())
        sizes = tokens.abs() if self._signed else tokens
        self.active[layer] += (sizes > self._threshold).sum(dim=0).cpu().numpy()
        self.largest[layer] = np.maximum(self.largest[layer], tokens.amax(dim=0).cpu().numpy())
        self.smallest[layer] = np.minimum(self.smallest[layer], tokens.amin(dim=0).cpu().numpy())
        self._add_norms(layer, tokens)
        self._add_texts(layer, text_peaks(values, mask, signed=self._signed), rows)

    def _add_norms(self, layer: int, tokens: "torch.Tensor") -> None:
        """Add the vectors' L2 norms, and their Hoyer sparsity: 0 where all neurons are alike, 1 where one alone is not 0."""
        norms = tokens.norm(dim=1)
        width = tokens.shape[1]
        spread = tokens.abs().sum(dim=1) / norms.clamp(min=1e-300)
        hoyer = (width**0.5 - spread) / max(width**0.5 - 1, 1e-12)
        self.norms[layer] += float(norms.sum())
        self.hoyer[layer] += float(hoyer[norms > 0].sum())

    def _add_texts(self, layer: int, peaks: "torch.Tensor", rows: np.ndarray) -> None:
        """Keep the largest of what was kept and of a batch's texts; of equals the text that came first."""
        self.active_texts[layer] += (peaks > self._threshold).sum(dim=0).cpu().numpy()
        values = np.concatenate([self._top.values[layer], peaks.T.float().cpu().numpy()], axis=1)
        owners = np.concatenate([self._top.rows[layer], np.broadcast_to(rows, peaks.T.shape)], axis=1)
        top = self._top.values.shape[2]
        if top < values.shape[1]:
            best = np.argpartition(-values, top - 1, axis=1)[:, :top]
            values, owners = np.take_along_axis(values, best, axis=1), np.take_along_axis(owners, best, axis=1)
        self._top.values[layer], self._top.rows[layer] = values, np.where(np.isfinite(values), owners, -1)

    def top_texts(self) -> TopTexts:
        """Return the texts kept for each neuron, the largest activation first."""
        order = np.lexsort((self._top.rows, -self._top.values), axis=2)
        values, rows = (np.take_along_axis(kept, order, axis=2) for kept in (self._top.values, self._top.rows))
        return TopTexts(values, rows)


def text_peaks(values: "torch.Tensor", mask: "torch.Tensor", *, signed: bool) -> "torch.Tensor":
    """Return each text's largest value of each neuron over the tokens that count, by size where ``signed``.

    Args:
        values: shape (batch, tokens, neurons).
        mask: bool of shape (batch, tokens).
        signed: whether sizes are taken, whatever their sign.

    Returns:
        Shape (batch, neurons); -inf for a text none of whose tokens counts.
    """
    sizes = values.abs() if signed else values
    return sizes.masked_fill(~mask[:, :, None], float("-inf")).amax(dim=1)


def text_means(values: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """Return each text's mean value of each neuron over the tokens that count, shape (batch, neurons); NaN for none."""
    weight = mask[:, :, None].to(values.dtype)
    found: torch.Tensor = (values * weight).sum(dim=1) / weight.sum(dim=1)
    return found
