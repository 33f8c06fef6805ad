"""Learning without forgetting (Li and Hoiem 2016): a model is held to what it answered before, on the rows that it learns.

The old model's answers to each batch are what the new one is to give too, beside what the batch itself teaches. No
earlier row is needed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcore.models.encode import IGNORED, LEARNT
from lmcore.models.label_rows import label_groups
from lmcore.tasks.base import Task
from lmcore.training.trainer import Penalty

if TYPE_CHECKING:
    import torch

_OVER_TOKENS = ("start_logits", "end_logits")


def distillation(
    task: Task, teacher: Any, known: tuple[str, ...], labels: tuple[str, ...], *, strength: float, temperature: float
) -> Penalty:
    """Return how far a model's answers are from those that an earlier one gives to the same batch.

    It is the Kullback-Leibler divergence, in nats, of the two distributions over the earlier labels (classes, tags, tokens
    of the vocabulary, places in the text; of labels that do not exclude each other the mean over each one's two outcomes),
    times the squared temperature, so that its gradient keeps its size (Hinton et al. 2015): 0 where they answer the same.

    Args:
        task: the task of both.
        teacher: the earlier model; it is not changed, and moves to where the batches are.
        known: its labels.
        labels: those of the model that learns, among which all of the earlier ones are.
        strength: what the divergence is multiplied by.
        temperature: what logits are divided by.
    """
    import torch

    teacher = teacher.eval().requires_grad_(False)
    wide = label_groups(task, labels)
    places = {name: [wide[name].index(x) for x in group] for name, group in label_groups(task, known).items()}
    left_out = LEARNT | {"intent_labels"} if places else frozenset()

    def penalty(model: Any, batch: "Mapping[str, torch.Tensor]", outputs: Any) -> "torch.Tensor":
        with torch.no_grad():
            said = teacher.to(batch["input_ids"].device)(**{k: v for k, v in batch.items() if k not in left_out})
        total = torch.zeros((), device=batch["input_ids"].device)
        for name in [name for name in list(said) if name.endswith("logits")]:
            new, old = outputs[name].float(), said[name].float()
            new = new[..., places[name]] if name in places else new[..., : old.shape[-1]]
            total = total + _divergence(new / temperature, old / temperature, name, batch, teacher)
        return strength * temperature**2 * total

    return penalty


def _divergence(
    new: "torch.Tensor", old: "torch.Tensor", name: str, batch: "Mapping[str, torch.Tensor]", teacher: Any
) -> "torch.Tensor":
    """Return the mean divergence of one output over what is answered: rows, or the tokens that are learnt."""
    from torch.nn import functional

    if teacher.config.problem_type == "multi_label_classification" and new.dim() == 2:
        wanted = old.sigmoid()
        new_loss, old_loss = (functional.binary_cross_entropy_with_logits(x, wanted) for x in (new, old))
        return new_loss - old_loss
    if name in _OVER_TOKENS:
        outside = batch["attention_mask"] == 0
        new, old = (x.masked_fill(outside, -1e4) for x in (new, old))
    new, old = new.log_softmax(-1), old.log_softmax(-1)
    each = functional.kl_div(new, old, log_target=True, reduction="none").sum(-1)
    if each.dim() == 1:
        return each.mean()
    weight = _answered(batch, teacher, each)
    return (each * weight).sum() / weight.sum().clamp(min=1)


def _answered(batch: "Mapping[str, torch.Tensor]", teacher: Any, each: "torch.Tensor") -> "torch.Tensor":
    """Return 1 at the places whose output is learnt, else 0; a decoder's output is of the token that comes next."""
    from torch.nn import functional

    learnt = (batch["labels"] != IGNORED).to(each)
    if teacher.can_generate() and not teacher.config.is_encoder_decoder:
        return functional.pad(learnt[:, 1:], (0, 1))
    return learnt
