"""What is explained of a model's output: one target of each text, or every token that was written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lmcore.analysis.asked import Asked
from lmcore.analysis.runs import Variants, among_read, read_where_written, run_embeddings
from lmcore.models.load import LoadedModel
from lmcore.models.reading import Reading
from lmcore.tasks import load_task

if TYPE_CHECKING:
    import torch

OBJECTIVES = ("log_probability", "probability", "logit")


class Quantity(Protocol):
    """Values of a batch's output."""

    def of(self, out: Any, readings: Sequence[Reading], numbers: Sequence[int]) -> "list[torch.Tensor]":
        """Return the values, for each output a tensor of shape (rows,): what leads back from one passes over no other.

        Args:
            out: what the model returned.
            readings: one a row.
            numbers: which text each row is a variant of.
        """
        ...

    def options(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Return what the model is told besides, for these rows."""
        ...


@dataclass(frozen=True, eq=False)
class OneTarget:
    """The value of each text's target, as its task has it."""

    loaded: LoadedModel
    asked: Sequence[Asked]

    def of(self, out: Any, readings: Sequence[Reading], numbers: Sequence[int]) -> "list[torch.Tensor]":
        """Return each row's value."""
        import torch

        task, batch = load_task(self.loaded.task).adapted(self.loaded.model.config), Variants(out)
        rows = [
            task.objective(self.loaded, batch[place], reading, self.asked[n].target)[0]
            for place, (reading, n) in enumerate(zip(among_read(self.loaded, readings), numbers, strict=True))
        ]
        return [torch.stack(rows).float()]

    def options(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Return the places at which the head is to be read, where the model can leave the others out."""
        return read_where_written(self.loaded, readings)


@dataclass(frozen=True, eq=False)
class TargetProbability:
    """How probable each text's target is, 0 to 1."""

    loaded: LoadedModel
    asked: Sequence[Asked]

    def of(self, out: Any, readings: Sequence[Reading], numbers: Sequence[int]) -> "list[torch.Tensor]":
        """Return each row's probability."""
        import torch

        task, batch = load_task(self.loaded.task).adapted(self.loaded.model.config), Variants(out)
        rows = [
            task.probability(self.loaded, batch[place], reading, self.asked[n].target)[0]
            for place, (reading, n) in enumerate(zip(among_read(self.loaded, readings), numbers, strict=True))
        ]
        return [torch.stack(rows).float()]

    def options(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Return the places at which the head is to be read, where the model can leave the others out."""
        return read_where_written(self.loaded, readings)


@dataclass(frozen=True, eq=False)
class EveryToken:
    """How probable each token is that was written, given what stands before it.

    Attributes:
        loaded: a model that writes.
        objective: one of `OBJECTIVES`: nats, 0 to 1, or the logit.
        outputs: how many values a row has: the longest output's tokens; those that a shorter one has not are 0.
    """

    loaded: LoadedModel
    objective: str
    outputs: int

    def of(self, out: Any, readings: Sequence[Reading], numbers: Sequence[int]) -> "list[torch.Tensor]":
        """Return the values of the first written token of each row, of the second one, and so on."""
        read = among_read(self.loaded, readings)
        return [self._column(out.logits, read, number) for number in range(self.outputs)]

    def _column(self, logits: "torch.Tensor", readings: Sequence[Reading], number: int) -> "torch.Tensor":
        import torch

        rows = [row for row, reading in enumerate(readings) if number < len(reading.written)]
        found = logits.new_zeros(len(readings), dtype=torch.float32)
        if not rows:
            return found
        at = np.array([readings[row].written.at[number] for row in rows])
        ids = np.array([readings[row].written.ids[number] for row in rows])
        places, tokens = torch.from_numpy(at).to(logits.device), torch.from_numpy(ids).to(logits.device)
        where = torch.tensor(rows, device=logits.device)
        values = self._scaled(logits[where, places]).gather(1, tokens[:, None])[:, 0]
        return found.index_put((where,), values.float())

    def options(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Return the places at which the head is to be read, where the model can leave the others out."""
        return read_where_written(self.loaded, readings)

    def _scaled(self, logits: "torch.Tensor") -> "torch.Tensor":
        if self.objective == "logit":
            return logits
        return logits.softmax(dim=-1) if self.objective == "probability" else logits.log_softmax(dim=-1)


def embedding_values(
    loaded: LoadedModel, readings: Sequence[Reading], quantity: Quantity, seen: Callable[[int], None]
) -> "Callable[[torch.Tensor, np.ndarray, np.ndarray], list[torch.Tensor]]":
    """Return what gives each row of a batch of embeddings its values, one tensor of shape (rows,) for each output.

    Args:
        loaded: the model.
        readings: the texts.
        quantity: what is read.
        seen: is told of each batch's rows before they are run.
    """

    def values(inputs: "torch.Tensor", numbers: np.ndarray, lengths: np.ndarray) -> "list[torch.Tensor]":
        seen(len(numbers))
        own = [readings[n] for n in numbers]
        out = run_embeddings(loaded, readings, inputs, numbers, **quantity.options(own))
        return quantity.of(out, own, numbers.tolist())

    return values
