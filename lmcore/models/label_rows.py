"""The labels of a model's outputs, and what its heads know of them when further labels come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcore.tasks.base import Task

if TYPE_CHECKING:
    import torch


def label_groups(task: Task, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the labels of each output of a task's models, by the output's name, in the order of their heads.

    Outputs over a vocabulary or over the tokens of a text have no labels: of such a task there are none.
    """
    options = task.model_options(labels)
    if not labels or not options:
        return {}
    first = len(labels) - int(options.get("intents", 0))
    groups = {"logits": tuple(labels[:first]), "intent_logits": tuple(labels[first:])}
    return {name: group for name, group in groups.items() if group}


def widened_labels(task: Task, known: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that a model knows, with those added that it lacks, each group by itself and the known ones first."""
    more = label_groups(task, found)
    if not known or not more:
        return tuple(known or found)
    groups = label_groups(task, known)
    wide = [(*group, *(x for x in more.get(name, ()) if x not in group)) for name, group in groups.items()]
    return tuple(label for group in wide for label in group)


def output_layers(task: Task, model: Any, labels: Sequence[str]) -> dict[str, str]:
    """Return the name of the linear layer that makes each labelled output: the last ones that a model has."""
    from torch import nn

    groups = label_groups(task, labels)
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return dict(zip(groups, linear[len(linear) - len(groups) :], strict=True))


def row_places(task: Task, model: Any, known: Sequence[str], labels: Sequence[str]) -> dict[str, "Places"]:
    """Return where the rows of a model's output layers stand among those of a model with further labels.

    Args:
        task: the task of both.
        model: the one with the ``known`` labels.
        known: its labels.
        labels: the other's, among which all of the known ones are.

    Returns:
        The places by the layer's name.
    """
    groups, wide = label_groups(task, known), label_groups(task, labels)
    layers = output_layers(task, model, known)
    return {
        layers[name]: Places(tuple(wide[name].index(label) for label in group), len(wide[name]))
        for name, group in groups.items()
    }


@dataclass(frozen=True, slots=True)
class Places:
    """Where the rows of a layer stand in one with more rows.

    Attributes:
        rows: the new place of each row.
        count: how many rows the new layer has.
    """

    rows: tuple[int, ...]
    count: int


def spread_rows(values: "Mapping[str, torch.Tensor]", places: Mapping[str, Places]) -> "dict[str, torch.Tensor]":
    """Return values of weights, by their names, in the shapes of a model with further labels.

    Args:
        values: one tensor for each weight of the model that knows fewer labels.
        places: what `row_places` returned.

    Returns:
        The same, but for rows of output layers at their new places; what belongs to further labels is 0.
    """
    spread = dict(values)
    for layer, where in places.items():
        for name in (f"{layer}.weight", f"{layer}.bias"):
            if name in values:
                spread[name] = values[name].new_zeros((where.count, *values[name].shape[1:]))
                spread[name][list(where.rows)] = values[name]
    return spread


def keep_rows(old: Any, new: Any, places: Mapping[str, Places]) -> None:
    """Copy the rows of a model's output layers into those of one with further labels, in place.

    Args:
        old: the model that knows fewer labels.
        new: the one with more; rows of labels that are new stay as they were drawn.
        places: what `row_places` returned.
    """
    import torch

    with torch.no_grad():
        for layer, where in places.items():
            known, wide = old.get_submodule(layer), new.get_submodule(layer)
            wide.weight[list(where.rows)] = known.weight.to(wide.weight)
            if known.bias is not None:
                wide.bias[list(where.rows)] = known.bias.to(wide.bias)
