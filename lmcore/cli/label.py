"""``lmcore data label``: labelling in a spreadsheet or another program, and keeping what the page collects."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import CommandGroup, Session
from lmcore.cli.data import stored_document
from lmcore.cli.output import Answer, cell, records, table
from lmcore.cli.source import Source, source_parameters
from lmcore.types import SPLITS, DatasetRef, Part, count_of

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.data.label_store import LabelStore
    from lmcore.training.ranking import Ranking

_SHOWN = 10
_MEASURES = ("least_confident", "margin", "entropy", "disagreement")
_AUTHOR = click.option("--author", required=True, help="Who labels.")


@click.group("label", short_help="Label rows by hand.", cls=CommandGroup)
def label_group() -> None:
    """Label rows by hand: export a queue, give labels, keep them as a new version.

    Labels are stored as they are given, by author, until they are kept; the Data page shows and gives the same ones.
    """


@label_group.command(
    "queue",
    short_help="List the rows to label, those first that are worth most.",
    epilog="Example: lmcore data label queue texts.csv --unlabelled --out queue.csv",
)
@source_parameters
@click.option("--rows", type=click.Choice(["unlabelled", "all"]), default="unlabelled", show_default=True,
              help="Rows without a label, or all of them to check what is there.")  # fmt: skip
@click.option("--split", type=click.Choice(SPLITS), help="One split alone.  [default: the whole]")
@click.option("--author", default="", help="Leave out what this author has done.")
@click.option("--again", is_flag=True, help="Also rows that somebody else has labelled.")
@click.option("--version", help="Order the rows by how unsure this registered version is.")
@click.option("--against", help="Order them by how far the version and this one are apart.")
@click.option("--by", type=click.Choice(_MEASURES), help="The measure.  [default: disagreement with --against, else "
              "least_confident]")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the queue as CSV, to be filled in.")
@click.pass_obj
def queue_command(session: Session, /, source: str, out: Path | None, **parameters: Any) -> Answer:
    """List the rows of SOURCE that are to be labelled, in their order; a file is stored first."""
    from lmcore.data.label_store import check_author
    from lmcore.data.label_table import queue_table
    from lmcore.data.labelling import label_queue, queue_rows
    from lmcore.storage import write_text

    with session.report() as report:
        data = Source.taken(source, parameters).load_stored(session.settings)
        wanted = queue_rows(data, rows=parameters["rows"], split=parameters["split"] or "")
        ranking = _ranking(session, data, parameters, Part(report, 0.1, 1.0))
    measure = parameters["by"] or ("disagreement" if parameters["against"] else "least_confident")
    author = check_author(parameters["author"]) if parameters["author"] else ""
    labels = _store(session, data).labels()
    order = ranking.order(measure) if ranking else None
    queue = label_queue(wanted, labels, author, order=order, again=parameters["again"])
    listed = queue_table(data, queue, ranking.values(measure) if ranking else None)
    said = f"{len(queue):,} of {len(wanted):,} rows of {data.ref} are to be labelled."
    shown: list[Any] = [said, table(tuple(listed.columns), listed.head(_SHOWN).itertuples(index=False))]
    if out:
        write_text(out, listed.to_csv(index=False))
        shown = [said, f"They are in {out}. Give labels with: lmcore data label give {data.ref} {out} --author NAME"]
    document = {
        "data": str(data.ref),
        "rows": len(wanted),
        "by": measure if ranking else None,
        "queue": records(listed),
    }
    return Answer(document, shown)


@label_group.command(
    "give",
    short_help="Record labels out of a CSV file.",
    epilog="Example: lmcore data label give reviews@1 queue.csv --author ann",
)
@click.argument("data")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_AUTHOR
@click.pass_obj
def give_command(session: Session, data: str, file: Path, author: str) -> Answer:
    """Record the labels in FILE (columns row and what is labelled) for DATA (name@version); all or none."""
    from lmcore.data.label_table import read_label_table
    from lmcore.data.read import read_table

    dataset = _dataset(session, data)
    found = read_label_table(
        dataset, read_table(file, name=file.name, header="yes", limit_bytes=session.settings.upload_bytes), file.name
    )
    _store(session, dataset).give_all(found, author)
    said = f"{len(found):,} labels by {cell(author)} are recorded. Keep them with: lmcore data label keep {dataset.ref}"
    return Answer({"data": str(dataset.ref), "author": author, "labels": len(found)}, [said])


@label_group.command(
    "status", short_help="Say how far labelling is.", epilog="Example: lmcore data label status reviews@1"
)
@click.argument("data")
@click.pass_obj
def status_command(session: Session, data: str) -> Answer:
    """Count the labels of DATA (name@version) by author, and how often several authors agree."""
    from lmcore.data.labelling import label_progress, queue_rows

    dataset = _dataset(session, data)
    labels = _store(session, dataset).labels()
    blank, found = queue_rows(dataset), label_progress(queue_rows(dataset, rows="all"), labels)
    left = label_progress(blank, labels)
    said = [f"{left.labelled:,} of the {left.rows:,} rows of {dataset.ref} without a label have been given one."]
    if found.shared:
        said.append(f"Several people labelled {count_of(found.shared, 'row')}, and agree on {found.agreed:,}.")
    document = {
        "data": str(dataset.ref),
        "rows": len(dataset),
        "unlabelled": left.rows,
        "labelled": left.labelled,
        "authors": found.authors,
        "shared": found.shared,
        "agreed": found.agreed,
    }
    return Answer(document, [*said, table(("author", "rows labelled"), sorted(found.authors.items()))])


@label_group.command(
    "undo",
    short_help="Take back what an author said last.",
    epilog="Example: lmcore data label undo reviews@1 --author ann",
)
@click.argument("data")
@_AUTHOR
@click.pass_obj
def undo_command(session: Session, data: str, author: str) -> Answer:
    """Take back the label of DATA (name@version) that an author gave last."""
    dataset = _dataset(session, data)
    row = _store(session, dataset).undo(author)
    said = f"{cell(author)} has said nothing yet." if row is None else f"Row {row + 1} is as it was before."
    return Answer({"data": str(dataset.ref), "row": None if row is None else row + 1}, [said])


@label_group.command(
    "keep",
    short_help="Keep the labels as a new version.",
    epilog="Example: lmcore data label keep reviews@1 --author ann --author bo",
)
@click.argument("data")
@click.option("--author", "authors", multiple=True, help="Whose labels; may be repeated.  [default: everybody's]")
@click.option("--with-unlabelled", is_flag=True, help="Keep the rows that have no label yet.")
@click.pass_obj
def keep_command(session: Session, data: str, authors: tuple[str, ...], with_unlabelled: bool) -> Answer:
    """Store DATA (name@version) with the labels that were given as a new version."""
    from lmcore.data.labelling import store_labels

    dataset = _dataset(session, data)
    labels = _store(session, dataset).labels()
    kept = store_labels(
        session.settings.workspace, dataset, labels, authors=authors or None, unlabelled=with_unlabelled
    )
    counts = kept.operation
    by = ", ".join(f"{cell(name)} {count:,}" for name, count in counts["authors"].items())
    said = [
        f"{kept.ref} has {count_of(len(kept), 'row')}; labels by {by}.",
        f"{counts['new']:,} are new, {counts['changed']:,} changed, {counts['confirmed']:,} confirmed; "
        f"{counts['unsettled']:,} rows on which authors differ stay as they were, {counts['left_out']:,} rows without a "
        "label are left out.",
    ]
    return Answer(stored_document(session, kept), said)


def _dataset(session: Session, data: str) -> "TextDataset":
    from lmcore.data.label_forms import label_fields
    from lmcore.data.store import DatasetStore

    dataset = DatasetStore(session.settings.workspace).load(replace(DatasetRef.parse(data), split=""))
    label_fields(dataset)
    return dataset


def _store(session: Session, data: "TextDataset") -> "LabelStore":
    from lmcore.data.label_store import LabelStore

    return LabelStore(session.settings.workspace, DatasetRef.parse(str(data.ref)))


def _ranking(session: Session, data: "TextDataset", parameters: dict[str, Any], report: Part) -> "Ranking | None":
    if not parameters["version"]:
        if parameters["by"] or parameters["against"]:
            raise click.UsageError("--by and --against need --version.")
        return None
    from lmcore.training.ranking import ensure_ranking

    other = parameters["against"] or ""
    return ensure_ranking(parameters["version"], data, other=other, settings=session.settings, report=report)
