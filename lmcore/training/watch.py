"""What goes along with a training run: it reports, keeps the best epoch, seals checkpoints, and stops when asked."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lmcore.errors import Cancelled, LmError
from lmcore.models.start import StartModel, as_loaded
from lmcore.storage import disk_errors, sync_tree, write_json
from lmcore.training.checkpoints import complete
from lmcore.training.trained import TrainJob
from lmcore.types import Part


class Watch:
    """Passes on what the Trainer says, keeps the best epoch's weights, seals checkpoints, and stops when asked.

    Args:
        job: configuration and where to report.
        start: the model that is trained.
        epoch_steps: steps of an epoch.
        at_once: how many texts are computed at once; dev is read in batches of twice as many.
    """

    def __init__(self, job: TrainJob, start: StartModel, epoch_steps: int, at_once: int) -> None:
        self._job, self._start, self._epoch_steps = job, start, epoch_steps
        self._steps, self._at_once = epoch_steps * job.config.epochs, at_once
        self._done, self._dev_batches = 0.02, 0
        self._best_folder = job.scratch / "best"
        self._save_after = False
        self._workers = job.workers
        self.cancelled = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Let each worker but the first draw its own dropout; a checkpoint that is taken up brings its own state."""
        import torch

        if not self._workers.leads:
            torch.manual_seed(int(np.random.SeedSequence([args.seed, self._workers.rank]).generate_state(1)[0]))

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Say how far it is; on a request to stop, save a checkpoint and leave the loop."""
        message = (
            f"Step {state.global_step} of {self._steps}, epoch {math.ceil(state.epoch)} of {args.num_train_epochs}"
        )
        self._done = 0.02 + 0.93 * state.global_step / self._steps
        self._job.report.progress(self._done, message)
        if self._workers.agree(self._is_asked_to_stop()):
            self.cancelled = control.should_save = control.should_training_stop = True
        if self._ends_epoch(state):
            self._save_after, control.should_save = control.should_save, False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Measure whole epochs alone, and save at an epoch's end only once its dev figures are kept.

        A run that is resumed from there does not measure that epoch again.
        """
        if self._ends_epoch(state):
            control.should_save = self._save_after
        else:
            control.should_evaluate = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **rest: Any) -> None:
        """Record the loss and rate.

        Raises:
            LmError: the loss is not a number any more.
        """
        loss = logs.get("loss")
        if loss is not None and not math.isfinite(loss):
            raise self._lost(f"The loss is {loss}", state.global_step)
        if loss is not None:
            self._job.report.metrics(state.global_step, {"loss": loss, "learning_rate": logs["learning_rate"]})

    def on_prediction_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Say that it goes on: a long dev split is no run that hangs."""
        self._dev_batches += 1
        self._job.report.progress(self._done, f"Measuring the loss on dev, batch {self._dev_batches}")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, float], **rest: Any) -> None:
        """Record the dev figures and keep the weights of the best epoch."""
        self._dev_batches = 0
        values = {"dev_loss": metrics["eval_loss"], **self._measure(rest["model"])}
        self._job.report.metrics(state.global_step, values)
        earlier = self._read_best()
        if earlier is None or self._is_better(values, earlier["metrics"]):
            self._keep(rest["model"], {"epoch": round(state.epoch), "metrics": values})
        if self._has_lost_patience(state.epoch):
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Give the checkpoint that was just written its name.

        Raises:
            LmError: a weight is not a number any more, which the loss may show only later.
        """
        if not _are_numbers(rest["model"]):
            raise self._lost("A weight is not a number any more", state.global_step)
        self._workers.wait()  # each has written its random state into it
        if self._workers.leads:
            complete(self._job.scratch, state.global_step)
        self._workers.wait()

    def is_done(self, checkpoint: Path) -> bool:
        """Say whether a run that stands at a checkpoint had stopped there because dev did not get better any more."""
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return bool(state["global_step"] % self._epoch_steps == 0 and self._has_lost_patience(state["epoch"]))

    def restore_best(self, model: Any) -> dict[str, Any]:
        """Load the best epoch's weights into the model and return its epoch and dev figures."""
        from safetensors.torch import load_file

        best = self._read_best() or {"epoch": 0, "metrics": {}}
        if best["epoch"]:
            weights = load_file(self._best_folder / f"{best['epoch']}.safetensors")
            model.load_state_dict(weights, strict=False)  # weights that do not change are not kept
        return best

    def _lost(self, what: str, step: int) -> LmError:
        rate = f"lower the learning rate ({self._job.config.learning_rate:g})"
        return LmError(f"{what} at step {step}: {rate}; the checkpoints before it are kept.")

    def _is_asked_to_stop(self) -> bool:
        try:
            self._job.report.check()
        except Cancelled:
            return True
        return False

    def _measure(self, model: Any) -> dict[str, float]:
        """Return the task's metrics on dev, named ``dev_…``; none where the loss decides."""
        job = self._job
        if job.task.dev_metric == "loss":
            return {}
        model.eval()
        loaded = as_loaded(job.config.model, job.task, model, self._start, job.labels)
        going_on = _Measuring(job.report, self._done, self._done)
        examined = job.task.examine(loaded, job.dev.frame, batch_size=2 * self._at_once, report=going_on)
        found = job.task.measure(job.dev.frame, examined.predictions, job.labels)
        return {f"dev_{name}": value for name, value in found.items()}

    def _is_better(self, values: Mapping[str, float], earlier: Mapping[str, float]) -> bool:
        name = self._job.task.dev_metric
        higher = name != "loss" and self._job.task.metric(name).higher
        new, old = values[f"dev_{name}"], earlier[f"dev_{name}"]
        return new > old if higher else new < old

    def _has_lost_patience(self, epoch: float) -> bool:
        best, patience = self._read_best(), self._job.config.patience
        return bool(patience and best and round(epoch) - best["epoch"] >= patience)

    def _ends_epoch(self, state: Any) -> bool:
        return bool(state.global_step % self._epoch_steps == 0)

    def _read_best(self) -> dict[str, Any] | None:
        path = self._best_folder / "best.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def _keep(self, model: Any, best: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        with disk_errors(self._best_folder):
            self._best_folder.mkdir(exist_ok=True)
            written, target = (self._best_folder / f"{best['epoch']}.{end}" for end in ("part", "safetensors"))
            save_file(_changing(model), written)
            sync_tree(self._best_folder)
            written.replace(target)  # the same epoch may stand there already, from before memory ran out
            sync_tree(self._best_folder, deep=False)
        write_json(self._best_folder / "best.json", best)
        for old in self._best_folder.glob("*.safetensors"):
            if old.stem != str(best["epoch"]):
                old.unlink()


class _Measuring(Part):
    """The report of a measurement on dev, which is not broken off: a request to stop is heard at the next step."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Say what it is a measurement of, too."""
        super().progress(fraction, f"Measuring on dev: {message}")

    def check(self) -> None:
        """Let it go on."""


def _are_numbers(model: Any) -> bool:
    """Say whether every weight that training changes is finite."""
    return all(bool(weight.isfinite().all()) for weight in model.parameters() if weight.requires_grad)


def _changing(model: Any) -> dict[str, Any]:
    """Return copies of the tensors that training changes: weights that take a gradient, and buffers."""
    fixed = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    return {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items() if k not in fixed}
