"""Maps of what a model makes of texts: one layer's mean token vectors, projected, with outliers and predictions."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, OptionError, StorageError
from lmcore.fingerprint import fingerprint
from lmcore.models.encode import Encodings, encode_texts
from lmcore.models.hidden import stream_hidden_states
from lmcore.models.load import LoadedModel
from lmcore.projection.maps import project
from lmcore.projection.methods import OUTLIERS, PROJECTION
from lmcore.projection.outliers import find_outliers
from lmcore.settings import Workspace
from lmcore.storage import whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.tasks.base import Task
from lmcore.tasks.classes import ClassTask
from lmcore.types import Part, Report, Silent

MAX_POINTS = 20_000


@dataclass(frozen=True)
class MapConfig:
    """Which map.

    Attributes:
        version: the model, in text form; a registered one or a base model.
        data: a stored data set, in text form; with a split where only that is mapped.
        layer: 0 for the embeddings up to the model's last layer; -1 for the last.
        method: a name of the registry PROJECTION.
        options: the method's options.
        outliers: a name of the registry OUTLIERS.
        outlier_options: its options.
        rows: the most rows that are mapped; more are sampled, stratified by label.
        seed: of the sampling.
    """

    version: str
    data: str
    layer: int = -1
    method: str = "pca"
    options: Mapping[str, Any] = field(default_factory=dict)
    outliers: str = "knn_distance"
    outlier_options: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 2000
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        names = self.__dataclass_fields__
        return {n: dict(v) if isinstance(v := getattr(self, n), Mapping) else v for n in names}

    def resolved(self, last_layer: int) -> "MapConfig":
        """Return the same map with nothing left open: every option, and the layer's own number.

        Args:
            last_layer: of the model.

        Raises:
            OptionError: an option is not valid; UnknownError: there is no such method.
        """
        return replace(
            self,
            layer=last_layer if self.layer < 0 else self.layer,
            options=PROJECTION[self.method].check(self.options),
            outlier_options=OUTLIERS[self.outliers].check(self.outlier_options),
        )

    @property
    def id(self) -> str:
        """Name of the stored map: equal settings give the equal map, once they are `resolved`."""
        return fingerprint(self.to_dict())


@dataclass(frozen=True, eq=False)
class RepresentationMap:
    """A map of texts.

    Attributes:
        points: ``id``, ``x``, ``y`` (and ``z``), ``text``, ``label``, ``predicted``, ``correct``, ``score`` (the
            prediction's probability; the three are empty for a base model), ``outlier`` (how far out in the full
            space, higher is farther) and ``is_outlier``.
        layer: the layer that was mapped.
        rows_total: how many rows the data has.
        quality: ``trustworthiness`` and ``continuity`` of the map, 0 to 1, or empty.
        explained_variance: shares along the axes for PCA, or empty.
        parameters: the configuration with every value that was in effect.
        fingerprint: hash of weights, data and parameters.
    """

    points: pd.DataFrame
    layer: int
    rows_total: int
    quality: Mapping[str, float]
    explained_variance: tuple[float, ...]
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the points."""
        return self.points


def map_representations(
    loaded: LoadedModel, data: TextDataset, config: MapConfig, *, report: Report | None = None
) -> RepresentationMap:
    """Run the model over the rows, project one layer's mean token vectors, and score outliers in the full space.

    Raises:
        OptionError: the model has no such layer, or an option is out of range.
        DataError: there are too few rows for the method.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    task = load_task(data.task)
    frame = _sample(data.frame, task, config)
    if isinstance(task, ClassTask):
        encodings = task.encode(loaded.tokenizer, frame, loaded.max_length)
    else:
        encodings = encode_texts(loaded.tokenizer, task.texts(frame).tolist(), loaded.max_length)
    says = isinstance(task, ClassTask) and loaded.task == task.name
    layer, vectors, logits = _vectors(loaded, encodings, config.layer, says, Part(report, 0.0, 0.6))
    ids = frame["id"].to_numpy()
    projected = project(vectors, method=config.method, ids=ids, report=Part(report, 0.6, 0.95), **dict(config.options))
    outliers = find_outliers(vectors, method=config.outliers, ids=ids, **dict(config.outlier_options))
    points = projected.to_frame()
    points["text"], points["label"] = task.texts(frame).to_numpy(), _strata(task, frame).to_numpy()
    points["predicted"], points["correct"], points["score"] = "", "", np.nan
    if logits is not None and isinstance(task, ClassTask):
        predictions = task.read(logits, ids.tolist(), loaded.labels)
        points["predicted"] = [p.label for p in predictions]
        points["score"] = [p.score for p in predictions]
        points["correct"] = np.where(points["predicted"] == points["label"], "right", "wrong")
    points["outlier"], points["is_outlier"] = outliers.scores, outliers.is_outlier
    parameters = {**config.to_dict(), "layer": layer, "options": dict(projected.parameters)}
    parameters["outlier_options"] = dict(outliers.parameters)
    quality = projected.quality
    return RepresentationMap(
        points=points,
        layer=layer,
        rows_total=len(data),
        quality={"trustworthiness": quality.trustworthiness, "continuity": quality.continuity} if quality else {},
        explained_variance=projected.explained_variance or (),
        parameters=parameters,
        fingerprint=fingerprint(loaded.fingerprint, data.fingerprint, parameters),
    )


def save_map(workspace: Workspace, identifier: str, result: RepresentationMap) -> None:
    """Keep a map under its id; one that is kept already stays.

    Raises:
        StorageError: the disk is full or refuses.
    """
    target = _folder(workspace) / identifier
    if target.exists():
        return
    facts = {
        "layer": result.layer,
        "rows_total": result.rows_total,
        "quality": dict(result.quality),
        "explained_variance": list(result.explained_variance),
        "parameters": dict(result.parameters),
        "fingerprint": result.fingerprint,
    }
    with suppress(FileExistsError), whole_folder(target) as folder:
        result.points.to_parquet(folder / "points.parquet", index=False)
        write_json(folder / "map.json", facts)


def load_map(workspace: Workspace, identifier: str) -> RepresentationMap | None:
    """Return a kept map, or None where there is none with this id.

    Raises:
        StorageError: its files are damaged.
    """
    folder = _folder(workspace) / identifier
    if not identifier.isalnum() or not (folder / "map.json").is_file():
        return None
    try:
        facts = json.loads((folder / "map.json").read_text(encoding="utf-8"))
        facts["explained_variance"] = tuple(facts["explained_variance"])
        return RepresentationMap(points=pd.read_parquet(folder / "points.parquet"), **facts)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(f"The map {identifier} is damaged ({type(error).__name__}): delete {folder}.") from error


def _folder(workspace: Workspace) -> Path:
    return workspace.results / "maps"


def _strata(task: Task, frame: pd.DataFrame) -> pd.Series:
    """Return each row's class, empty for a task without classes."""
    strata = task.strata(frame)
    return strata if strata is not None else pd.Series("", index=frame.index, dtype="str")


def _sample(frame: pd.DataFrame, task: Task, config: MapConfig) -> pd.DataFrame:
    if not 2 <= config.rows <= MAX_POINTS:
        raise OptionError(f"The number of rows is {config.rows}: give 2 to {MAX_POINTS}.")
    frame = frame[task.texts(frame).str.strip() != ""]
    if frame.empty:
        raise DataError("There is no row with a text to map: choose another split or data set.")
    if len(frame) <= config.rows:
        return frame.reset_index(drop=True)
    # Systematic sampling along the shuffled, label-sorted rows keeps every label's share.
    shuffled = frame.sample(frac=1.0, random_state=config.seed)
    shuffled = shuffled.loc[_strata(task, shuffled).sort_values(kind="stable").index]
    taken = np.linspace(0, len(shuffled) - 1, config.rows).round().astype(int)
    return shuffled.iloc[taken].sort_values("id").reset_index(drop=True)


def _vectors(
    loaded: LoadedModel, encodings: Encodings, layer: int, says: bool, report: Report
) -> tuple[int, np.ndarray, np.ndarray | None]:
    from lmcore.models.pooled import mean_pool

    last = loaded.layers
    if not -1 <= layer <= last:
        raise OptionError(f"The layer is {layer}, but the model has the layers 0 (embeddings) to {last}.")
    layer = last if layer < 0 else layer
    vectors: np.ndarray | None = None
    logits: np.ndarray | None = None
    for batch in stream_hidden_states(loaded, encodings, outputs=says, report=report):
        pooled = mean_pool(batch.states[layer], batch.mask).float().cpu().numpy()
        if vectors is None:
            vectors = np.empty((len(encodings), pooled.shape[1]), dtype=np.float32)
        vectors[batch.rows] = pooled
        if batch.logits is not None:
            if logits is None:
                logits = np.empty((len(encodings), batch.logits.shape[1]), dtype=np.float32)
            logits[batch.rows] = batch.logits.float().cpu().numpy()
    return layer, vectors if vectors is not None else np.zeros((0, 0), dtype=np.float32), logits
