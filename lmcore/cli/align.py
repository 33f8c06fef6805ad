"""``lmcore analyse align``: which words of two texts an encoder holds to belong together, and how often it is wrong."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.align_data import errors_answer, linked_pairs
from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.models.linking import ALIGNMENT
from lmcore.types import Part, Report

if TYPE_CHECKING:
    from lmcore.analysis.alignment import WordAlignment
    from lmcore.models.load import LoadedModel


@click.command(
    "align",
    cls=AnswerCommand,
    short_help="Say which words of two texts belong together.",
    epilog="Example: lmcore analyse align all-MiniLM-L6-v2 'The cat sleeps.' 'Le chat dort.' --method itermax. "
    "Another: lmcore analyse align all-MiniLM-L6-v2 --data sample:words-en-fr",
)
@click.argument("model")
@click.argument("source", required=False)
@click.argument("target", required=False)
@click.option(
    "--data",
    metavar="DATA",
    help="Measure every layer over pairs whose words people have linked, in place of SOURCE and TARGET: a stored data set "
    "(name@version or name@version:split), sample:NAME, or a file.",
)
@click.option(
    "--layer",
    type=click.IntRange(0),
    help="Of two texts: whose vectors are compared, 0: embeddings.  [default: the middle one]",
)
@click.option(
    "--method",
    type=click.Choice(list(ALIGNMENT)),
    default=next(iter(ALIGNMENT)),
    show_default=True,
    help=choices_help(ALIGNMENT),
)
@method_flags(ALIGNMENT)
@click.pass_obj
def align_command(
    session: Session,
    /,
    model: str,
    source: str | None,
    target: str | None,
    data: str | None,
    layer: int | None,
    method: str,
    **flags: Any,
) -> Answer:
    """Link the words of SOURCE with those of TARGET by the vectors of MODEL, a registered version or a base model.

    MODEL is an encoder; no training for it is needed. Punctuation and each Chinese character are words of their own. With
    --data: how often each layer links other words than people did (alignment error rate), beside the diagonal.
    """
    texts = [text.encode(errors="replace").decode() for text in (source, target) if text is not None]
    if len(texts) != (0 if data else 2):
        refuse("Give either SOURCE and TARGET or --data.")
    if data and layer is not None:
        refuse("--layer goes with two texts: over --data every layer is measured.")
    options = ALIGNMENT[method].check(given_options(flags))
    if data:
        return _measured(session, model, data, method, options)
    return _linked(session, model, texts, layer, method, options)


def _linked(
    session: Session, model: str, texts: list[str], layer: int | None, method: str, options: dict[str, Any]
) -> Answer:
    from lmcore.analysis import align_words

    with session.report() as report:
        loaded = _encoder(session, model, report)
        found = align_words(loaded, *texts, layer=layer, method=method, report=Part(report, 0.2, 1.0), **options)
    return Answer(_document(found, str(loaded.ref), options), _shown(found))


def _measured(session: Session, model: str, data: str, method: str, options: dict[str, Any]) -> Answer:
    from lmcore.analysis import alignment_errors
    from lmcore.analysis.link_errors import reading_cost

    pairs = linked_pairs(data, session.settings)
    with session.report() as report:
        loaded = _encoder(session, model, report)
        session.note(reading_cost(len(pairs), loaded.layers + 1))
        found = alignment_errors(loaded, pairs, method=method, report=Part(report, 0.1, 1.0), **options)
    return errors_answer(found)


def _encoder(session: Session, model: str, report: Report) -> "LoadedModel":
    from lmcore.analysis.attention.run import attention_kinds
    from lmcore.models.load import load_model

    report.progress(0.0, "Loading the model")
    loaded = load_model(model, settings=session.settings)
    if attention_kinds(loaded) != ("encoder",):
        raise InputError(
            f"{loaded.ref} is no encoder: words are linked by the vectors of one, such as all-MiniLM-L6-v2."
        )
    return loaded


def _document(found: "WordAlignment", model: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": model,
        "layer": found.layer,
        "method": found.method,
        "options": options,
        "source": found.source,
        "target": found.target,
        "links": found.links,
        "similarity": found.similarity,
        "truncated": found.truncated,
        "fingerprint": found.fingerprint,
    }


def _shown(found: "WordAlignment") -> list[Any]:
    title = ALIGNMENT[found.method].title
    frame = found.to_frame()
    linked = records(frame[frame["linked"]])
    rows = [(row["source"], row["target"], row["similarity"]) for row in linked]
    pharaoh = " ".join(f"{i}-{j}" for i, j in found.links)
    cut = ["A text is longer than the model's limit: the words at its end were not read."] if found.truncated else []
    if not rows:
        return [f"{title} links no words by layer {found.layer}.", *cut]
    return [f"{title} by layer {found.layer}:", table(("source", "target", "cosine"), rows), f"Links: {pharaoh}", *cut]
