"""What the layers of a model know, over a data set."""

from typing import TYPE_CHECKING, Any

from lmcore.cli.command import Session
from lmcore.cli.output import Answer, records, table
from lmcore.errors import DataError
from lmcore.types import SPLITS, Part

if TYPE_CHECKING:
    from lmcore.analysis.probes.probing import ProbeResult
    from lmcore.analysis.similarity import LayerSimilarity


def layers_answer(session: Session, version: str, data: str, rows: int, seed: int) -> Answer:
    """Say how alike the layers are, and how well a linear probe reads the labels off each of them."""
    from lmcore.analysis import layer_similarity, probe_layers
    from lmcore.data.store import DatasetStore
    from lmcore.models.load import load_model

    dataset = DatasetStore(session.settings.workspace).load(data)
    if dataset.ref and dataset.ref.split:
        raise DataError(
            f"{data} is one split: give the whole data set, since probes learn from train and are measured on test."
        )
    frames = [dataset.part(split).frame.head(rows) for split in SPLITS]
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(version, settings=session.settings)
        similarity = layer_similarity(loaded, frames[2]["text"].tolist(), report=Part(report, 0.1, 0.4))
        probe = probe_layers(loaded, *frames, seed=seed, report=Part(report, 0.4, 1.0))
    document = {
        "version": str(loaded.ref),
        "data": str(dataset.ref),
        "similarity": {"rows": similarity.rows, "matrix": similarity.matrix},
        "probe": {"best_layer": probe.best_layer, "accuracy": records(probe.to_frame()), "seed": seed},
    }
    return Answer(document, _show_layers(similarity, probe))


def _show_layers(similarity: "LayerSimilarity", probe: "ProbeResult") -> list[Any]:
    accuracy = probe.to_frame().pivot(index="layer", columns="split", values="accuracy")
    matrix = similarity.matrix
    rows = [
        (layer, row["dev"], row["test"], float(matrix[layer, layer - 1]) if layer else None, float(matrix[layer, -1]))
        for layer, row in zip(accuracy.index, records(accuracy), strict=True)
    ]
    return [
        f"A linear probe does best on layer {probe.best_layer}, chosen on dev.",
        table(("layer", "dev accuracy", "test accuracy", "CKA with the one before", "CKA with the last"), rows),
        f"CKA is 1 where two layers are alike up to rotation and size; {similarity.rows} test texts were compared.",
    ]
