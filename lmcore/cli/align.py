"""``lmcore analyse align``: which words of two texts an encoder holds to belong together."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.models.linking import ALIGNMENT

if TYPE_CHECKING:
    from lmcore.analysis.alignment import WordAlignment


@click.command(
    "align",
    cls=AnswerCommand,
    short_help="Say which words of two texts belong together.",
    epilog="Example: lmcore analyse align all-MiniLM-L6-v2 'The cat sleeps.' 'Le chat dort.' --method itermax. "
    "How well a version links the words of a data set: lmcore evaluate.",
)
@click.argument("model")
@click.argument("source")
@click.argument("target")
@click.option(
    "--layer", type=click.IntRange(0), help="Whose vectors are compared, 0: embeddings.  [default: the middle one]"
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
    session: Session, /, model: str, source: str, target: str, layer: int | None, method: str, **flags: Any
) -> Answer:
    """Link the words of SOURCE with those of TARGET by the vectors of MODEL, a registered version or a base model.

    MODEL is an encoder; no training for it is needed. Punctuation and each Chinese character are words of their own.
    """
    from lmcore.analysis import align_words
    from lmcore.analysis.attention.run import attention_kinds
    from lmcore.models.load import load_model

    options = ALIGNMENT[method].check(given_options(flags))
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(model, settings=session.settings)
        if attention_kinds(loaded) != ("encoder",):
            raise InputError(
                f"{loaded.ref} is no encoder: words are linked by the vectors of one, such as all-MiniLM-L6-v2."
            )
        report.progress(0.7, "Linking the words")
        texts = [text.encode(errors="replace").decode() for text in (source, target)]
        found = align_words(loaded, *texts, layer=layer, method=method, **options)
    return Answer(_document(found, str(loaded.ref), options), _shown(found))


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
