"""Saying how far a single pass is: after every layer the report is told, and asked whether to go on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lmcore.models.stacks import find_stacks
from lmcore.types import Report, count_of


@contextmanager
def layer_steps(model: Any, report: Report, doing: str, *, passes: int = 1) -> Iterator[None]:
    """Tell a report of every layer that a model runs meanwhile, so that one pass over a long text can be stopped in its middle.

    The hooks are the model's own and every thread's passes meet them: take a twin, as `LoadedModel.twin` gives it. Of a model
    whose layers are not known nothing is told.

    Args:
        model: a twin.
        report: progress and cancellation; `Cancelled` leaves the pass between two layers.
        doing: what is done, such as ``Attention``, for the message.
        passes: how often the whole model is run meanwhile.
    """
    layers = [layer for stack in find_stacks(model.base_model) for layer in stack.layers]
    total, done = passes * len(layers), 0

    def step(*_: Any) -> None:
        nonlocal done
        report.check()
        done += 1
        report.progress(min(done / total, 1.0), f"{doing}: {min(done, total)} of {count_of(total, 'layer')} run")

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_hook(step).remove)
        yield
