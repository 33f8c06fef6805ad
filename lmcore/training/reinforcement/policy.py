"""TRL's trainer for group relative policy optimisation (Shao et al. 2024): its settings, prompts and rewards."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcore.models.start import StartModel
from lmcore.training.checkpoints import begun_folder
from lmcore.training.reinforcement.policy_watch import PolicyWatch
from lmcore.training.reinforcement.rewarding import WeightedReward
from lmcore.training.reinforcement.rewards.settings import Reward
from lmcore.training.sampling import GroupedPrompts
from lmcore.training.trained import TrainJob
from lmcore.training.trainer import common_arguments

if TYPE_CHECKING:
    from lmcore.tasks.prompting import Prompts
    from lmcore.training.config import TrainConfig


def prompts_at_once(config: "TrainConfig") -> int:
    """Return from how many prompts a step writes."""
    return config.batch_size * config.accumulation // config.group


def steps_of(config: "TrainConfig", rows: int) -> tuple[int, int]:
    """Return the steps of an epoch and those of the run."""
    epoch = rows // prompts_at_once(config)
    return epoch, min(epoch * config.epochs, config.steps or epoch * config.epochs)


def build_policy_trainer(
    job: TrainJob,
    start: StartModel,
    origin: Path,
    prompts: "Prompts",
    reward: WeightedReward,
    measure: Callable[[Any], dict[str, float]],
) -> tuple[Any, PolicyWatch]:
    """Return TRL's trainer of a run, and what watches it.

    Args:
        job: configuration and where to report.
        start: the model that is trained.
        origin: the folder in which it lies as it is at first: the KL divergence is measured from there.
        prompts: what it writes from; their token ids are taken as they are.
        reward: what its texts get.
        measure: from the model to its figures on dev, ``dev_reward`` among them.
    """
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOTrainer

    config, rows = job.config, len(prompts.encodings)
    epoch_steps, steps = steps_of(config, rows)
    sampler = GroupedPrompts(rows, prompts_at_once(config), config.group, config.accumulation, seed=config.seed)

    class Policy(GRPOTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return sampler

        def _get_output_dir(self, trial: Any) -> str:
            return str(begun_folder(job.scratch))

        def _tokenize_prompts(self, numbers: Sequence[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [list(prompts.encodings.ids[int(number)]) for number in numbers], None, {}

        def create_model_card(self, *given: Any, **named: Any) -> None:
            """Write none beside each checkpoint."""

    watch = type("WatchingPolicy", (PolicyWatch, TrainerCallback), {})(job, start, epoch_steps, steps, measure)
    named = start.model.config._name_or_path
    start.model.config._name_or_path = str(origin)  # TRL reads the reference from where the policy says it is from
    trainer = Policy(
        model=start.model,
        reward_funcs=[_as_trl(name, part, prompts.references) for name, part in reward.parts.items()],
        args=_arguments(job, steps, reward.weights),
        train_dataset=Dataset.from_dict({"prompt": [str(row) for row in range(rows)], "row": list(range(rows))}),
        processing_class=start.tokenizer,
        callbacks=[watch],
        peft_config=_adapters(job, start),
    )
    start.model.config._name_or_path = named
    for model in (start.model, trainer.ref_model):
        if model is not None:
            _count_places(model)
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, which belongs to the caller
    return trainer, watch


def _arguments(job: TrainJob, steps: int, weights: Sequence[float]) -> Any:
    from trl import GRPOConfig

    config = job.config
    arguments = GRPOConfig(
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        num_generations=config.group,
        max_completion_length=config.new_tokens,
        temperature=config.temperature,
        beta=config.kl_weight,
        reward_weights=list(weights),
        disable_dropout=True,
        gradient_checkpointing=False,
        **common_arguments(job, steps),
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # TRL writes on one device
    return arguments


def _as_trl(name: str, reward: Reward, references: Sequence[str]) -> Callable[..., list[float]]:
    """Return a reward as TRL calls it; it is logged under its name."""

    def rewarded(completions: Sequence[str], row: Sequence[int], **rest: Any) -> list[float]:
        found = reward([text.strip() for text in completions], [references[number] for number in row])
        return [float(value) for value in found]

    rewarded.__name__ = name
    return rewarded


def _adapters(job: TrainJob, start: StartModel) -> Any:
    """Return the configuration of low-rank adapters, or None where all weights are trained."""
    if not job.config.adapters:
        return None
    from lmcore.training.lora import adapter_settings

    return adapter_settings(start, job.config, job.task.extra_tokens)


def _count_places(model: Any) -> None:
    """Let a decoder count the places of a text from its first token: TRL pads on the left and does not tell it."""
    from lmcore.models.generate import takes_places

    def hook(module: Any, given: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        mask = named.get("attention_mask")
        if named.get("position_ids") is None and named.get("past_key_values") is None and mask is not None:
            named = {**named, "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)}
        return given, named

    if takes_places(model):
        model.register_forward_pre_hook(hook, with_kwargs=True)
