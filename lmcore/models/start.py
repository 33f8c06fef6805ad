"""The model that a training run begins with: pre-trained weights with a head for the task, or random weights."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.errors import InputError
from lmcore.models.catalogue import MODELS, check_architecture, resolve_model
from lmcore.models.label_rows import keep_rows, row_places
from lmcore.models.load import TEMPERATURE, LoadedModel, load_model, model_folder, refuse_pickles
from lmcore.models.shape import Shape
from lmcore.models.structure import is_int8, shaped
from lmcore.settings import Settings
from lmcore.storage import whole_folder
from lmcore.tasks.base import Task
from lmcore.types import ModelRef

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class StartModel:
    """A model that is ready to be trained.

    Attributes:
        model: with every weight trainable, on the CPU, in float32.
        tokenizer: its tokenizer.
        max_length: the most tokens it takes.
    """

    model: Any
    tokenizer: Any
    max_length: int


def start_model(
    ref: "ModelRef | str",
    task: Task,
    frame: "pd.DataFrame",
    labels: Sequence[str],
    *,
    seed: int,
    settings: Settings,
    tokenizer_folder: Path | None = None,
    shape: Shape | None = None,
) -> StartModel:
    """Return the model to be trained; a new head and the weights of a configuration are drawn from ``seed``.

    A version of the task whose labels are all among the new ones keeps its head: rows are drawn for further labels alone.

    Args:
        ref: what to begin with.
        task: what it is to do.
        frame: the training rows: a model from a configuration learns its tokenizer from them.
        labels: the task's labels; none for a task that writes text.
        seed: of random weights.
        settings: the workspace.
        tokenizer_folder: where a tokenizer that was learnt is kept, so that a resumed run finds it again.
        shape: the size of a model from a configuration; others have theirs.

    Raises:
        InputError: the model cannot be loaded, or not trained.
        OptionError: the task cannot be done by a model of this architecture, or the size is none that it can have.
    """
    resolved = resolve_model(ref, settings)
    if resolved.kind == "config":
        check_architecture(resolved, task.name)
        shape = shape or Shape()
        tokenizer = _tokenizer(resolved.name, task, frame, tokenizer_folder, shape)
        model = new_model(resolved.name, task, tokenizer, labels, seed=seed, shape=shape)
        return StartModel(model, tokenizer, tokenizer.model_max_length)
    start = _pretrained(resolved, task, frame, tuple(labels), seed, settings)
    if hasattr(start.model.config, TEMPERATURE):
        setattr(start.model.config, TEMPERATURE, 1.0)  # it was fitted to weights that change now
    return start


def new_model(
    name: str, task: Task, tokenizer: Any, labels: Sequence[str], *, seed: int, shape: Shape | None = None
) -> Any:
    """Build a configuration's model for a task with random weights; the global random state is left as it was."""
    import torch

    config = MODELS[name].load()(tokenizer, shape or Shape())
    for key, value in task.model_options(labels).items():
        setattr(config, key, value)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return task.model_class().from_config(config).eval()


def as_loaded(ref: "ModelRef | str", task: Task, model: Any, start: StartModel, labels: Sequence[str]) -> LoadedModel:
    """Return a model that is being trained as one that can predict."""
    return LoadedModel(
        ref=ModelRef.parse(ref),
        task=task.name,
        model=model,
        tokenizer=start.tokenizer,
        labels=tuple(labels),
        fingerprint="",
        device=str(model.device),
        nbytes=0,
        max_length=start.max_length,
    )


def _tokenizer(name: str, task: Task, frame: "pd.DataFrame", kept: Path | None, shape: Shape) -> Any:
    from transformers import AutoTokenizer

    from lmcore.methods import load_target

    if kept is not None and kept.is_dir():
        return AutoTokenizer.from_pretrained(kept, local_files_only=True)
    size = {} if shape.vocabulary is None else {"vocabulary": shape.vocabulary}
    tokenizer = load_target(MODELS[name].facts["tokenizer"])(task.vocabulary_texts(frame), **size)
    _added(tokenizer, task)
    if kept is not None:
        with whole_folder(kept) as folder:
            tokenizer.save_pretrained(folder)
    return tokenizer


def _pretrained(
    ref: ModelRef, task: Task, frame: "pd.DataFrame", labels: tuple[str, ...], seed: int, settings: Settings
) -> StartModel:
    folder, own_task = model_folder(ref, settings)
    if folder.is_file():
        return _unpacked(ref, task, settings)
    refuse_pickles(folder)
    base = load_model(ref, task=own_task, device="cpu", settings=settings)
    if is_int8(base.model):
        raise InputError(f"{ref} is in eight bits, which cannot all be trained: train the version it was made from.")
    if own_task == task.name and base.labels == labels:
        return StartModel(base.model.float().requires_grad_(True), base.tokenizer, base.max_length)
    if task.mean_pooled and _is_mean_pooled(folder):
        _add_tokens(base.model, base.tokenizer, task, seed)
        model = _mean_pooled(base, task, frame, labels, seed)
        return StartModel(model, base.tokenizer, base.max_length)
    model = _with_new_head(ref, folder, task, labels, seed)
    if own_task == task.name and base.labels and set(base.labels) <= set(labels):
        keep_rows(base.model, model, row_places(task, base.model, base.labels, labels))
    _add_tokens(model, base.tokenizer, task, seed)
    _set_padding(model, base.tokenizer)
    return StartModel(model, base.tokenizer, base.max_length)


def _unpacked(ref: ModelRef, task: Task, settings: Settings) -> StartModel:
    """Return the model of a GGUF file in float32: one that writes, since such a file holds no other head."""
    try:
        base = load_model(ref, task=task.name, device="cpu", settings=settings)
    except InputError as error:
        raise InputError(
            f"{ref} cannot be trained for {task.title.lower()}: its file cannot be read, or lacks a head for it; choose "
            "another model, or the method head."
        ) from error
    base.model.is_quantized, base.model.hf_quantizer = (
        False,
        None,
    )  # the weights are plain numbers from here on, and can be saved
    return StartModel(base.model.requires_grad_(True), base.tokenizer, base.max_length)


def _with_new_head(ref: ModelRef, folder: Path, task: Task, labels: Sequence[str], seed: int) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return shaped(task.model_class(), folder).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
                **task.model_options(labels),
            )
        except ValueError as error:
            if "Unrecognized configuration class" not in str(error):
                raise
            raise InputError(
                f"{ref} is of a kind that cannot be trained for {task.title.lower()}: choose a base model."
            ) from error


def _is_mean_pooled(folder: Path) -> bool:
    """Say whether a model was trained to be read by its mean token vector, as sentence encoders note beside it."""
    try:
        noted = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(isinstance(noted, dict) and noted.get("pooling_mode_mean_tokens"))


def _mean_pooled(base: LoadedModel, task: Task, frame: "pd.DataFrame", labels: Sequence[str], seed: int) -> Any:
    """Return the encoder with a new linear classifier on the mean token vector of its last layer."""
    from lmcore.models.encode import batch_of
    from lmcore.models.pooled import build_classifier

    encoder = base.model.float()
    width = encoder.config.hidden_size
    weight = np.random.default_rng(seed).normal(0.0, 0.02, (len(labels), width))
    some = task.encode(base.tokenizer, frame.head(4), base.max_length)
    sample = batch_of(base.tokenizer, some, range(len(some)))
    model = build_classifier(encoder, base.layers, weight, np.zeros(len(labels)), labels, sample)
    model.config.problem_type = task.model_options(labels).get("problem_type")
    return model.requires_grad_(True)


def _added(tokenizer: Any, task: Task) -> int:
    """Add the task's own tokens to a tokenizer; returns how many of them it lacked."""
    if not task.extra_tokens:
        return 0
    return int(tokenizer.add_special_tokens({"additional_special_tokens": list(task.extra_tokens)}))


def _add_tokens(model: Any, tokenizer: Any, task: Task, seed: int) -> None:
    """Add the task's own tokens; their vectors begin near the mean of all others, a little apart from each other."""
    import torch

    if not _added(tokenizer, task):
        return
    known = model.get_input_embeddings().weight.shape[0]
    model.resize_token_embeddings(max(len(tokenizer), known), mean_resizing=False)
    inner = getattr(model.config, "encoder", None)
    if isinstance(inner, dict):  # the configuration of a mean-pooled model holds its encoder's
        inner["vocab_size"] = max(len(tokenizer), known)
    weight = model.get_input_embeddings().weight
    new = torch.tensor(tokenizer.convert_tokens_to_ids(list(task.extra_tokens)))
    noise = torch.randn(len(new), weight.shape[1], generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        mean, spread = weight[:known].mean(dim=0), weight[:known].std()
        weight[new] = mean + 0.5 * spread * noise.to(weight)


def _set_padding(model: Any, tokenizer: Any) -> None:
    """Give a decoder that has none a padding token: its head finds a text's last token by it."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = tokenizer.pad_token_id
