"""Reading the texts of a data set for what their neurons do."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.neurons.report import SIGNED_THRESHOLD, NeuronConfig
from lmcore.analysis.neurons.selectivity import COLUMNS, Halves, LabelSums, measured
from lmcore.analysis.neurons.sums import NeuronSums, text_means, text_peaks
from lmcore.analysis.sources import Source
from lmcore.models.component_stream import stream_components
from lmcore.models.hidden import HiddenBatch
from lmcore.types import Report


class NeuronReader:
    """Reads the texts: first those that neurons are chosen on, then those that they are measured on."""

    def __init__(self, source: Source, config: NeuronConfig, signed: bool, split: Halves, batch_size: int) -> None:
        self.signed = signed
        default = SIGNED_THRESHOLD if signed else 0.0
        self.threshold = default if config.threshold is None else config.threshold
        self.pooling = config.pooling or ("mean" if signed else "max")
        self.numbers = tuple(part.layer for part in source.parts or ())
        self.sums = NeuronSums(
            source.layers, source.width, threshold=self.threshold, signed=signed, top=config.top_texts
        )
        self._source, self._config, self._split, self._batch_size = source, config, split, batch_size
        tokenizer = source.loaded.tokenizer
        self._special = sorted(set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})
        self._by_label = LabelSums(split, (source.layers, source.width)) if split.labels else None

    def choose(self, report: Report) -> None:
        """Read the texts on which neurons are chosen: all of them where there are no labels."""
        for rows, mask, states in self._batches(self._split.choose, report):
            for layer, values in enumerate(states):
                self.sums.add(layer, values, mask, rows)
                if self._by_label is not None:
                    self._by_label.add(layer, self._pooled(values, mask), rows)

    def measure(self, report: Report) -> pd.DataFrame:
        """Read the other texts, and return the neurons that tell labels apart."""
        if self._by_label is None:
            return pd.DataFrame(columns=COLUMNS)
        chosen = self._by_label.candidates(self._config.candidates)
        values = np.full((len(self._split.measure), len(chosen)), np.nan, dtype=np.float32)
        for rows, mask, states in self._batches(self._split.measure, report):
            places = np.searchsorted(self._split.measure, rows)
            for layer, found in enumerate(states):
                self.sums.add(layer, found, mask, rows)
                columns = [place for place, candidate in enumerate(chosen) if candidate[1] == layer]
                if columns:
                    pooled = self._pooled(found[:, :, [chosen[place][2] for place in columns]], mask)
                    values[places[:, None], columns] = pooled
        codes = self._split.codes[self._split.measure]
        return measured(chosen, values, codes, self._split.labels, self.numbers)

    def _pooled(self, values: Any, mask: Any) -> np.ndarray:
        found = text_means(values, mask) if self.pooling == "mean" else text_peaks(values, mask, signed=self.signed)
        pooled: np.ndarray = found.float().cpu().numpy()
        return pooled

    def _batches(self, rows: np.ndarray, report: Report) -> Iterator[tuple[np.ndarray, Any, list[Any]]]:
        """Yield the texts' numbers, which of their tokens count, and the values of each layer."""
        import torch

        for batch in self._stream(rows, report):
            numbers = rows[batch.rows]
            width = batch.states[0].shape[1]
            ids = [self._source.own.ids[row] for row in numbers]
            plain = [[token not in self._special for token in row] + [False] * (width - len(row)) for row in ids]
            mask = torch.tensor(plain, dtype=torch.bool, device=batch.states[0].device)
            some = mask.any(dim=1)
            self.sums.count(int(mask.sum()), int(some.sum()))
            if some.any():
                yield numbers[some.cpu().numpy()], mask[some], [state[some] for state in batch.states]

    def _stream(self, rows: np.ndarray, report: Report) -> Iterable[HiddenBatch]:
        source = self._source
        chosen = source.read.taken(rows.tolist())
        if not len(chosen):
            return []
        return stream_components(source.loaded, chosen, source.parts or (), batch_size=self._batch_size, report=report)
