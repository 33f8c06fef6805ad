"""``lmcore project``: the map of a layer's representations, with outliers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import OptionError
from lmcore.projection.methods import OUTLIERS, PROJECTION
from lmcore.storage import disk_errors
from lmcore.types import SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.projection.representations import RepresentationMap

_SHOWN = 8
_PREFIX = "outlier_"


@click.command(
    "project",
    short_help="Draw the map of a layer's representations, with outliers.",
    cls=AnswerCommand,
    epilog="Example: lmcore project models:/feedback-en@champion feedback-en@3 --split test --method umap --out map.csv",
)
@click.argument("version")
@click.argument("data")
@click.option("--split", type=click.Choice(SPLITS), help="Only the rows of this split.  [default: all rows]")
@click.option("--layer", type=int, default=-1, help="0 for the embeddings up to the last layer.  [default: the last]")
@click.option("--rows", type=int, default=2000, show_default=True, help="Above this many, a sample by label is mapped.")
@click.option(
    "--method", type=click.Choice(list(PROJECTION)), default="pca", show_default=True, help="Which projection."
)
@method_flags(PROJECTION)
@click.option(
    "--outliers", type=click.Choice(list(OUTLIERS)), default="knn_distance", show_default=True, help="Which score."
)
@method_flags(OUTLIERS, prefix=_PREFIX)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the points to this CSV file.")
@click.pass_obj
def project_command(
    session: Session,
    /,
    version: str,
    data: str,
    split: str | None,
    layer: int,
    rows: int,
    method: str,
    outliers: str,
    out: Path | None,
    **flags: Any,
) -> Answer:
    """Draw the map of what VERSION makes of the texts of DATA (name@version), find the outliers, and keep it."""
    if out and not out.absolute().parent.is_dir():
        raise OptionError(f"There is no folder {out.parent} for {out.name}: make it first.")
    outlier_options = OUTLIERS[outliers].check(given_options(flags, _PREFIX))
    plain = {name: value for name, value in flags.items() if not name.startswith(_PREFIX)}
    options = PROJECTION[method].check(given_options(plain))
    from lmcore.data.store import DatasetStore
    from lmcore.models.load import load_model
    from lmcore.projection.representations import MapConfig, map_representations, save_map

    workspace = session.settings.workspace
    dataset = DatasetStore(workspace).load(data)
    dataset = dataset.part(split) if split else dataset
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(version, settings=session.settings)
        config = MapConfig(
            version=str(loaded.ref),
            data=str(dataset.ref),
            layer=layer,
            method=method,
            options=options,
            outliers=outliers,
            outlier_options=outlier_options,
            rows=rows,
        ).resolved(loaded.layers)
        found = map_representations(loaded, dataset, config, report=report)
    save_map(workspace, config.id, found)
    if out:
        with disk_errors(out):
            # The mark at the start lets spreadsheets read Chinese.
            found.points.to_csv(out, index=False, encoding="utf-8-sig")
    return Answer(_document(found, config.id, out), _show(found, out))


def _document(found: "RepresentationMap", identifier: str, out: Path | None) -> dict[str, Any]:
    return {
        "id": identifier,
        "layer": found.layer,
        "rows": len(found.points),
        "rows_total": found.rows_total,
        "quality": found.quality,
        "explained_variance": found.explained_variance,
        "parameters": found.parameters,
        "fingerprint": found.fingerprint,
        "points": records(found.points),
        "outliers": _outliers(found)["id"].tolist(),
        "file": out,
    }


def _outliers(found: "RepresentationMap") -> "pd.DataFrame":
    flagged = found.points[found.points["is_outlier"]]
    return flagged.sort_values("outlier", ascending=False, kind="stable")


def _show(found: "RepresentationMap", out: Path | None) -> list[Any]:
    sampled = f" of {found.rows_total}" if len(found.points) < found.rows_total else ""
    method = PROJECTION[found.parameters["method"]].title
    kept = f"; neighbourhoods are kept to {found.quality['trustworthiness']:.2f} of 1" if found.quality else ""
    said = [
        f"{method} of layer {found.layer} over {len(found.points)}{sampled} texts of {found.parameters['data']}{kept}."
    ]
    if found.explained_variance:
        said.append(f"The axes hold {sum(found.explained_variance):.0%} of the variance.")
    if out:
        said.append(f"The points are in {out}.")
    flagged = _outliers(found)
    if flagged.empty:
        return [*said, "No text lies far out in the full space."]
    wrong = int((flagged["correct"] == "wrong").sum())
    said.append(f"Far out in the full space: {len(flagged)}, of which {wrong} predicted wrongly; the farthest first:")
    rows = [(r["id"] + 1, r["outlier"], r["label"], r["predicted"], r["text"]) for r in records(flagged.head(_SHOWN))]
    return [*said, table(("row", "distance", "label", "predicted", "text"), rows)]
