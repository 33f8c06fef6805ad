"""ONNX export: another form of the same model, for ONNX Runtime."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmcore.errors import DataError
from lmcore.models.exported import EXPORT, OnnxModel, check_exportable, round_export, write_export
from lmcore.training.compression.made import Compressed, CompressJob

_TEXTS = 16


def export_onnx(job: CompressJob) -> Compressed:
    """Write the model as ONNX, and measure how far its outputs are from the torch model's.

    Raises:
        OptionError: the model writes, or is in eight bits.
        InputError: the extra is not installed.
        DataError: dev has fewer than two rows.
    """
    from lmcore.models.encode import batch_of

    loaded = job.loaded
    check_exportable(loaded.model)
    some = job.task.encode(loaded.tokenizer, job.dev.head(_TEXTS), loaded.max_length)
    if len(some) < 2:
        raise DataError("The dev split has fewer than two rows to export by: split the data set again.")
    job.report.progress(0.1, "Writing ONNX")
    with TemporaryDirectory() as folder:
        path = Path(folder) / EXPORT
        write_export(loaded.model, batch_of(loaded.tokenizer, some, [0, 1], labels=False), path)
        if job.config.precision == "int8":
            job.report.progress(0.7, "Rounding to eight bits")
            round_export(path)
        gap = _largest_gap(path, loaded.model, batch_of(loaded.tokenizer, some, range(len(some)), labels=False))
        content = path.read_bytes()
    return Compressed(
        summary=f"The {job.config.precision} export's outputs are at most {gap:.2g} from the torch model's on {len(some)} dev "
        "windows.",
        facts={"largest_gap": gap, "windows": len(some)},
        exports={EXPORT: lambda path: _write(path, content)},
        retuned=False,
    )


def _largest_gap(path: Path, model: Any, batch: dict[str, Any]) -> float:
    """Return the largest difference between an export's outputs and the torch model's, where a token is no padding."""
    import torch

    with torch.inference_mode():
        wanted = model(**batch)
    found = OnnxModel(path, model)(**batch)
    gaps = []
    for name, value in found.items():
        gap = (value - wanted[name]).abs()
        if gap.dim() >= 2 and gap.shape[:2] == batch["attention_mask"].shape:
            gap = gap[batch["attention_mask"].bool()]
        gaps.append(float(gap.max()))
    return max(gaps)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
