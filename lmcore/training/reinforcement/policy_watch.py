"""What goes along with a run of reinforcement learning."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lmcore.models.start import StartModel
from lmcore.training.trained import TrainJob
from lmcore.training.watch import Watch

_LOGGED = {
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "completions/mean_length": "length",
    "completions/clipped_ratio": "cut_share",
}


class PolicyWatch(Watch):
    """Records rewards, and keeps the weights of the epoch whose texts get most of it on dev.

    Args:
        job: configuration and where to report.
        start: the model that is trained.
        epoch_steps: steps of an epoch.
        steps: of the run, which may end within an epoch.
        measure: from the model to its figures on dev, ``dev_reward`` among them.
    """

    def __init__(
        self,
        job: TrainJob,
        start: StartModel,
        epoch_steps: int,
        steps: int,
        measure: Callable[[Any], dict[str, float]],
    ) -> None:
        super().__init__(job, start, epoch_steps, job.config.batch_size)
        self._steps, self._rewarded = steps, measure

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **rest: Any) -> None:
        """Record loss and rate, the mean reward and its spread, KL divergence (nats a token) and length (tokens).

        Raises:
            LmError: the loss is not a number any more.
        """
        super().on_log(args, state, control, logs, **rest)
        found = {own: logs[name] for name, own in _LOGGED.items() if logs.get(name) is not None}
        names = [name for name in logs if name.startswith("rewards/") and name.endswith("/mean")]
        if len(names) > 1:
            found |= {f"reward_{name.split('/')[1]}": logs[name] for name in names}
        if found and "loss" in logs:
            self._job.report.metrics(state.global_step, found)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Measure whole epochs and the end of the run on dev before a checkpoint of that step is written."""
        if self._ends_epoch(state):
            values = self._measure(rest["model"])
            self._job.report.metrics(state.global_step, values)
            earlier = self._read_best()
            epoch = math.ceil(round(state.epoch, 6))
            if earlier is None or values["dev_reward"] > earlier["metrics"]["dev_reward"]:
                self._keep(rest["model"], {"epoch": epoch, "metrics": values})
            if self._has_lost_patience(epoch):
                control.should_training_stop = True
        super().on_epoch_end(args, state, control, **rest)

    def is_done(self, checkpoint: Path) -> bool:
        """Say whether a run that stands at a checkpoint had ended there."""
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return bool(state["global_step"] >= self._steps) or super().is_done(checkpoint)

    def _measure(self, model: Any) -> dict[str, float]:
        training = model.training
        model.eval()
        try:
            return self._rewarded(model)
        finally:
            model.train(training)

    def _ends_epoch(self, state: Any) -> bool:
        return super()._ends_epoch(state) or bool(state.global_step == self._steps)
