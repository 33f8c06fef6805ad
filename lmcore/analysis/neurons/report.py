"""How neurons are looked at, and what is found."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmcore.analysis.neurons.sums import TopTexts
from lmcore.errors import InputError, OptionError

TOP_TEXTS = 5
CANDIDATES = 10
SIGNED_THRESHOLD = 0.01
LOOKED_AT = ("neurons", "residual", "attention", "mlp")


@dataclass(frozen=True, slots=True)
class NeuronConfig:
    """How neurons are looked at.

    Attributes:
        component: ``neurons`` (the MLP's hidden units after the activation function), or the features of ``residual``,
            ``attention`` or ``mlp``.
        stack: of an encoder-decoder ``encoder`` (where None) or ``decoder``.
        layers: which, as they are numbered; all where None.
        threshold: a neuron is active at a token where its value is above this, or, where its values have both signs,
            where their size is; None takes 0, or `SIGNED_THRESHOLD` for both signs.
        pooling: what stands for a text where labels are told apart: the largest value (``max``) or the ``mean`` over its
            tokens; None takes the mean where values have both signs.
        top_texts: how many texts are kept for each neuron.
        candidates: how many neurons are measured for each label.
        seed: of the halves that neurons are chosen and measured on.
    """

    component: str = "neurons"
    stack: str | None = None
    layers: tuple[int, ...] | None = None
    threshold: float | None = None
    pooling: str | None = None
    top_texts: int = TOP_TEXTS
    candidates: int = CANDIDATES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.component not in LOOKED_AT:
            raise OptionError(f"Neurons of {self.component!r} cannot be looked at: choose {', '.join(LOOKED_AT)}.")
        if self.pooling not in (None, "max", "mean"):
            raise OptionError(f"The pooling is {self.pooling!r}: give max or mean.")
        if self.top_texts < 1 or self.candidates < 1:
            raise OptionError("The number of texts and of neurons that are kept is 1 or more.")
        if self.threshold is not None and not self.threshold >= 0:
            raise OptionError(f"The threshold is {self.threshold!r}: give 0 or more.")


@dataclass(frozen=True, eq=False)
class NeuronReport:
    """What is known of every neuron. Special tokens are left out throughout.

    Attributes:
        layers: ``layer``, ``norm`` (mean L2 norm of a token's vector), ``sparsity`` (mean share of tokens at which a
            neuron is not active), ``hoyer`` (0 where a token's neurons are all alike, 1 where one alone is not 0; whatever
            the threshold), ``dead`` and ``dead_share``.
        mean: of each neuron over all tokens, float64 of shape (layers, neurons).
        deviation: standard deviation over all tokens.
        smallest: lowest value at any token.
        largest: highest value at any token.
        active: share of the tokens at which it is active, 0 to 1.
        active_texts: share of the texts with a token at which it is active, 0 to 1.
        selective: for each label the neurons that tell it from all others; see `lmcore.analysis.neurons.selectivity.measured`.
        top: the texts with its largest values, by size where ``signed``.
        numbers: of the layers.
        activation: the activation function, as the configuration names it; empty where the component has none.
        signed: whether values have both signs, so that sizes are compared with the threshold.
        threshold: above which a neuron is active.
        pooling: ``max`` or ``mean``.
        tokens: how many were read.
        texts: how many had a token that counts.
        config: how it was asked for.
        fingerprint: hash of weights, texts, labels and settings.
    """

    layers: pd.DataFrame
    mean: np.ndarray
    deviation: np.ndarray
    smallest: np.ndarray
    largest: np.ndarray
    active: np.ndarray
    active_texts: np.ndarray
    selective: pd.DataFrame
    top: TopTexts
    numbers: tuple[int, ...]
    activation: str
    signed: bool
    threshold: float
    pooling: str
    tokens: int
    texts: int
    config: NeuronConfig
    fingerprint: str

    @property
    def dead(self) -> np.ndarray:
        """Which neurons are active at no token of any text, bool of shape (layers, neurons)."""
        found: np.ndarray = self.active == 0
        return found

    @property
    def rule(self) -> str:
        """When a neuron counts as active, in a sentence."""
        what = "the size of its value" if self.signed else "its value"
        after = f" after {self.activation}" if self.activation else ""
        return f"A neuron is active at a token where {what}{after} is above {self.threshold:g}."

    def top_texts(self, layer: int, neuron: int) -> list[tuple[int, float]]:
        """Return a neuron's texts and its largest value in each, the largest first.

        Raises:
            InputError: there is no such neuron.
        """
        if layer not in self.numbers or not 0 <= neuron < self.mean.shape[1]:
            raise InputError(
                f"There is no neuron {neuron} in layer {layer}: give a layer of {self.numbers[0]} to {self.numbers[-1]} "
                f"and a neuron of 0 to {self.mean.shape[1] - 1}."
            )
        place = self.numbers.index(layer)
        kept = zip(self.top.rows[place, neuron].tolist(), self.top.values[place, neuron].tolist(), strict=True)
        return [(row, value) for row, value in kept if row >= 0]

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each neuron."""
        layer, neuron = np.indices(self.mean.shape)
        columns = {"mean": self.mean, "deviation": self.deviation, "smallest": self.smallest, "largest": self.largest}
        columns |= {"active": self.active, "active_texts": self.active_texts, "dead": self.dead}
        return pd.DataFrame(
            {"layer": np.array(self.numbers)[layer.ravel()], "neuron": neuron.ravel()}
            | {name: values.ravel() for name, values in columns.items()}
        )


@dataclass(frozen=True, eq=False)
class NeuronTokens:
    """One text as a neuron answers to it.

    Attributes:
        tokens: what each token shows.
        values: the neuron's value at each, float32 of shape (tokens,).
        special: whether a token is a special one, which the report leaves out; bool of shape (tokens,).
    """

    tokens: tuple[str, ...]
    values: np.ndarray
    special: np.ndarray

    @property
    def peak(self) -> float:
        """The value of the largest size at a token that is not special; 0 where there is none."""
        plain = self.values[~self.special]
        return float(plain[np.abs(plain).argmax()]) if len(plain) else 0.0
