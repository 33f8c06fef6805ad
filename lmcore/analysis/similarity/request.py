"""What a comparison of layers is asked to do, checked before a model runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from lmcore.analysis.similarity.batches import SMALLEST
from lmcore.analysis.similarity.methods import POOLING, SIMILARITY
from lmcore.errors import InputError, OptionError, ResourceError
from lmcore.methods import Method, load_target
from lmcore.models.load import LoadedModel
from lmcore.settings import MIB

AT_ONCE_BYTES = 1024 * MIB
MOST_TOKENS = 1000
USUAL_BATCH = 256


class Prepared(Protocol):
    """One side of a comparison, in the form in which its measure compares it."""

    @property
    def constant(self) -> bool:
        """Whether it tells no example from another."""
        ...

    @property
    def kept(self) -> int:
        """How many directions it keeps; 0 where the measure is no mean of correlations."""
        ...

    def compare(self, other: Self) -> float:
        """Return how alike both are."""
        ...

    def shuffled(self, order: np.ndarray) -> Self:
        """Return the same of the examples in another order."""
        ...


@dataclass(frozen=True, slots=True)
class SimilarityCost:
    """What a comparison will take.

    Attributes:
        texts: how many texts are read.
        models: by how many models.
        pairs: how many pairs of layers are compared.
        memory: about how many bytes are held at most, besides the models.
        batch: the most texts in a batch; None where all are compared at once.
    """

    texts: int
    models: int
    pairs: int
    memory: int
    batch: int | None

    def sentence(self) -> str:
        """Say it."""
        who = "one model" if self.models == 1 else "two models"
        how = "at once" if self.batch is None else f"in batches of at most {self.batch}"
        return (
            f"{self.texts:,} texts are read by {who}, and {self.pairs:,} pairs of layers compared {how}, with about "
            f"{max(self.memory / MIB, 1):,.0f} MiB of memory besides the models."
        )


@dataclass(frozen=True, slots=True)
class SimilarityRequest:
    """How layers are compared.

    Attributes:
        method: one of `SIMILARITY`.
        options: its options, all of them.
        pooling: one of `POOLING`.
        batch: the most texts in a batch of the estimate; None compares all at once.
        seed: of whatever is drawn.
    """

    method: Method
    options: Mapping[str, Any]
    pooling: str
    batch: int | None
    seed: int

    @classmethod
    def checked(
        cls, method: str, options: Mapping[str, object] | None, pooling: str, batch: int | None, seed: int
    ) -> "SimilarityRequest":
        """Return a request whose parts are valid and fit together.

        Raises:
            UnknownError: there is no such method.
            OptionError: an option is not valid, or the method cannot be estimated in batches.
        """
        entry = SIMILARITY[method]
        values = entry.check(options or {})
        if pooling not in POOLING:
            raise OptionError(f"The pooling is {pooling!r}: give one of {', '.join(POOLING)}.")
        if batch is not None:
            _check_batch(entry, values, batch)
        return cls(entry, values, pooling, batch, seed)

    @property
    def low(self) -> float:
        """The lowest value that the measure can take."""
        return -1.0 if self.options.get("debiased") else float(self.method.facts["range"][0])

    @property
    def prepare(self) -> Callable[[np.ndarray], Prepared]:
        """What brings a representation (examples, features) into the form in which it is compared."""
        function = load_target(self.method.facts["prepare"])
        return lambda rows: function(rows, **self.options)

    def check_texts(self, texts: Sequence[str]) -> None:
        """Refuse too few texts.

        Raises:
            InputError: there are fewer than the measure needs.
        """
        if isinstance(texts, str):
            raise InputError("One text was given in place of a list: put it into a list.")
        fewest = int(self.method.facts["fewest"])
        if len(texts) < fewest:
            raise InputError(f"There are {len(texts)} texts: comparing layers takes at least {fewest}.")

    def check_memory(self, models: Sequence[LoadedModel], rows: int, limit: int) -> None:
        """Refuse a comparison at once that would take more memory than it may.

        Raises:
            ResourceError: saying how much it would take, and what to do.
        """
        needed = sum(self.at_once_bytes(model, rows) for model in models)
        if needed <= limit:
            return
        most = next((n for n in range(rows, 0, -max(rows // 100, 1)) if self._fits(models, n, limit)), 0)
        raise ResourceError(
            f"Comparing {rows:,} rows of every layer at once takes {needed / MIB:,.0f} MiB, and {limit / MIB:,.0f} are "
            f"allowed: take at most {most:,} rows, or debiased_cka in batches of {USUAL_BATCH}."
        )

    def cost(self, models: Sequence[LoadedModel], texts: int) -> SimilarityCost:
        """Return what comparing the layers over some texts will take."""
        rows = texts if self.batch is None else min(texts, self.batch)
        if self.pooling == "tokens":
            rows = self.batch or MOST_TOKENS
        memory = sum(self.at_once_bytes(model, rows) for model in models)
        pairs = (models[0].layers + 1) * (models[-1].layers + 1)
        return SimilarityCost(texts, len(models), pairs, memory, self.batch)

    def at_once_bytes(self, model: LoadedModel, rows: int) -> int:
        """Return the memory that one model's layers take when all rows are compared at once."""
        features = int(model.model.base_model.config.hidden_size)
        if self.method.facts["compares"] == "pairs of texts":
            kept = rows * (rows + 1) // 2
        else:
            kept = min(rows - 1, features) * (rows + features)
        return (model.layers + 1) * (4 * rows * features + 8 * kept)

    def _fits(self, models: Sequence[LoadedModel], rows: int, limit: int) -> bool:
        return sum(self.at_once_bytes(model, rows) for model in models) <= limit


def _check_batch(method: Method, options: Mapping[str, Any], batch: int) -> None:
    if not method.facts["batches"] or options.get("debiased") is False:
        raise OptionError(
            f"{method.title} cannot be estimated in batches: compare all texts at once, or take debiased_cka, or rbf_cka with "
            "debiased."
        )
    if batch < SMALLEST:
        raise OptionError(f"The batch is {batch}: give at least {SMALLEST} texts, such as {USUAL_BATCH}.")
