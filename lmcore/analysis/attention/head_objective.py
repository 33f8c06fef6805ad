"""What the importance of heads is about: one number for each text, higher where the model does what it does now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.analysis.asked import ask
from lmcore.analysis.attention.run import attention_kinds
from lmcore.analysis.model_input import encode_inputs
from lmcore.analysis.runs import run_tokens
from lmcore.errors import InputError
from lmcore.models.encode import IGNORED, Encodings, batch_of
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.models.reading import Reading
from lmcore.tasks import load_task
from lmcore.types import Input, Target

if TYPE_CHECKING:
    import torch

Value = Callable[[Any, int], "torch.Tensor"]


@dataclass(frozen=True, eq=False)
class Objective:
    """The numbers that heads are judged by.

    Attributes:
        said: what they are, in a few words.
        unit: ``logits``, ``nats`` or ``share``.
        values: for each text, or window of one, a function of a model and a number of copies of the text that run side by
            side; it returns a value for each copy, shape (copies,).
        widths: tokens of each.
        copies: whether there may be more than one; not where the model returns one loss for all.
    """

    said: str
    unit: str
    values: list[Value]
    widths: list[int]
    copies: bool = True


def choose_objective(
    loaded: LoadedModel, texts: "Sequence[Input] | pd.DataFrame", target: Target | None, output: str | None
) -> Objective:
    """Return what heads are judged by, for this model.

    With a frame of labelled rows it is the loss, with its sign turned; for a model without a head how much of the text's
    own mean vector is left, 1 being all of it; for a decoder of texts of which nothing is asked the mean log-probability of
    their own tokens; and else the value of what the task can explain: the target, or what the model predicts, or the whole
    of what it writes.

    Raises:
        InputError: there is no text, or the model has no such target or output.
        UnknownError: there is no such class.
    """
    if isinstance(texts, pd.DataFrame):
        if target is not None or output is not None:
            raise InputError(
                "Labelled rows are judged by their loss: give neither a target nor an output, or give texts."
            )
        return _loss(loaded, texts)
    if not loaded.task:
        if target is not None or output is not None or len(attention_kinds(loaded)) > 1:
            raise InputError(f"{loaded.ref} has no trained head: choose a registered version, or name a task for it.")
        return _own_vectors(loaded, encode_inputs(loaded, texts))
    task = load_task(loaded.task).adapted(loaded.model.config)
    plain = target is None and output is None and not task.outputs()
    if plain and attention_kinds(loaded) == ("decoder",) and not loaded.labels:
        return _own_tokens(loaded, encode_inputs(loaded, texts))
    return _targets(loaded, texts, target, output)


def _targets(loaded: LoadedModel, texts: Sequence[Input], target: Target | None, output: str | None) -> Objective:
    task = load_task(loaded.task).adapted(loaded.model.config)
    wanted, outputs = [target] * len(texts), None if output is None else [output] * len(texts)
    if target is None and task.decoding(loaded) is not None:
        outputs = outputs or [prediction.text for prediction in predict_texts(loaded.widest, texts)]
        wanted = [Target("phrase", text.strip(), 0, len(text)) for text in outputs]
    asked = ask(loaded, texts, wanted, outputs)

    def value(reading: Reading, wanted: Target) -> Value:
        def run(model: Any, copies: int) -> "torch.Tensor":
            out = run_tokens(replace(loaded, model=model), [reading] * copies)
            return task.objective(loaded, out, reading, wanted).float()

        return run

    kinds = {one.target.kind for one in asked}
    names = {f"{t.label} rather than {t.against}" if t.against else t.label for t in (one.target for one in asked)}
    said = next(iter(names)) if len(names) == 1 else "what the model predicts"
    unit = "nats" if "phrase" in kinds and not any(one.target.against for one in asked) else "logits"
    return Objective(said, unit, [value(a.reading, a.target) for a in asked], [len(a.reading) for a in asked])


def _own_vectors(loaded: LoadedModel, encodings: Encodings) -> Objective:
    import torch

    from lmcore.models.pooled import mean_pool

    def value(batch: "dict[str, torch.Tensor]") -> Value:
        def pooled(model: Any, copies: int) -> "torch.Tensor":
            many = _repeated(batch, copies)
            return mean_pool(model(**many).last_hidden_state, many["attention_mask"]).float()

        with torch.no_grad():
            now = pooled(loaded.model, 1)[0]
        direction = now / now.square().sum()
        return lambda model, copies: pooled(model, copies) @ direction

    batches = _batches(loaded, encodings)
    widths = encodings.lengths.tolist()
    return Objective("the text's own mean vector", "share", [value(batch) for batch in batches], widths)


def _own_tokens(loaded: LoadedModel, encodings: Encodings) -> Objective:
    if int(encodings.lengths.min()) < 2:
        raise InputError("A text of one token has no next token to judge by: give a longer one.")

    def value(batch: "dict[str, torch.Tensor]") -> Value:
        def run(model: Any, copies: int) -> "torch.Tensor":
            many = _repeated(batch, copies)
            scores = model(**many).logits[:, :-1].float().log_softmax(dim=-1)
            likely: torch.Tensor = scores.gather(2, many["input_ids"][:, 1:, None])[..., 0].mean(dim=1)
            return likely

        return run

    batches = _batches(loaded, encodings)
    return Objective("the text's own tokens", "nats", [value(batch) for batch in batches], encodings.lengths.tolist())


def _loss(loaded: LoadedModel, frame: pd.DataFrame) -> Objective:
    if not loaded.task:
        raise InputError(
            f"{loaded.ref} has no trained head, and so no loss: choose a registered version, or give texts."
        )
    task = load_task(loaded.task).adapted(loaded.model.config)
    task.check(frame, "the data", loaded.labels or None)
    encodings = task.encode(loaded.tokenizer, frame, loaded.max_length, loaded.labels)
    kept = [number for number in range(len(encodings)) if _is_learnt(encodings, number)]
    if not kept:
        raise InputError("No row has anything to learn: give labelled rows.")

    def value(batch: "dict[str, torch.Tensor]") -> Value:
        def run(model: Any, copies: int) -> "torch.Tensor":
            loss: torch.Tensor = -model(**batch).loss
            return loss[None]

        return run

    batches = [task.collate(loaded.tokenizer, encodings, [number]) for number in kept]
    values = [value({name: item.to(loaded.device) for name, item in batch.items()}) for batch in batches]
    return Objective("the loss", "nats", values, encodings.lengths[kept].tolist(), copies=False)


def _is_learnt(encodings: Encodings, number: int) -> bool:
    """Say whether a window has a label: the loss of one without any is no number."""
    labels = encodings.fields.get("labels")
    return labels is None or not bool(np.all(np.asarray(labels[number]) == IGNORED))


def _batches(loaded: LoadedModel, encodings: Encodings) -> "list[dict[str, torch.Tensor]]":
    rows = range(len(encodings))
    return [batch_of(loaded.tokenizer, encodings, [row], loaded.device, labels=False) for row in rows]


def _repeated(batch: "dict[str, torch.Tensor]", copies: int) -> "dict[str, torch.Tensor]":
    return {name: item.repeat_interleave(copies, dim=0) for name, item in batch.items()}
