"""Tuned lenses as they are kept: safetensors with what they were trained on, and training one as a job."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmcore.analysis.lens.tuned import TunedLens, train_lens
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, StorageError, UnknownError
from lmcore.models.load import LoadedModel, load_model
from lmcore.settings import Settings, Workspace
from lmcore.storage import FINISHED, whole_folder, write_json
from lmcore.tasks import load_task
from lmcore.types import Input, Part, Report

TARGET = "lmcore.analysis.lens.kept:run_lens"
_WEIGHTS, _FACTS = "lens.safetensors", "lens.json"


@dataclass(frozen=True, slots=True)
class KeptLens:
    """What is known of a kept lens without reading its weights.

    Attributes:
        id: under which it is kept.
        version: the model that it belongs to.
        model: that model's fingerprint.
        loss: KL from the last layer in nats, mean over layers and tokens held out.
        plain_loss: the same of the plain lens.
    """

    id: str
    version: str
    model: str
    loss: float
    plain_loss: float


def keep_lens(workspace: Workspace, lens: TunedLens) -> str:
    """Keep a lens under its fingerprint, which is returned; one that is kept already stays as it is.

    Raises:
        StorageError: the disk is full or refuses.
    """
    from safetensors.numpy import save_file

    target = _folder(workspace) / lens.fingerprint
    if target.exists():
        return lens.fingerprint
    facts = {name: value for name, value in asdict(lens).items() if name not in ("weights", "biases")}
    facts |= {"plain_loss": lens.plain_loss.tolist(), "loss": lens.loss.tolist(), "parameters": dict(lens.parameters)}
    with suppress(FileExistsError), whole_folder(target) as folder:
        weights = {"weights": np.ascontiguousarray(lens.weights), "biases": np.ascontiguousarray(lens.biases)}
        save_file(weights, folder / _WEIGHTS)
        write_json(folder / _FACTS, facts)
    return lens.fingerprint


def kept_lenses(workspace: Workspace, version: str = "") -> list[KeptLens]:
    """Return what is known of the kept lenses of a version, or of all; the last kept first."""
    found = []
    for path in sorted(_folder(workspace).glob(FINISHED), key=lambda folder: -folder.stat().st_mtime):
        with suppress(StorageError):
            facts = _facts(path)
            if version in ("", facts["version"]):
                losses = (float(np.mean(facts["loss"])), float(np.mean(facts["plain_loss"])))
                found.append(KeptLens(path.name, facts["version"], facts["model"], *losses))
    return found


def load_lens(workspace: Workspace, identifier: str) -> TunedLens:
    """Return a kept lens.

    Raises:
        UnknownError: there is none with this id.
        StorageError: its files are damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    known = {path.name: path for path in _folder(workspace).glob(FINISHED)}
    if identifier not in known:
        raise UnknownError("lens", identifier, known)
    folder = known[identifier]
    facts = _facts(folder)
    try:
        arrays = load_file(folder / _WEIGHTS)
        return TunedLens(
            weights=arrays["weights"],
            biases=arrays["biases"],
            plain_loss=np.array(facts["plain_loss"]),
            loss=np.array(facts["loss"]),
            model=facts["model"],
            version=facts["version"],
            tokens=(facts["tokens"][0], facts["tokens"][1]),
            parameters=facts["parameters"],
            fingerprint=identifier,
        )
    except (OSError, KeyError, IndexError, TypeError, ValueError, SafetensorError) as error:
        raise _damaged(folder, error) from error


def run_lens(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Train a lens on the train split of a stored data set as a job, and keep it.

    Args:
        config: ``version``, ``data`` (a stored data set's text form) and ``options`` of the tuned lens.
        workspace: where everything is stored.
        report: progress and cancellation.
        resume: makes no difference: it begins again.

    Returns:
        ``lens`` (its id).
    """
    report.progress(0.0, "Loading the model")
    loaded = load_model(config["version"], settings=replace(Settings.from_environment(), workspace=workspace))
    texts = lens_texts(loaded, DatasetStore(workspace).load(config["data"]))
    lens = train_lens(loaded, texts, report=Part(report, 0.05, 1.0), **config["options"])
    return {"lens": keep_lens(workspace, lens)}


def lens_texts(loaded: LoadedModel, data: TextDataset) -> list[Input]:
    """Return what a model reads of the rows of a data set, of one that is split of those for training.

    Raises:
        DataError: the data set lacks a column that the model's task reads.
    """
    frame = data.part("train").frame if data.is_split else data.frame
    task = load_task(loaded.task)
    missing = [name for name in task.required() if name not in frame.columns]
    if missing:
        raise DataError(f"{data.called} has no column {missing[0]}, which {loaded.ref} reads: choose another data set.")
    columns = task.inputs(frame)
    return [dict(zip(columns, row, strict=True)) for row in frame[columns].itertuples(index=False)]


def _folder(workspace: Workspace) -> Path:
    return workspace.results / "lenses"


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        if not {"version", "model", "loss", "plain_loss", "tokens", "parameters"} <= facts.keys():
            raise ValueError("its facts are not complete")
        return facts
    except (OSError, ValueError, AttributeError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> StorageError:
    return StorageError(
        f"The lens {folder.name} is damaged ({type(error).__name__}): delete the folder {folder} and train it again."
    )
