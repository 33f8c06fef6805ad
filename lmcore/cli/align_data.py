"""``lmcore analyse align --data``: how often each layer of an encoder links other words than people did."""

from typing import TYPE_CHECKING, Any

from lmcore.cli.output import Answer, records, table
from lmcore.cli.source import Source
from lmcore.models.linking import ALIGNMENT

if TYPE_CHECKING:
    from lmcore.analysis.link_errors import AlignmentErrors
    from lmcore.data.dataset import TextDataset
    from lmcore.settings import Settings

FIGURES = ("aer", "low", "high", "precision", "recall")


def linked_pairs(place: str, settings: "Settings") -> "TextDataset":
    """Return pairs with gold links: a stored data set, a split of one, a sample, or a file."""
    return Source(place, "text-alignment", {}, None, "auto").load(settings)


def errors_answer(found: "AlignmentErrors") -> Answer:
    """Return the figures of every layer, as a document and as a table."""
    from lmcore.analysis.link_errors import CHOSEN_HERE

    document = {
        "model": found.model,
        "data": found.data,
        "pairs": found.pairs,
        "unlinked": found.unlinked,
        "truncated": found.truncated,
        "best_layer": found.best_layer,
        "layers": records(found.layers),
        "diagonal": dict(found.diagonal),
        "parameters": dict(found.parameters),
        "fingerprint": found.fingerprint,
    }
    title = ALIGNMENT[found.parameters["method"]].title
    rows: list[list[Any]] = [[str(row["layer"]), *(row[name] for name in FIGURES)] for row in records(found.layers)]
    rows.append(["diagonal", *(found.diagonal[name] for name in FIGURES)])
    return Answer(
        document,
        [
            f"{title}. {found.verdict()}",
            table(("layer", "error rate", "from", "to", "precision", "recall"), rows),
            *found.notes(),
            CHOSEN_HERE,
        ],
    )
