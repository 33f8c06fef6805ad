"""What a decoder is given to write on from, for the tasks that write."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lmcore.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.models.encode import Encodings
    from lmcore.tasks.base import Task


@dataclass(frozen=True, eq=False)
class Prompts:
    """Beginnings that a decoder writes on from.

    Attributes:
        encodings: one window a row, without what is to be written.
        sources: what a reader sees of each.
        references: what the data say should follow.
    """

    encodings: "Encodings"
    sources: tuple[str, ...]
    references: tuple[str, ...]


@runtime_checkable
class Prompting(Protocol):
    """A task whose rows give a decoder something to write on from."""

    def prompts(self, tokenizer: Any, frame: "pd.DataFrame", limit: int) -> Prompts:
        """Return a prompt for each row.

        Args:
            tokenizer: the decoder's.
            frame: rows of the task.
            limit: the most tokens that the model takes, what it writes included.
        """
        ...


def prompts_of(task: "Task", tokenizer: Any, frame: "pd.DataFrame", limit: int) -> Prompts:
    """Return a prompt for each row of a task that writes.

    Raises:
        OptionError: the task does not write.
    """
    if not isinstance(task, Prompting):
        raise OptionError(f"{task.title} writes no texts of its own: choose a task that does, such as text-generation.")
    return task.prompts(tokenizer, frame, limit)
