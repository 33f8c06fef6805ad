"""Runs kept in MLflow: parameters, metrics and how each ended; a training never dies of its tracking."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcore.errors import Cancelled, StorageError
from lmcore.models.mlflow_store import artifact_folder, reading_client, tracking_errors, writing_client
from lmcore.settings import Workspace

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

EXPERIMENT = "lmscope"
BATCH_VALUES = 200
BATCH_SECONDS = 2.0
RETRY_SECONDS = 60.0
KEPT_VALUES = 20_000
PARAMETER_LENGTH = 6000
_PARAMETERS_A_CALL = 100
_METRICS_A_CALL = 1000
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunRecord:
    """One run as it is stored.

    Attributes:
        run_id: its identifier.
        name: what it was called.
        status: ``RUNNING``, ``FINISHED``, ``FAILED`` or ``KILLED`` (cancelled); a run whose process was killed
            from outside stays ``RUNNING`` here, and its job says what happened.
        started: seconds since 1970.
        ended: seconds since 1970, or None while it has not ended.
        parameters: name to text.
        metrics: name to the last value.
        tags: name to text.
    """

    run_id: str
    name: str
    status: str
    started: float
    ended: float | None
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class TrackedRun:
    """A run that is being made; values are sent in batches, at most every two seconds or 200 values.

    Attributes:
        run_id: its identifier, or empty where the tracking store could not be reached at the start.
    """

    def __init__(self, client: "MlflowClient | None", run_id: str) -> None:
        self.run_id = run_id
        self._client = client
        self._waiting: list[tuple[str, float, int, int]] = []
        self._next = time.monotonic() + BATCH_SECONDS
        self._failing = self._warned = False

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record measured values at a step."""
        if self._client is None:
            return
        now = int(time.time() * 1000)
        self._waiting += [(name, float(value), now, step) for name, value in values.items()]
        full = len(self._waiting) >= BATCH_VALUES and not self._failing
        if full or time.monotonic() >= self._next:
            self._send(self._client)

    def tag(self, **values: str) -> None:
        """Attach texts to the run."""
        if self._client is None:
            return
        for name, value in values.items():
            self._write(self._client.set_tag, self.run_id, name, value)

    def describe(self, parameters: Mapping[str, object]) -> None:
        """Record parameters; a value longer than 6000 characters is cut and ends with a mark that says so."""
        if self._client is None:
            return
        from mlflow.entities import Param

        listed = [Param(name, _to_text(value)) for name, value in parameters.items()]
        for start in range(0, len(listed), _PARAMETERS_A_CALL):
            self._write(self._client.log_batch, self.run_id, params=listed[start : start + _PARAMETERS_A_CALL])

    def end(self, status: str) -> None:
        """Send what is waiting and record how the run ended."""
        if self._client is None:
            return
        self._send(self._client)
        self._write(self._client.set_terminated, self.run_id, status)

    def _send(self, client: "MlflowClient") -> None:
        self._next = time.monotonic() + BATCH_SECONDS
        while self._waiting:
            part = self._waiting[:_METRICS_A_CALL]
            if not self._write(client.log_batch, self.run_id, metrics=_to_metrics(part)):
                # Newer values matter more than older ones once there are too many to keep.
                self._waiting = self._waiting[-KEPT_VALUES:]
                self._next = time.monotonic() + RETRY_SECONDS
                return
            self._waiting = self._waiting[len(part) :]

    def _write(self, write: Callable[..., object], *values: object, **named: object) -> bool:
        try:
            with tracking_errors("written"):
                write(*values, **named)
        except StorageError as error:
            if not self._warned:
                _warn(error)
            self._failing = self._warned = True
            return False
        self._failing = False
        return True


@contextmanager
def track_run(
    workspace: Workspace, *, name: str, parameters: Mapping[str, object], tracking_uri: str = ""
) -> Iterator[TrackedRun]:
    """Record a run: it ends FINISHED, KILLED where it was cancelled or interrupted, and FAILED otherwise.

    What cannot be written is logged as one warning and the work goes on.

    Args:
        workspace: holds the SQLite file that is used where no server is named.
        name: what the run is called.
        parameters: name to value; a value longer than 6000 characters is cut and ends with a mark that says so.
        tracking_uri: an MLflow server, or empty.
    """
    run = _start(workspace, name, parameters, tracking_uri)
    try:
        yield run
    except (Cancelled, KeyboardInterrupt, SystemExit):
        run.end("KILLED")
        raise
    except BaseException:
        run.end("FAILED")
        raise
    run.end("FINISHED")


def list_runs(workspace: Workspace, *, tracking_uri: str = "", limit: int = 200) -> list[RunRecord]:
    """Return the newest runs with their parameters and last metrics; an empty workspace gives an empty list.

    Raises:
        StorageError: the tracking store cannot be read.
    """
    client = reading_client(workspace, tracking_uri)
    if client is None:
        return []
    with tracking_errors("read"):
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return []
        found = client.search_runs(
            [experiment.experiment_id], max_results=limit, order_by=["attributes.start_time DESC"]
        )
    return [_record(item) for item in found]


def run_metrics(workspace: Workspace, run_id: str, *, tracking_uri: str = "") -> "pd.DataFrame":
    """Return every recorded value of a run.

    Returns:
        Columns ``step``, ``time`` (seconds since 1970), ``name`` and ``value``, sorted by name and step; no rows
        where nothing was recorded.

    Raises:
        StorageError: the tracking store cannot be read, or has no such run.
    """
    import pandas as pd

    client = reading_client(workspace, tracking_uri)
    rows: list[tuple[int, float, str, float]] = []
    if client is not None:
        with tracking_errors("read"):
            for name in client.get_run(run_id).data.metrics:
                history = client.get_metric_history(run_id, name)
                rows += [(item.step, item.timestamp / 1000, name, item.value) for item in history]
    frame = pd.DataFrame(rows, columns=["step", "time", "name", "value"])
    return frame.sort_values(["name", "step", "time"], ignore_index=True)


def _start(workspace: Workspace, name: str, parameters: Mapping[str, object], tracking_uri: str) -> TrackedRun:
    try:
        client = writing_client(workspace, tracking_uri)
        with tracking_errors("written"):
            experiment = _experiment(client, workspace, own_file=not tracking_uri)
            run = TrackedRun(client, client.create_run(experiment, run_name=name).info.run_id)
    except StorageError as error:
        _warn(error)
        return TrackedRun(None, "")
    run.describe(parameters)
    return run


def _warn(error: StorageError) -> None:
    _logger.warning("%s The training goes on without it.", error)


def _to_metrics(values: Sequence[tuple[str, float, int, int]]) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(*value) for value in values]


def _experiment(client: "MlflowClient", workspace: Workspace, *, own_file: bool) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        place = (artifact_folder(workspace) / EXPERIMENT).as_uri() if own_file else None
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=place))
        except MlflowException:
            # Another process may have made it in the same moment.
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
    return str(found.experiment_id)


def _record(item: Any) -> RunRecord:
    info, data = item.info, item.data
    return RunRecord(
        run_id=info.run_id,
        name=info.run_name or "",
        status=info.status,
        started=info.start_time / 1000,
        ended=info.end_time / 1000 if info.end_time else None,
        parameters=dict(data.params),
        metrics=dict(data.metrics),
        tags={key: value for key, value in data.tags.items() if not key.startswith("mlflow.")},
    )


def _to_text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= PARAMETER_LENGTH:
        return text
    mark = f"… ({len(text)} characters)"
    return text[: PARAMETER_LENGTH - len(mark)] + mark
