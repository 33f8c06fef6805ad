"""What the importance of heads is about: one number for each text, higher where the model does what it does now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.attention_run import attention_kinds
from lmcore.analysis.model_input import encode_inputs
from lmcore.analysis.written_output import read_output
from lmcore.errors import InputError
from lmcore.models.encode import IGNORED, Encodings, batch_of
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.tasks import load_task
from lmcore.types import Input, Target

if TYPE_CHECKING:
    import torch

_ANSWERS = ("logits", "intent_logits", "start_logits", "end_logits")

Batch = "dict[str, torch.Tensor]"
Value = Callable[[Any, "dict[str, torch.Tensor]"], "torch.Tensor"]


@dataclass(frozen=True, eq=False)
class Objective:
    """The numbers that heads are judged by.

    Attributes:
        said: what it is, in a few words.
        unit: ``logits``, ``nats`` or ``share``.
        batches: one batch of one window for each window of the texts.
        values: for each window a function of a model and its batch, or copies of it, that returns shape (copies,).
        copies: whether a batch may hold several copies of its window; not where the model returns one loss for all.
    """

    said: str
    unit: str
    batches: "list[dict[str, torch.Tensor]]"
    values: list[Value]
    copies: bool = True


def choose_objective(
    loaded: LoadedModel, texts: "Sequence[Input] | pd.DataFrame", target: Target | None, output: str | None
) -> Objective:
    """Return what heads are judged by, for this model.

    With a frame of labelled rows it is the loss, with its sign turned. Else it is the logit of a class where the task has
    classes; the mean log-probability of what an encoder-decoder writes, or of a decoder's own next tokens; the mean
    log-probability of the answers that another head gives now; and for a model without a head how much of the text's own
    mean vector is left, 1 being all of it.

    Args:
        loaded: the model.
        texts: what it reads, or rows of its task.
        target: of a task with classes what is explained; the predicted class where None.
        output: of an encoder-decoder what is written; what it writes by itself where None.

    Raises:
        InputError: there is no text, or the model has no such target or output.
    """
    if isinstance(texts, pd.DataFrame):
        if target is not None or output is not None:
            raise InputError("Labelled rows are judged by their loss: give neither a target nor an output, or give texts.")
        return _loss(loaded, texts)
    encodings = encode_inputs(loaded, texts)
    joined = len(attention_kinds(loaded)) > 1
    if output is not None and not joined:
        raise InputError(f"{loaded.ref} is no encoder-decoder and has no output apart from its text: leave it out.")
    if joined:
        return _written(loaded, encodings, target, output)
    batches = [batch_of(loaded.tokenizer, encodings, [n], loaded.device, labels=False) for n in range(len(encodings))]
    if loaded.task and loaded.labels:
        targets = _targets(loaded, texts, target)
        if targets:
            return _class_logits(loaded, batches, [targets[owner] for owner in encodings.owners])
    if target is not None:
        raise InputError(f"{loaded.ref} has no classes that could be a target: leave it out.")
    if not loaded.task:
        return Objective("the text's own mean vector", "share", batches, [_own_vector(loaded, batch) for batch in batches])
    if attention_kinds(loaded) == ("decoder",):
        if int(encodings.lengths.min()) < 2:
            raise InputError("A text of one token has no next token to judge by: give a longer one.")
        return Objective("the text's tokens", "nats", batches, [_next_tokens] * len(batches))
    return Objective("the answers it gives now", "nats", batches, [_own_answers(loaded, batch) for batch in batches])


def _targets(loaded: LoadedModel, texts: Sequence[Input], target: Target | None) -> list[Target]:
    if target is not None:
        return [target] * len(texts)
    task = load_task(loaded.task)
    offered = [task.targets(prediction) for prediction in predict_texts(loaded, texts)]
    return [each[0] for each in offered] if all(offered) else []


def _class_logits(
    loaded: LoadedModel, batches: "list[dict[str, torch.Tensor]]", targets: Sequence[Target]
) -> Objective:
    task = load_task(loaded.task)

    def value(target: Target) -> Value:
        def logits(model: Any, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
            return task.objective(model(**batch).logits.float(), target, loaded.labels)

        return logits

    names = dict.fromkeys(f"{t.label} rather than {t.against}" if t.against else t.label for t in targets)
    said = next(iter(names)) if len(names) == 1 else "the predicted classes"
    return Objective(said, "logits", batches, [value(target) for target in targets])


def _written(loaded: LoadedModel, encodings: Encodings, target: Target | None, output: str | None) -> Objective:
    import torch

    if target is not None:
        raise InputError(f"{loaded.ref} writes texts and has no classes: give an output in place of a target.")
    if output is not None and len(encodings) > 1:
        raise InputError("One output goes with one text: give one text, or let the model write for each.")
    batches = []
    for number in range(len(encodings)):
        one = _window(encodings, number)
        side = read_output(loaded, one, output)
        batch = batch_of(loaded.tokenizer, one, [0], loaded.device, labels=False)
        ids = {"decoder_input_ids": side.read.ids, "labels": side.written.ids}
        batches.append(batch | {name: torch.from_numpy(row)[None].to(loaded.device) for name, row in ids.items()})

    def value(model: Any, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
        inputs = {name: item for name, item in batch.items() if name != "labels"}
        return _log_probability(model(**inputs).logits, batch["labels"])

    return Objective("the output", "nats", batches, [value] * len(batches))


def _window(encodings: Encodings, number: int) -> Encodings:
    fields = {name: [values[number]] for name, values in encodings.fields.items()}
    one = slice(number, number + 1)
    return Encodings(
        [encodings.ids[number]], encodings.truncated[one], encodings.unknown[one], encodings.plain[one], fields
    )


def _own_vector(loaded: LoadedModel, batch: "dict[str, torch.Tensor]") -> Value:
    import torch

    from lmcore.models.pooled import mean_pool

    with torch.no_grad():
        now = mean_pool(loaded.model(**batch).last_hidden_state, batch["attention_mask"])[0].float()
    direction = now / now.square().sum()

    def value(model: Any, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
        pooled = mean_pool(model(**batch).last_hidden_state, batch["attention_mask"]).float()
        left: torch.Tensor = pooled @ direction
        return left

    return value


def _next_tokens(model: Any, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
    return _log_probability(model(**batch).logits[:, :-1], batch["input_ids"][:, 1:])


def _own_answers(loaded: LoadedModel, batch: "dict[str, torch.Tensor]") -> Value:
    import torch

    with torch.no_grad():
        out = loaded.model(**batch)
    answers = {name: out[name].argmax(dim=-1) for name in _ANSWERS if out.get(name) is not None}

    def value(model: Any, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
        out = model(**batch)
        parts = []
        for name, answer in answers.items():
            logits = out[name] if out[name].dim() == 3 else out[name][:, None]
            parts.append(_log_probability(logits, answer.reshape(1, -1).expand(len(logits), -1)))
        return torch.stack(parts).mean(dim=0)

    return value


def _log_probability(logits: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """Return the mean log-probability of the labels of each row in nats, shape (rows,)."""
    chosen: torch.Tensor = logits.float().log_softmax(dim=-1).gather(2, labels[..., None])[..., 0].mean(dim=1)
    return chosen


def _loss(loaded: LoadedModel, frame: pd.DataFrame) -> Objective:
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head, and so no loss: choose a registered version, or give texts.")
    task = load_task(loaded.task).adapted(loaded.model.config)
    task.check(frame, "the data", loaded.labels or None)
    encodings = task.encode(loaded.tokenizer, frame, loaded.max_length, loaded.labels)
    batches = [
        {name: item.to(loaded.device) for name, item in task.collate(loaded.tokenizer, encodings, [number]).items()}
        for number in range(len(encodings))
        if _is_learnt(encodings, number)
    ]
    if not batches:
        raise InputError("No row has anything to learn: give labelled rows.")

    def value(model: Any, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
        loss: torch.Tensor = -model(**batch).loss
        return loss[None]

    return Objective("the loss", "nats", batches, [value] * len(batches), copies=False)


def _is_learnt(encodings: Encodings, number: int) -> bool:
    """Say whether a window has a label: the loss of one without any is no number."""
    labels = encodings.fields.get("labels")
    return labels is None or not bool(np.all(np.asarray(labels[number]) == IGNORED))
