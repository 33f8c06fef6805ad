"""What each layer knows: how well a small classifier reads a property of texts or words off its frozen vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.probes.classifiers import Fit, fit_probe
from lmcore.analysis.probes.coding import online_code
from lmcore.analysis.probes.control import control_classes
from lmcore.analysis.probes.examples import Prepared, Source
from lmcore.analysis.probes.methods import PROBES, PROPERTIES, STRENGTH
from lmcore.analysis.probes.scoring import Share, accuracy, compression, selectivity
from lmcore.analysis.probes.vectors import LayerVectors, layer_vectors
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.load import LoadedModel
from lmcore.tasks import load_task
from lmcore.types import Part, Report, Silent

__all__ = ["MOST_WORDS", "STRENGTH", "ProbeResult", "probe_layers"]

MOST_WORDS = 5_000


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What a probe reads off each layer.

    Attributes:
        accuracies: ``layer`` (0: embeddings), ``split``, ``accuracy``, ``low`` and ``high`` (95 % bootstrap interval over
            texts). With a control task also ``control``, the accuracy on it, and ``selectivity``, how far that is below
            ``accuracy``, with ``selectivity_low`` and ``selectivity_high``.
        best_layer: the layer with the highest accuracy on dev; the lower one where several are equal.
        strength: inverse strength of the L2 penalty.
        fingerprint: hash of weights, rows and settings.
        classes: the property's values.
        examples: split to how many texts or words it has.
        majority: split to the accuracy of always saying the most frequent class of train.
        codes: ``layer``, ``bits`` of all labels of train by online coding, ``uniform_bits``, ``compression`` (uniform by
            online: 1 where the layer says nothing) and its ``low`` and ``high``; None where it was not asked for.
        parameters: what was asked for.
    """

    accuracies: pd.DataFrame
    best_layer: int
    strength: float
    fingerprint: str
    classes: tuple[str, ...] = ()
    examples: Mapping[str, int] = field(default_factory=dict)
    majority: Mapping[str, float] = field(default_factory=dict)
    codes: pd.DataFrame | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Return the accuracies."""
        return self.accuracies


def probe_layers(
    loaded: LoadedModel,
    train: pd.DataFrame,
    dev: pd.DataFrame,
    test: pd.DataFrame | None = None,
    *,
    task: str = "text-classification",
    seed: int = 0,
    strength: float | None = None,
    report: Report | None = None,
    property: str = "label",
    property_options: Mapping[str, object] | None = None,
    probe: str = "linear",
    probe_options: Mapping[str, object] | None = None,
    control: bool = False,
    code: bool = False,
    most_words: int = MOST_WORDS,
) -> ProbeResult:
    """Fit a small classifier on the frozen vectors of each layer (Alain & Bengio 2016).

    A text is read by the mean of its tokens' vectors, a word by the mean of its own tokens' vectors.

    Args:
        loaded: any model; of an encoder-decoder the encoder is read.
        train: rows to fit on: ``id``, the task's texts, and what the property needs.
        dev: rows to choose the best layer on.
        test: rows to report on.
        task: whose columns the rows have.
        seed: of what is drawn, the fits and the intervals.
        strength: inverse strength of the L2 penalty; None takes the probe's own.
        report: progress and cancellation.
        property: a name of the registry PROPERTIES.
        property_options: its options.
        probe: a name of the registry PROBES.
        probe_options: its options.
        control: also fit each layer to a control task: every word (or text) has a class at random, as often as in the
            property, and the same wherever it stands (Hewitt & Liang 2019).
        code: also measure the description length of train's labels by online coding (Voita & Titov 2020).
        most_words: the most words of a split that are probed: whole texts are drawn up to this number.

    Raises:
        DataError: the rows have fewer than two classes, or lack a column; or dev or test has a label that train lacks.
        InputError: a split has no rows.
        UnknownError: there is no such property or probe.
        OptionError: an option is out of range.
        StorageError: the disk is full or refuses.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    parts = {"train": train, "dev": dev} | ({} if test is None else {"test": test})
    options = PROPERTIES[property].check(property_options or {})
    probing = PROBES[probe].check({**(probe_options or {}), **({} if strength is None else {"strength": strength})})
    if any(part.empty for name, part in parts.items() if name != "train"):
        raise InputError("A split has no rows: give some for each.")
    source = Source(parts, load_task(task), loaded.tokenizer, loaded.max_length, seed, most_words)
    prepared: Prepared = PROPERTIES[property].load()(source, **options)
    trial = _Trial(prepared, PROBES[probe].load()(**probing), seed, control, code)
    with layer_vectors(loaded, prepared.parts, Part(report, 0.0, 0.6)) as vectors:
        frame, codes = _all_layers(trial, vectors, Part(report, 0.6, 1.0))
    asked = {
        "property": property, "property_options": options, "probe": probe, "probe_options": probing, "seed": seed,
        "control": control, "code": code, "most_words": most_words, "task": task,
    }  # fmt: skip
    read = [[part.encodings.ids, part.values.tolist()] for part in prepared.parts.values()]
    return ProbeResult(
        accuracies=frame,
        best_layer=int(frame[frame["split"] == "dev"]["accuracy"].to_numpy().argmax()),
        strength=probing["strength"],
        fingerprint=fingerprint(loaded.fingerprint, read, asked),
        classes=prepared.classes,
        examples={split: len(part) for split, part in prepared.parts.items()},
        majority=trial.majority(),
        codes=codes,
        parameters=asked,
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """One property and one kind of probe, to be tried on every layer."""

    prepared: Prepared
    fit: Fit
    seed: int
    control: bool
    code: bool

    def gold(self) -> dict[str, np.ndarray]:
        return {split: part.classes(self.prepared.classes) for split, part in self.prepared.parts.items()}

    def control_gold(self) -> dict[str, np.ndarray]:
        shares = np.bincount(self.gold()["train"], minlength=len(self.prepared.classes)).astype(float)
        parts = self.prepared.parts.items()
        return {split: control_classes(part.types, shares, seed=self.seed) for split, part in parts}

    def majority(self) -> dict[str, float]:
        gold = self.gold()
        most = int(np.bincount(gold["train"]).argmax())
        return {split: float((found == most).mean()) for split, found in gold.items()}

    def right(self, vectors: LayerVectors, layer: int, gold: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Fit to train, and say of each example of each split whether the probe is right."""
        x = vectors.layer("train", layer)
        fitted = fit_probe(self.fit, x, gold["train"], len(self.prepared.classes), seed=self.seed)
        return {split: fitted.predict(vectors.layer(split, layer)) == gold[split] for split in gold}


def _all_layers(trial: _Trial, vectors: LayerVectors, report: Report) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the accuracies and, where it was asked for, the code lengths of all layers."""
    gold = trial.gold()
    by_chance = trial.control_gold() if trial.control else None
    rows: list[dict[str, Any]] = []
    codes: list[dict[str, Any]] = []
    for layer in range(vectors.layers):
        report.check()
        right = trial.right(vectors, layer, gold)
        learnt = trial.right(vectors, layer, by_chance) if by_chance is not None else None
        rows += _rows(trial, layer, right, learnt)
        if trial.code:
            report.check()
            codes.append(_code(trial, layer, vectors.layer("train", layer), gold["train"]))
        report.progress((layer + 1) / vectors.layers, f"Layer {layer} probed")
    return pd.DataFrame(rows), pd.DataFrame(codes) if trial.code else None


def _rows(
    trial: _Trial, layer: int, right: Mapping[str, np.ndarray], learnt: Mapping[str, np.ndarray] | None
) -> Iterator[dict[str, Any]]:
    for split, part in trial.prepared.parts.items():
        found = accuracy(right[split], part.texts, seed=trial.seed)
        row = {"layer": layer, "split": split, "accuracy": found.value, "low": found.low, "high": found.high}
        if learnt is not None:
            over: Share = selectivity(right[split], learnt[split], part.texts, seed=trial.seed)
            row |= {"control": float(learnt[split].mean()), "selectivity": over.value}
            row |= {"selectivity_low": over.low, "selectivity_high": over.high}
        yield row


def _code(trial: _Trial, layer: int, x: np.ndarray, gold: np.ndarray) -> dict[str, Any]:
    texts = trial.prepared.parts["train"].texts
    found = online_code(trial.fit, x, gold, len(trial.prepared.classes), seed=trial.seed, groups=texts)
    share = compression(found, texts, seed=trial.seed)
    return {
        "layer": layer, "bits": found.length, "uniform_bits": found.uniform, "compression": share.value,
        "low": share.low, "high": share.high,
    }  # fmt: skip
