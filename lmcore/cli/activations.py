"""``lmcore analyse activations``: how large and how sparse what a component gives is, and the vectors as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.sources import COMPONENTS, STATES
from lmcore.cli.asked import load_asked, max_tokens_flag, read_text
from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import choices_help
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError, OptionError
from lmcore.tasks import TASKS, load_task
from lmcore.types import Part, count_of

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.analysis.activations import Activations
    from lmcore.data.dataset import TextDataset

_STACKS = ("encoder", "decoder")


@click.command(
    "activations",
    cls=AnswerCommand,
    short_help="Say how large and sparse each layer's vectors are; write them to a file.",
    epilog="Example: lmcore analyse activations models:/feedback-en@champion 'It broke after a day.' --component mlp. "
    "Another: lmcore analyse activations models:/feedback-en@champion --data feedback-en@3:test --out vectors.safetensors",
)
@click.argument("version")
@click.argument("text", required=False)
@click.option("--data", metavar="DATA", help="Read the rows of a data set (name@version:split) in place of TEXT.")
@click.option("--rows", type=click.IntRange(1), help="Of --data: the most rows that are read.  [default: all]")
@click.option(
    "--component", type=click.Choice(list(COMPONENTS)), default=STATES, show_default=True, help=choices_help(COMPONENTS)
)
@click.option("--stack", type=click.Choice(_STACKS), help="Of an encoder-decoder.  [default: encoder]")
@click.option("--output", metavar="TEXT", help="What an encoder-decoder writes for TEXT.  [default: its own]")
@click.option(
    "--task", type=click.Choice(list(TASKS)), help="Of a model that is not registered.  [default: completion]"
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write every token's vector to this safetensors file.",
)
@max_tokens_flag
@click.pass_obj
def activations_command(session: Session, /, version: str, text: str | None, **given: Any) -> Answer:
    """Say how large what a component of VERSION gives is for TEXT, by layer and token; - reads it from the input.

    Norms are L2; sparsity is Hoyer's, 0 where all features are of one size and 1 where one alone is not 0. Special tokens
    count for the tokens' own norms alone.
    """
    from lmcore.analysis import extract_activations, layer_sizes
    from lmcore.analysis.vector_file import write_vectors
    from lmcore.data.store import DatasetStore

    out: Path | None = given["out"]
    _check(text, out, given)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        data = None if text is not None else DatasetStore(session.settings.workspace).load(given["data"])
        loaded = load_asked(session, version, given["task"], given["max_tokens"])
        texts, ids = _rows(data, loaded.task, given["rows"]) if data else ([_filled(str(text))], [0])
        found = extract_activations(
            loaded, texts, component=given["component"], stack=given["stack"],
            outputs=None if given["output"] is None else [given["output"]], report=Part(report, 0.1, 1.0),
        )  # fmt: skip
        sizes = layer_sizes(found)
        if out:
            write_vectors(found, out)
    single = text is not None
    rows = [ids[row] for row in found.encodings.owners.tolist()]
    document = _document(found, str(loaded.ref), sizes, rows, single) | {"file": out}
    return Answer(document, _show(found, sizes, rows, out, single))


def _check(text: str | None, out: Path | None, given: dict[str, Any]) -> None:
    if (text is None) == (given["data"] is None):
        refuse("Give either TEXT or --data.")
    if text is None and given["output"] is not None:
        refuse("--output goes with TEXT: for rows the model writes its own.")
    if text is not None and given["rows"] is not None:
        refuse("--rows goes with --data.")
    if out and not out.absolute().parent.is_dir():
        raise OptionError(f"There is no folder {out.parent} for {out.name}: make it first.")


def _filled(text: str) -> str:
    whole = read_text(text)
    if not whole.strip():
        raise InputError("The text is empty: give one to look into.")
    return whole


def _rows(data: "TextDataset", task: str, most: int | None) -> "tuple[list[str] | pd.DataFrame, list[int]]":
    """Return the rows, as texts where the model does another task than the data is for, and their ids."""
    frame = data.frame.head(most) if most else data.frame
    read = frame if data.task == task else load_task(data.task).texts(frame).tolist()
    return read, frame["id"].tolist()


def _document(
    found: "Activations", version: str, sizes: "pd.DataFrame", rows: list[int], single: bool
) -> dict[str, Any]:
    return {
        "version": version,
        "component": found.component,
        "stack": found.stack,
        "texts": len(set(rows)),
        "tokens": int(found.values.shape[1]),
        "features": int(found.values.shape[2]),
        "truncated": bool(found.encodings.truncated.any()),
        "layers": records(sizes.assign(id=[rows[text] for text in sizes["text"]]).drop(columns="text")),
        "norms": records(found.to_frame(0)) if single else [],
        "fingerprint": found.fingerprint,
    }


def _show(found: "Activations", sizes: "pd.DataFrame", rows: list[int], out: Path | None, single: bool) -> list[Any]:
    read = f"{count_of(found.values.shape[1], 'token')} of {count_of(len(set(rows)), 'text')}"
    place = "position" if single else "row"
    shown = [
        (
            row["layer"], row["norm"], row["sparsity"], row["largest"], row["token"],
            row["position"] if single else rows[row["text"]] + 1,
        )
        for row in records(sizes)
    ]  # fmt: skip
    cut = ["Some texts are longer than the model's limit: only their beginning was read."]
    return [
        f"{COMPONENTS[found.component].title} of {read}, {found.values.shape[2]:,} features each; special tokens are left out "
        "where there are others.",
        table(("layer", "mean norm", "sparsity", "largest norm", "at token", place), shown),
        *(cut if found.encodings.truncated.any() else []),
        *([f"The vectors are in {out}."] if out else []),
    ]
