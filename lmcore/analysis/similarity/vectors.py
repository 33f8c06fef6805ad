"""What of a text's tokens stands for it in a comparison, and reading these vectors at every layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmcore.analysis.room import fitting_batch, states_of
from lmcore.analysis.similarity.methods import POOLING
from lmcore.errors import InputError, OptionError
from lmcore.models.encode import Encodings, encode_texts
from lmcore.models.hidden import BATCH_SIZE, HiddenBatch, stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.types import Report


@dataclass(frozen=True, eq=False)
class Rows:
    """Which vectors of some texts are compared.

    Attributes:
        pooling: one of `POOLING`.
        places: for each text the positions of the tokens that are taken, int64; of the mean, one place that is not read.
    """

    pooling: str
    places: Sequence[np.ndarray]

    @property
    def count(self) -> int:
        """How many rows they make."""
        return sum(map(len, self.places))

    @property
    def starts(self) -> np.ndarray:
        """Where each text's rows begin, int64 of shape (texts,)."""
        return np.cumsum([0, *map(len, self.places)])[:-1]


def read_tokens(loaded: LoadedModel, texts: Sequence[str], max_length: int) -> Encodings:
    """Turn texts into token ids, each cut after ``max_length`` of them.

    Raises:
        InputError: a text has no tokens.
    """
    encodings = encode_texts(loaded.tokenizer, texts, max_length)
    empty = np.flatnonzero(encodings.lengths == 0)
    if len(empty):
        raise InputError(
            f"{len(empty)} of the texts have no tokens for {loaded.ref}, the first is number {int(empty[0]) + 1}: leave "
            "empty texts out."
        )
    return encodings


def choose_rows(encodings: Encodings, pooling: str, *, most: int | None, seed: int) -> Rows:
    """Say which vectors of the texts are compared.

    Args:
        encodings: the texts.
        pooling: one of `POOLING`.
        most: how many tokens are drawn at random where there are more; None takes all.
        seed: of the draw.

    Raises:
        OptionError: there is no such pooling.
    """
    if pooling not in POOLING:
        raise OptionError(f"The pooling is {pooling!r}: give one of {', '.join(POOLING)}.")
    lengths = encodings.lengths
    if pooling == "last":
        return Rows(pooling, [np.array([length - 1]) for length in lengths])
    if pooling != "tokens":
        return Rows(pooling, [np.array([0])] * len(lengths))
    total = int(lengths.sum())
    drawn = np.ones(total, dtype=bool)
    if most is not None and total > most:
        drawn[:] = False
        drawn[np.random.default_rng(seed).choice(total, most, replace=False)] = True
    return Rows(pooling, [np.flatnonzero(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])])


def layer_vectors(loaded: LoadedModel, encodings: Encodings, rows: Rows, report: Report) -> np.ndarray:
    """Run the model and return the rows at every layer.

    Returns:
        float32 of shape (layers + 1, rows, features), layer 0 being the embeddings.

    Raises:
        InputError: a layer gives values that are not finite.
        ResourceError: the longest text would not fit into memory.
        Cancelled: the report asked to stop.
    """
    found: np.ndarray | None = None
    starts = rows.starts
    size = fitting_batch(loaded, int(encodings.lengths.max(initial=1)), BATCH_SIZE, read=0, kept=states_of(loaded))
    for batch in stream_hidden_states(loaded, encodings, batch_size=size, report=report):
        if found is None:
            found = np.empty((len(batch.states), rows.count, batch.states[0].shape[-1]), dtype=np.float32)
        into = np.concatenate([starts[text] + np.arange(len(rows.places[text])) for text in batch.rows])
        for layer, values in enumerate(_taken(batch, rows)):
            found[layer, into] = values
    if found is None:
        raise InputError("There are no texts: give some.")
    bad = [layer for layer, values in enumerate(found) if not np.isfinite(values).all()]
    if bad:
        raise InputError(
            f"Layer {bad[0]} of {loaded.ref} gives values that are NaN or infinite for these texts: its weights are damaged, "
            "or training has run away."
        )
    return found


def _taken(batch: HiddenBatch, rows: Rows) -> list[np.ndarray]:
    """Return each layer's rows of a batch, text by text."""
    from lmcore.models.pooled import mean_pool

    if rows.pooling == "mean":
        return [mean_pool(state, batch.mask).float().cpu().numpy() for state in batch.states]
    number = np.concatenate([np.full(len(rows.places[text]), n) for n, text in enumerate(batch.rows)])
    place = np.concatenate([rows.places[text] for text in batch.rows])
    return [state[number, place].float().cpu().numpy() for state in batch.states]
