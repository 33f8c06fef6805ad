"""How well each layer of a model links words, over pairs of sentences whose words people have linked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError
from lmcore.fingerprint import fingerprint, fingerprint_frame
from lmcore.models.linking import ALIGNMENT
from lmcore.models.load import LoadedModel
from lmcore.tasks.alignment import TextAlignment
from lmcore.tasks.link_counts import link_bootstrap, link_figures, prediction_counts
from lmcore.tasks.ratios import RESAMPLES
from lmcore.types import Report, count_of

READ = ("source", "target", "links")
CHOSEN_HERE = (
    "The lowest of several layers flatters that layer: it is chosen on the pairs that it is measured on. Choose on one half "
    "(dev) and report on the other (test), as an evaluation does."
)


@dataclass(frozen=True, eq=False)
class AlignmentErrors:
    """How often each layer links other words than people did.

    That of the best layer is too good: it is the lowest of several on the same pairs. Choose the layer on some pairs and report
    it on others, as an evaluation does with dev and test.

    Attributes:
        model: in text form.
        data: the data set, in text form where it is stored and else by its name; empty for a frame.
        pairs: their number.
        unlinked: how many of them have no gold link: any link that is found there is an error.
        truncated: in how many of them a sentence was longer than the model's limit and its end was not read.
        layers: one row a layer, 0 being the embeddings: ``layer``, ``aer`` (alignment error rate, 0 to 1, the lower the better)
            with ``low`` and ``high``, the ends of its 95 % bootstrap interval over pairs, ``precision`` and ``recall``. All
            layers are resampled by the same draws.
        diagonal: the same figures of linking words by their place alone, without a model.
        best_layer: the one with the lowest error rate, the first of several.
        parameters: method, its options, the seed and the number of resamples.
        fingerprint: hash of weights, pairs and parameters.
    """

    model: str
    data: str
    pairs: int
    unlinked: int
    truncated: int
    layers: pd.DataFrame
    diagonal: Mapping[str, float]
    best_layer: int
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return ``layers`` with the diagonal's error rate as the column ``diagonal``."""
        return self.layers.assign(diagonal=self.diagonal["aer"])

    def verdict(self) -> str:
        """Say which layer is best, and whether it is better than the diagonal."""
        best = self.layers.iloc[self.best_layer]
        than = self.diagonal["aer"]
        beside = f"words linked by their place alone have {than:.3f}"
        if best["aer"] >= than:
            beside = f"no layer is better than linking words by their place alone, which has {than:.3f}"
        return (
            f"Layer {self.best_layer} has the lowest alignment error rate, {best['aer']:.3f} (95 % interval "
            f"{best['low']:.3f} to {best['high']:.3f}) over {self.pairs:,} pair{'s' * (self.pairs != 1)}; {beside}."
        )

    def notes(self) -> list[str]:
        """Return what has to be known of the pairs; mostly nothing."""
        found = []
        if self.unlinked:
            number = "1 pair has" if self.unlinked == 1 else f"{self.unlinked:,} pairs have"
            found.append(f"{number} no gold link: all that is linked there counts as wrong.")
        if self.truncated:
            found.append(
                f"In {self.truncated:,} of {self.pairs:,} pairs a sentence is longer than the model's limit: its last words "
                "have no link."
            )
        return found


def alignment_errors(
    loaded: LoadedModel,
    data: TextDataset | pd.DataFrame,
    *,
    method: str = "argmax",
    seed: int = 0,
    batch_size: int = 32,
    report: Report | None = None,
    **options: object,
) -> AlignmentErrors:
    """Measure the links of every layer against those of people (Och & Ney 2003).

    A layer's figures are those that `lmcore.training.evaluate` has for it. The lowest error rate of several layers flatters
    the layer that has it: choose on one half of the pairs, report on the other.

    Args:
        loaded: an encoder; no training for the task is needed.
        data: a data set, or a frame with the columns ``source``, ``target`` and ``links`` (sure ones as 0-2, possible ones
            as 0p2); words are set apart by white space, and each Chinese character is one.
        method: a name out of `lmcore.models.linking.ALIGNMENT`.
        seed: of the resampling.
        batch_size: sentences in one pass.
        report: progress and cancellation.
        options: of the method.

    Raises:
        DataError: there are no pairs, none of them has links, or links cannot be read.
        UnknownError: there is no such method.
        OptionError: an option is not valid.
        Cancelled: the report asked to stop.
    """
    chosen = ALIGNMENT[method].check(options)
    called, frame = _pairs(data)
    task = TextAlignment(method, chosen)
    task.check(frame, called)
    counts, read = task.layer_counts(loaded, frame, batch_size=batch_size, report=report)
    diagonal = prediction_counts(frame, task.diagonal(frame))
    figures = _figures(np.concatenate([counts, diagonal[None]]), seed)
    parameters = {"method": method, **chosen, "seed": seed, "resamples": RESAMPLES}
    layers = figures.iloc[:-1]
    return AlignmentErrors(
        model=str(loaded.ref),
        data=str(data.ref or data.name) if isinstance(data, TextDataset) else "",
        pairs=len(frame),
        unlinked=int((frame["links"].str.strip() == "").sum()),
        truncated=int(read.truncated.reshape(2, -1).any(axis=0).sum()),
        layers=layers,
        diagonal={str(name): float(value) for name, value in figures.iloc[-1].drop("layer").items()},
        best_layer=int(layers["aer"].to_numpy().argmin()),
        parameters=parameters,
        fingerprint=fingerprint(loaded.fingerprint, fingerprint_frame(frame[list(READ)]), parameters),
    )


def has_links(frame: pd.DataFrame) -> bool:
    """Say whether any row has gold links."""
    return "links" in frame.columns and bool((frame["links"].str.strip() != "").any())


def reading_cost(pairs: int, layers: int) -> str:
    """Say what it takes to measure so many layers, the embeddings among them, over so many pairs."""
    return (
        f"Reads both sentences of {count_of(pairs, 'pair')} once, and links their words by each of "
        f"{count_of(layers, 'layer')}."
    )


def _pairs(data: TextDataset | pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return what messages call the pairs, and their rows.

    Raises:
        DataError: no row has links.
    """
    called, frame = (data.called, data.frame) if isinstance(data, TextDataset) else ("The frame", data)
    if not has_links(frame):
        raise DataError(
            f"{called} has no links: the error rate is measured on pairs whose words people have linked, such as those of the "
            "samples words-en-fr and words-zh-en."
        )
    return called, frame if "id" in frame.columns else frame.assign(id=np.arange(len(frame)))


def _figures(counts: np.ndarray, seed: int) -> pd.DataFrame:
    """Return one row of figures for each linking; ``counts`` has the shape (linkings, pairs, 4)."""
    found = link_figures(counts.sum(axis=1))
    ends = [each["aer"] for each in link_bootstrap(counts, seed=seed)]
    return pd.DataFrame(
        {
            "layer": np.arange(len(counts)),
            "aer": found["aer"],
            "low": [low for low, _ in ends],
            "high": [high for _, high in ends],
            "precision": found["precision"],
            "recall": found["recall"],
        }
    )
