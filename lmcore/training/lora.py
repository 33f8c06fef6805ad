"""The method `lora`: low-rank changes of frozen matrices (Hu et al. 2022)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lmcore.models.start import StartModel
from lmcore.training.config import TrainConfig
from lmcore.training.trained import Trained, TrainJob
from lmcore.training.weights import Learner, load_start, train_weights


def fit_lora(job: TrainJob) -> Trained:
    """Train low-rank adapters of every linear layer, and new heads whole; then merge the adapters into the weights.

    The result is a model like any other: it is saved, read and served as one that was trained in full.

    Raises:
        As `lmcore.training.weights.load_start` and `lmcore.training.weights.train_weights`.
    """
    trained = train_weights(job, lambda: _with_adapters(job))
    return replace(trained, model=trained.model.merge_and_unload().requires_grad_(True).eval())


def _with_adapters(job: TrainJob) -> Learner:
    start = load_start(job)
    return Learner(start, add_adapters(start, job.config, job.task.extra_tokens))


def add_adapters(start: StartModel, config: TrainConfig, extra_tokens: tuple[str, ...] = ()) -> Any:
    """Put adapters into a model, in place.

    Args:
        start: the model; its own weights are frozen, but for heads that are new.
        config: rank, scale and dropout of the adapters, and the seed of their weights.
        extra_tokens: tokens whose vectors are learnt too.

    Returns:
        The model as peft wraps it.
    """
    import torch
    from peft import get_peft_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        adapted = get_peft_model(start.model, adapter_settings(start, config, extra_tokens))
    for settings in adapted.peft_config.values():
        # At each checkpoint peft reads the configuration of the base, and asks the hub for one that is not in a folder.
        if not (Path(settings.base_model_name_or_path or "") / "config.json").is_file():
            settings.base_model_name_or_path = ""
    return adapted


def adapter_settings(start: StartModel, config: TrainConfig, extra_tokens: tuple[str, ...] = ()) -> Any:
    """Return peft's configuration of a model's adapters; the arguments are those of `add_adapters`."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.rank,
        lora_alpha=config.scale,
        lora_dropout=config.adapter_dropout,
        target_modules=_matrices(start.model),
        modules_to_save=_heads(start.model) or None,
        trainable_token_indices=start.tokenizer.convert_tokens_to_ids(list(extra_tokens)) or None,
    )


def _heads(model: Any) -> list[str]:
    """Return the parts beside the base, which are trained whole: none where the model writes over its vocabulary."""
    if model.get_output_embeddings() is not None:
        return []
    parts = [(name, part) for name, part in model.named_children() if name != model.base_model_prefix]
    return [name for name, part in parts if any(True for _ in part.parameters())]


def _matrices(model: Any) -> list[str]:
    """Return the names of the base's linear layers."""
    from torch import nn

    outputs, heads = model.get_output_embeddings(), tuple(f"{name}." for name in _heads(model))
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not outputs]
    return [name for name in linear if not f"{name}.".startswith(heads)]
