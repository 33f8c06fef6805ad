"""How probable a label is, from the values by which it is explained."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmcore.types import Target

if TYPE_CHECKING:
    import torch

    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.base import Task


def label_probability(
    task: "Task", loaded: "LoadedModel", out: Any, reading: "Reading", target: Target
) -> "torch.Tensor":
    """Return a label's probability among its rivals, shape (batch,), 0 to 1; by itself where it has none.

    Where it is held against another label, only these two count. Arguments and errors are those of the task's `objective`.
    """
    import torch

    names = () if target.against else task.rivals(loaded, target)
    if not names:
        return task.objective(loaded, out, reading, target).sigmoid()
    values = [task.objective(loaded, out, reading, replace(target, label=name)) for name in names]
    return (torch.stack(values) / loaded.temperature).softmax(dim=0)[names.index(target.label)]
