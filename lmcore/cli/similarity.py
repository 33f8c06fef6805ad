"""``lmcore analyse similarity``: how alike layers are, within a model or between two."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.similarity.methods import POOLING, SIMILARITY
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.types import SPLITS, Part

if TYPE_CHECKING:
    from lmcore.analysis.similarity import LayerSimilarity
    from lmcore.models.load import LoadedModel

BASE = "base"
ROWS = 1000
_SHOWN_LAYERS = 13


@click.command(
    "similarity",
    cls=AnswerCommand,
    short_help="Say how alike layers are, in one model or two.",
    epilog="Example: lmcore analyse similarity models:/feedback@champion --data feedback-en@3 --with base. "
    "Another: lmcore analyse similarity all-MiniLM-L6-v2 --data feedback-en@3 --method debiased_cka --batch 256 --rows 20000",
)
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", help="The texts: a stored data set (name@version).")
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    default="test",
    show_default=True,
    help="Which of its rows, where split.",
)
@click.option(
    "--with", "other", metavar="MODEL", help=f"Compare with another model, or with what it was trained from: {BASE}."
)
@click.option(
    "--method",
    type=click.Choice(list(SIMILARITY)),
    default=next(iter(SIMILARITY)),
    show_default=True,
    help=choices_help(SIMILARITY),
)
@method_flags(SIMILARITY)
@click.option(
    "--pooling",
    type=click.Choice(list(POOLING)),
    default="mean",
    show_default=True,
    help="What stands for a text: the mean of its tokens, its first or last token, or each token.",
)
@click.option("--rows", type=click.IntRange(3), default=ROWS, show_default=True, help="The most texts.")
@click.option(
    "--batch",
    type=click.IntRange(8),
    metavar="N",
    help="Estimate from batches of at most N texts, so that memory does not grow with the texts; by a debiased CKA.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of batches, tokens drawn, and the shuffle."
)
@click.pass_obj
def similarity_command(
    session: Session,
    /,
    model: str,
    data: str,
    split: str,
    other: str | None,
    method: str,
    pooling: str,
    rows: int,
    batch: int | None,
    seed: int,
    **flags: Any,
) -> Answer:
    """Compare the layers of MODEL with each other, or with those of another model, over the texts of a data set."""
    from lmcore.analysis.similarity import layer_similarity
    from lmcore.analysis.similarity.request import SimilarityRequest

    request = SimilarityRequest.checked(method, given_options(flags), pooling, batch, seed)
    texts = _texts(session, data, split, rows)
    request.check_texts(texts)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        models = _models(session, model, other)
        session.note(request.cost(models, len(texts)).sentence())
        found = layer_similarity(
            models[0],
            texts,
            other=models[1] if len(models) > 1 else None,
            method=method,
            options=request.options,
            pooling=pooling,
            batch=batch,
            seed=seed,
            report=Part(report, 0.05, 1.0),
        )
    return Answer(_document(found, data, split), _shown(found))


def _texts(session: Session, data: str, split: str, rows: int) -> list[str]:
    from lmcore.data.store import DatasetStore
    from lmcore.tasks import load_task

    dataset = DatasetStore(session.settings.workspace).load(data)
    part = dataset if split == "all" or (dataset.ref and dataset.ref.split) else dataset.part(split)
    return [str(text) for text in load_task(dataset.task).texts(part.frame).head(rows)]


def _models(session: Session, model: str, other: str | None) -> "list[LoadedModel]":
    from lmcore.analysis.similarity import trained_from
    from lmcore.models.load import load_model
    from lmcore.models.registry import ModelRegistry

    settings = session.settings
    if other == BASE:
        registry = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri)
        other = str(trained_from(registry.get(model), registry))
    return [load_model(name, settings=settings) for name in (model, other) if name is not None]


def _document(found: "LayerSimilarity", data: str, split: str) -> dict[str, Any]:
    return {
        "model": found.model,
        "other": found.other or None,
        "data": data,
        "split": split,
        "method": found.method,
        "options": found.options,
        "pooling": found.pooling,
        "batch": found.batch,
        "seed": found.seed,
        "texts": found.texts,
        "rows": found.rows,
        "matrix": found.matrix,
        "layers": records(found.by_layer() if found.other else found.by_step()),
        "chance": found.chance,
        "notes": found.notes,
        "fingerprint": found.fingerprint,
    }


def _shown(found: "LayerSimilarity") -> list[Any]:
    title = SIMILARITY[found.method].title
    of = f"{found.rows:,} texts" if found.pooling != "tokens" else f"{found.rows:,} tokens of {found.texts:,} texts"
    if found.other:
        said = f"{title} of each layer of {found.model} with the same layer of {found.other}, over {of}:"
        frame = found.by_layer()
    else:
        said = f"{title} of each layer of {found.model} with the one before it, over {of}:"
        frame = found.by_step()
    rows = [(int(row["layer"]), row["similarity"], row["change"]) for row in records(frame)]
    shown: list[Any] = [said, table(("layer", "similarity", "change"), rows)]
    if max(found.matrix.shape) <= _SHOWN_LAYERS:
        columns = ("layer", *map(str, range(found.matrix.shape[1])))
        listed = [(str(layer), *map(float, values)) for layer, values in enumerate(found.matrix)]
        shown += [f"Each with each{f' (across: {found.other})' if found.other else ''}:", table(columns, listed)]
    shown.append(f"With the texts of one side shuffled it is {found.chance:.3f}: what unrelated layers reach.")
    return [*shown, *found.notes]
