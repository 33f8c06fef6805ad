"""Comparing the layers of one model, or of two, over some texts."""

from collections.abc import Mapping, Sequence

import numpy as np

from lmcore.analysis.similarity.batches import BatchedCka, even_batches, kernel_fit
from lmcore.analysis.similarity.notes import Reading, notes_on
from lmcore.analysis.similarity.request import AT_ONCE_BYTES, MOST_TOKENS, Prepared, SimilarityRequest
from lmcore.analysis.similarity.result import LayerSimilarity
from lmcore.analysis.similarity.vectors import Rows, choose_rows, layer_vectors, read_tokens
from lmcore.errors import InputError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings
from lmcore.models.load import LoadedModel
from lmcore.types import Part, Report, Silent

READING = 0.8  # the share of the work that the forward passes are


def layer_similarity(
    loaded: LoadedModel,
    texts: Sequence[str],
    *,
    other: LoadedModel | None = None,
    method: str = "linear_cka",
    options: Mapping[str, object] | None = None,
    pooling: str = "mean",
    batch: int | None = None,
    seed: int = 0,
    memory: int = AT_ONCE_BYTES,
    report: Report | None = None,
) -> LayerSimilarity:
    """Compare all layers over some texts: within one model, or each of one with each of another.

    Args:
        loaded: any model.
        texts: what both models read, each with its own tokenizer, up to the tokens that the one with the smaller limit takes.
        other: a second model, such as what the first was trained from (`trained_from`); None compares the first with itself.
        method: one of `SIMILARITY`.
        options: the method's options; those left out have their defaults.
        pooling: what stands for a text, one of `POOLING`; of ``tokens`` at most 1000 are drawn, or ``batch`` from each batch.
        batch: estimate from random batches of at most this many texts, so that memory does not grow with their number; None
            compares all at once.
        seed: of the batches, the tokens drawn and the shuffle behind ``chance``.
        memory: the most bytes that comparing all at once may take.
        report: progress and cancellation.

    Raises:
        InputError: there are fewer than 3 texts (4 for an unbiased estimate), one has no tokens, a layer gives values that are
            not finite, two models whose tokens are compared cut the texts differently, or a measure says nothing on so few.
        OptionError: an option is not valid, or the method cannot be estimated in batches.
        ResourceError: comparing all at once takes too much memory.
        Cancelled: the report asked to stop.
    """
    request = SimilarityRequest.checked(method, options, pooling, batch, seed)
    request.check_texts(texts)
    models = [loaded] if other is None else [loaded, other]
    reader = _Reader(models, texts, request)
    compare = _at_once if batch is None else _in_batches
    matrix, chance, reading = compare(reader, memory, report or Silent())
    return LayerSimilarity(
        matrix=matrix,
        rows=reader.rows,
        fingerprint=fingerprint(reader.digest, method, dict(request.options), pooling, batch, seed),
        method=method,
        options=request.options,
        model=str(loaded.ref),
        other="" if other is None else str(other.ref),
        fingerprints=tuple(model.fingerprint for model in models),
        pooling=pooling,
        batch=batch,
        seed=seed,
        texts=len(texts),
        low=request.low,
        chance=chance,
        notes=notes_on(reading, request, rows=reader.rows, texts=len(texts), chance=chance),
    )


class _Reader:
    """Reads texts with one model or two, and counts what it read."""

    def __init__(self, models: Sequence[LoadedModel], texts: Sequence[str], request: SimilarityRequest) -> None:
        self.models, self.request = models, request
        self.rows = self.tokens = self.cut = 0
        self.digest = fingerprint(*(model.fingerprint for model in models))
        # A version may take fewer tokens than what it was trained from: both are to read the same of a text.
        self.max_length = min(model.max_length for model in models)
        self.texts = texts

    def encode(self, numbers: np.ndarray) -> tuple[list[Encodings], Rows]:
        """Turn some of the texts into token ids for each model, and say which rows are taken of them."""
        pooling, batch = self.request.pooling, self.request.batch
        some = [self.texts[number] for number in numbers]
        encoded = [read_tokens(model, some, self.max_length) for model in self.models]
        if pooling == "tokens" and any(found.ids != encoded[0].ids for found in encoded):
            raise InputError(
                "The two models cut the texts into different tokens, which cannot be compared: take the pooling mean."
            )
        rows = choose_rows(encoded[0], pooling, most=batch or MOST_TOKENS, seed=self.request.seed)
        self.rows += rows.count
        self.tokens += int(encoded[0].lengths.sum())
        self.cut += int(np.any([found.truncated for found in encoded], axis=0).sum())
        self.digest = fingerprint(self.digest, *(found.ids for found in encoded))
        return encoded, rows

    def vectors(self, encoded: Sequence[Encodings], rows: Rows, report: Report) -> list[np.ndarray]:
        """Run each model over what it reads; returns float32 of shape (layers + 1, rows, features) for each."""
        found = []
        for number, (model, encodings) in enumerate(zip(self.models, encoded, strict=True)):
            part = Part(report, number / len(self.models), (number + 1) / len(self.models))
            # Where a text's last token stands hangs on the tokenizer: each model has its own.
            own = rows if number == 0 or rows.pooling != "last" else choose_rows(encodings, "last", most=None, seed=0)
            found.append(layer_vectors(model, encodings, own, part))
        return found


def _at_once(reader: _Reader, memory: int, report: Report) -> tuple[np.ndarray, float, Reading]:
    request = reader.request
    encoded, rows = reader.encode(np.arange(len(reader.texts)))
    request.check_memory(reader.models, rows.count, memory)
    states = reader.vectors(encoded, rows, Part(report, 0.0, READING))
    sides = [[_prepared(request, layer, report) for layer in side] for side in states]
    first, second = sides[0], sides[-1]
    symmetric = len(sides) == 1 and bool(request.method.facts["symmetric"])
    matrix = np.zeros((len(first), len(second)))
    for i, one in enumerate(first):
        report.check()
        for j in range(i + 1 if symmetric else len(second)):
            matrix[i, j] = one.compare(second[j])
        report.progress(READING + (1 - READING) * (i + 1) / len(first), f"Layer {i} compared")
    if symmetric:
        matrix = np.tril(matrix) + np.tril(matrix, -1).T
    if len(sides) == 1:
        np.fill_diagonal(matrix, [0.0 if one.constant else 1.0 for one in first])
    order = np.random.default_rng(request.seed).permutation(rows.count)
    unrelated = [one.compare(two.shuffled(order)) for one, two in zip(first, second, strict=False)]
    constant = [[n for n, one in enumerate(side) if one.constant] for side in sides]
    kept = max(one.kept for side in sides for one in side)
    reading = Reading(reader.cut, reader.tokens, constant, kept, states[0].shape[2])
    return matrix, float(np.mean(unrelated)), reading


def _prepared(request: SimilarityRequest, rows: np.ndarray, report: Report) -> Prepared:
    report.check()
    return request.prepare(rows)


def _in_batches(reader: _Reader, memory: int, report: Report) -> tuple[np.ndarray, float, Reading]:
    request = reader.request
    sums = BatchedCka(kernel_fit(request.options.get("threshold")), seed=request.seed)
    batches = even_batches(len(reader.texts), int(request.batch or 0), request.seed)
    features = 0
    for number, chosen in enumerate(batches):
        stretch = Part(report, number / len(batches), (number + 1) / len(batches))
        encoded, rows = reader.encode(chosen)
        states = reader.vectors(encoded, rows, stretch)
        sums.add(states[0], states[1] if len(states) > 1 else None)
        features = states[0].shape[2]
    constant = sums.constant()[: len(reader.models)]
    matrix = sums.matrix()
    if len(reader.models) == 1:
        np.fill_diagonal(matrix, [float(n not in constant[0]) for n in range(len(matrix))])
    reading = Reading(reader.cut, reader.tokens, list(constant), 0, features)
    return matrix, float(sums.chance().mean()), reading
