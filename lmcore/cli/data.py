"""``lmcore data``: describing, cleaning and splitting data sets, and what is stored."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import CommandGroup, Session
from lmcore.cli.output import Answer, records, table
from lmcore.cli.source import Source, source_parameters
from lmcore.errors import OptionError, UnknownError
from lmcore.types import SPLITS, Part, count_of

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.data.profile import DataProfile
    from lmcore.data.store import DatasetInfo

_SHOWN_CLASSES = 30
# The cleaning rules need pandas, so that their flags are made only when they are asked for.
_LAZY = {"clean": "lmcore.cli.clean:clean_command", "label": "lmcore.cli.label:label_group"}


@click.group("data", cls=CommandGroup, lazy=_LAZY)
def data_group() -> None:
    """Describe, clean and split data sets.

    SOURCE is a CSV, TSV, JSONL, JSON, Parquet, XLSX or CoNLL file, a bundled sample (sample:feedback-en), a stored data set
    (name@version) or one of the Hugging Face hub (hub:org/name).
    """


@data_group.command(
    "profile",
    short_help="Describe the rows and their defects.",
    epilog="Example: lmcore data profile reviews.csv --text comment --label stars",
)
@source_parameters
@click.pass_obj
def profile_data(session: Session, /, source: str, **parameters: Any) -> Answer:
    """Describe SOURCE: classes, lengths, languages, missing values, duplicates and other defects; nothing is stored."""
    from lmcore.data.profile import profile_dataset

    with session.report() as report:
        data = Source.taken(source, parameters).load(session.settings)
        profile = profile_dataset(data, report=Part(report, 0.2, 1.0))
    document = {"name": data.name, "source": data.source, "task": data.task, "ref": str(data.ref) if data.ref else None}
    splits = {split: len(data.part(split)) for split in SPLITS} if data.is_split else None
    return Answer({**document, "splits": splits, **profile.describe()}, _show_profile(data, profile))


@data_group.command(
    "split",
    short_help="Split into train, dev and test.",
    epilog="Example: lmcore data split feedback-en@2 --ratios 8:1:1 --seed 7",
)
@source_parameters
@click.option("--ratios", default="8:1:1", show_default=True, help="Relative sizes of train, dev and test.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the order.")
@click.option(
    "--stratify/--no-stratify", default=True, show_default=True, help="Give each split each class in its overall share."
)
@click.option(
    "--unanswerable",
    type=float,
    metavar="SHARE",
    help="Of questions: pair some with other paragraphs of their article first, until this share has no answer.",
)
@click.pass_obj
def split_data(
    session: Session,
    /,
    source: str,
    ratios: str,
    seed: int,
    stratify: bool,
    unanswerable: float | None,
    **parameters: Any,
) -> Answer:
    """Split SOURCE into train, dev and test, with no text in two of them, and store the result as a new version."""
    from lmcore.data.split import split_dataset
    from lmcore.data.squad import pair_unanswerable
    from lmcore.data.store import DatasetStore

    shares = _ratios(ratios)
    with session.report() as report:
        raw = Source.taken(source, parameters).load_stored(session.settings)
        report.check()
        report.progress(0.3, "Splitting")
        if unanswerable is not None:
            raw = pair_unanswerable(raw, share=unanswerable, seed=seed)
        data = split_dataset(raw, ratios=shares, seed=seed, stratify=stratify)
        report.check()
        report.progress(0.8, "Storing")
        data = DatasetStore(session.settings.workspace).save(data)
    sizes = {split: len(data.part(split)) for split in SPLITS}
    listed = ", ".join(f"{count:,} in {split}" for split, count in sizes.items())
    said = [f"{data.ref} has {count_of(len(data), 'row')}: {listed}.", f"Train on it with: lmcore train {data.ref}"]
    return Answer({**stored_document(session, data), "splits": sizes}, said)


@data_group.command("list", short_help="List what is stored.", epilog="Example: lmcore data list")
@click.argument("name", required=False)
@click.pass_obj
def list_data(session: Session, name: str | None) -> Answer:
    """List the stored data sets, or the versions of NAME, the newest first."""
    from lmcore.data.store import DatasetStore

    store = DatasetStore(session.settings.workspace)
    stored = store.list()
    found = [info for info in stored if name in (None, info.ref.name)]
    if name and not found:
        raise UnknownError("stored data set", name, {info.ref.name for info in stored})
    for ref in store.damaged():
        session.note(f"{ref} is damaged and left out.")
    rows = [
        (
            str(info.ref),
            info.rows,
            info.labels,
            info.operation.get("name", "import"),
            str(info.parent or info.source),
            f"{datetime.fromtimestamp(info.created):%Y-%m-%d %H:%M}",
        )
        for info in found
    ]
    shown = table(("data set", "rows", "classes", "made by", "from", "made"), rows)
    return Answer([_info_document(info) for info in found], [shown if rows else "No data set is stored yet."])


def stored_document(session: Session, data: "TextDataset") -> dict[str, Any]:
    """Return what is known of a data set that was stored just now."""
    from lmcore.data.store import DatasetStore

    return _info_document(DatasetStore(session.settings.workspace).info(str(data.ref)))


def _info_document(info: "DatasetInfo") -> dict[str, Any]:
    return {
        "ref": str(info.ref),
        "name": info.ref.name,
        "version": info.ref.version,
        "task": info.task,
        "rows": info.rows,
        "labels": info.labels,
        "is_split": info.is_split,
        "source": info.source,
        "parent": str(info.parent) if info.parent else None,
        "operation": info.operation,
        "created": info.created,
        "fingerprint": info.fingerprint,
    }


def _ratios(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(":")]
    except ValueError:
        raise OptionError(f"The ratios are {text!r}: give three numbers above 0, for example 8:1:1.") from None


def _show_profile(data: "TextDataset", profile: "DataProfile") -> list[Any]:
    described = profile.describe()
    shown = profile.labels.head(_SHOWN_CLASSES)
    classes = [(row["label"], row["rows"], f"{row['share']:.0%}") for row in records(shown)]
    left = len(profile.labels) - len(shown)
    missing = [(row["column"], row["missing"], row["distinct"]) for row in records(profile.columns)]
    lengths = [(unit, *(round(value) for value in sizes.values())) for unit, sizes in described["lengths"].items()]
    return [
        f"{data.ref or data.name}: {profile.rows:,} row{'s' * (profile.rows != 1)}. {' '.join(profile.verdict)}",
        table(("class", "rows", "share"), classes),
        *([f"{left:,} more classes are not shown."] if left else []),
        table(("column", "missing", "distinct"), missing),
        table(("length in", "smallest", "median", "mean", "largest"), lengths),
        f"Not checked yet: {', '.join(kind.replace('_', ' ') for kind in profile.issues.not_checked)}.",
    ]
