"""Layer pruning by importance: block influence (Men et al. 2024), or the loss on dev without a layer."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lmcore.errors import OptionError
from lmcore.models.stacks import Stack, keep_layers, layer_stacks
from lmcore.models.structure import note
from lmcore.training.compression.made import Compressed, CompressJob, fewest


def prune_layers(job: CompressJob) -> Compressed:
    """Take the least important layers out; of an encoder-decoder the same share of both stacks.

    Raises:
        OptionError: the model's layers are kept in a way that is not known, or it has one alone.
        DataError: there is no dev row to judge on.
        Cancelled: the report asked to stop.
    """
    model = job.loaded.model
    stacks = layer_stacks(model.base_model)
    if all(len(stack) == 1 for stack in stacks):
        raise OptionError("The model has one layer alone, which cannot be taken out: choose another method.")
    judge = influence if job.config.score == "influence" else absence
    importance = judge(job, stacks)
    removed, said = {}, []
    for stack in stacks:
        last = _needed(model, stack)
        gone = fewest(importance[stack.name][: last if last else None], job.config.share)
        kept = [number for number in range(len(stack)) if number not in gone]
        said.append(
            f"{len(gone)} of {len(stack)} {'layers' if stack.name == 'layers' else f'layers of the {stack.name}'}"
        )
        removed[stack.name] = gone
        _follow(model, kept)
        note(model, **keep_layers(model.base_model, stack, kept))
    rounded = {name: [float(f"{v:.4g}") for v in values] for name, values in importance.items()}
    return Compressed(
        summary=f"{' and '.join(said)} were taken out.", facts={"removed": removed, "importance": rounded}
    )


def influence(job: CompressJob, stacks: list[Stack]) -> dict[str, list[float]]:
    """Return 1 less the mean cosine between a token's vector before and after each layer; 0 for one that does nothing."""
    import torch

    total = {stack.name: torch.zeros(len(stack), dtype=torch.float64) for stack in stacks}
    seen = dict.fromkeys(total, 0.0)

    def hook(name: str, number: int) -> Any:
        def compare(module: Any, arguments: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
            before, after = _input(arguments, named), _output(out)
            weight = masks[name].to(before.dtype)
            alike = torch.nn.functional.cosine_similarity(before, after, dim=-1)
            total[name][number] += float(((1 - alike) * weight).sum())
            seen[name] += float(weight.sum()) if number == 0 else 0.0

        return compare

    with ExitStack() as hooks, torch.inference_mode():
        for stack in stacks:
            for number, layer in enumerate(stack.layers):
                handle = layer.register_forward_hook(hook(stack.name, number), with_kwargs=True)
                hooks.callback(handle.remove)
        for batch in job.batches():
            masks = _masks(batch)
            job.loaded.model(**batch)
    return {name: (values / seen[name]).tolist() for name, values in total.items()}


def absence(job: CompressJob, stacks: list[Stack]) -> dict[str, list[float]]:
    """Return by how much the mean loss on dev rises, in nats, when each layer is left out; negative where it falls."""
    whole = _loss(job)
    found: dict[str, list[float]] = {}
    for stack in stacks:
        found[stack.name] = []
        for layer in stack.layers:
            with _left_out(layer):
                found[stack.name].append(_loss(job) - whole)
    return found


def _loss(job: CompressJob) -> float:
    import torch

    total, seen = 0.0, 0
    with torch.inference_mode():
        for batch in job.batches():
            count = len(batch["input_ids"])
            total += float(job.loaded.model(**batch).loss) * count
            seen += count
    return total / seen


@contextmanager
def _left_out(layer: Any) -> Iterator[None]:
    """Let a layer give back what goes into it."""

    def skip(module: Any, arguments: tuple[Any, ...], named: dict[str, Any], out: Any) -> Any:
        before = _input(arguments, named)
        return (before, *out[1:]) if isinstance(out, tuple) else before

    handle = layer.register_forward_hook(skip, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _input(arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return arguments[0] if arguments else named["hidden_states"]


def _output(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) else out


def _masks(batch: dict[str, Any]) -> dict[str, Any]:
    """Return which tokens count, for each stack that there may be: those that are not padding."""
    read = batch["attention_mask"]
    written = batch["labels"] != -100 if "labels" in batch else read
    return {"layers": read, "encoder": read, "decoder": written}


def _needed(model: Any, stack: Stack) -> int:
    """Return the layer that has to stay because the head reads the states before it and the last one is normed; else 0."""
    config = model.config
    reads_middle = stack.name == "layers" and hasattr(config, "cut") and not config.cut
    return len(stack) - 1 if reads_middle else 0


def _follow(model: Any, kept: list[int]) -> None:
    """Let a head that reads one layer's states go on to read those of the same layer."""
    if hasattr(model.config, "cut") and model.config.layer > 0:
        model.config.layer = max(1, sum(number < model.config.layer for number in kept))
