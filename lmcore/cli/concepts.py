"""``lmcore analyse concepts``: whether a class answers to concepts, and the factors of a layer."""

from typing import TYPE_CHECKING, Any, Literal, cast

import click

from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.types import Part, Target

if TYPE_CHECKING:
    from lmcore.analysis.concepts.factors import Factors
    from lmcore.analysis.concepts.sets import Concept
    from lmcore.analysis.concepts.testing import ConceptTest
    from lmcore.data.dataset import TextDataset

_SHOWN_WORDS = 8


@click.command(
    "concepts",
    cls=AnswerCommand,
    short_help="Test whether a class answers to concepts, or find factors.",
    epilog="Example: lmcore analyse concepts models:/feedback@champion --data feedback-en@3 --target delivery "
    "--words 'lateness: late, delay, slow' --slice label=billing. "
    "Another: lmcore analyse concepts all-MiniLM-L6-v2 --data feedback-en@3 --factors 8 --layer 4",
)
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", help="A stored data set (name@version).")
@click.option("--target", metavar="CLASS", help="The class that is tested.")
@click.option("--against", default="", metavar="CLASS", help="Test why the target rather than this class.")
@click.option("--words", multiple=True, metavar="NAME:WORD,WORD", help="A concept: the texts with one of the words.")
@click.option("--slice", "slices", multiple=True, metavar="COLUMN=VALUE", help="A concept: the rows with this value.")
@click.option(
    "--texts", type=click.IntRange(1), default=100, show_default=True, help="Texts of the class that are explained."
)
@click.option("--sets", type=click.IntRange(20), default=500, show_default=True, help="Random sets at least.")
@click.option("--factors", type=click.IntRange(2), help="Find this many factors instead of testing concepts.")
@click.option(
    "--layer", type=int, default=-1, help="With --factors: 0 for the embeddings up to the last.  [default: last]"
)
@click.option(
    "--level", type=click.Choice(["word", "text"]), default="word", show_default=True, help="With --factors: of what."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.pass_obj
def concepts_command(
    session: Session,
    /,
    model: str,
    data: str,
    target: str | None,
    against: str,
    words: tuple[str, ...],
    slices: tuple[str, ...],
    texts: int,
    sets: int,
    factors: int | None,
    layer: int,
    level: str,
    seed: int,
) -> Answer:
    """Test whether a class of MODEL (models:/NAME@ALIAS) answers to concepts made from DATA, layer by layer.

    With --factors, find instead the patterns of which the vectors of words or texts in one layer are sums.
    """
    if (factors is None) == (not words and not slices):
        refuse("Give either concepts (--words, --slice) or --factors.")
    if factors is None and not target:
        refuse("Give the class that is tested: --target.")
    from lmcore.data.store import DatasetStore

    dataset = DatasetStore(session.settings.workspace).load(data)
    if factors is not None:
        return _factors(session, model, dataset, layer, factors, level, seed)
    asked = Target("class", str(target), against=against)
    return _test(session, model, dataset, asked, _concepts(words, slices, dataset), texts, sets, seed)


def _concepts(words: tuple[str, ...], slices: tuple[str, ...], data: "TextDataset") -> "list[Concept]":
    from lmcore.analysis import concept_from_slice, concept_from_words
    from lmcore.analysis.concepts.sets import named_words
    from lmcore.tasks import load_task

    task = load_task(data.task)
    texts = [str(text) for text in task.texts(data.frame)]
    found = [concept_from_words(name, listed, texts) for name, listed in map(named_words, words)]
    for given in slices:
        column, equals, value = given.partition("=")
        if not equals:
            raise InputError(f"The slice {given!r} is none: write COLUMN=VALUE, such as label=billing.")
        found.append(concept_from_slice(given, data.frame, task, column=column, values=[value]))
    return found


def _test(
    session: Session,
    model: str,
    data: "TextDataset",
    target: Target,
    concepts: "list[Concept]",
    texts: int,
    sets: int,
    seed: int,
) -> Answer:
    from lmcore.analysis import tcav
    from lmcore.analysis.concepts.sets import explained_rows
    from lmcore.models.load import load_model
    from lmcore.tasks import load_task

    rows = explained_rows(data.frame, load_task(data.task), target.label, texts)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(model, settings=session.settings)
        session.note(f"Differentiating the model for {len(rows)} texts, and testing {len(concepts)} concepts by layer.")
        found = tcav(loaded, concepts, rows, target, sets=sets, seed=seed, report=Part(report, 0.1, 1.0))
    document = {
        "model": str(loaded.ref),
        "data": str(data.ref),
        "target": {"kind": target.kind, "label": target.label, "against": target.against or None},
        "texts": found.texts,
        "sets": found.sets,
        "level": found.level,
        "tests": records(found.table),
        "parameters": dict(found.parameters),
        "fingerprint": found.fingerprint,
    }
    return Answer(document, _show_test(found))


def _show_test(found: "ConceptTest") -> list[Any]:
    what = found.target.label + (f" rather than {found.target.against}" if found.target.against else "")
    names = ("concept", "layer", "accuracy", "score", "effect", "p", "p Bonferroni", "p FDR", "significant")
    rows = [
        (
            r["concept"], r["layer"], r["accuracy"], r["score"], r["effect"], r["p"], r["p_bonferroni"], r["p_fdr"],
            "yes" if r["significant"] else "no",
        )
        for r in records(found.table)
    ]  # fmt: skip
    return [
        f"What the concepts do to {what}, for {found.texts} texts:",
        table(names, rows),
        f"Two-sided test of the effect against {found.sets} random sets; significant: p at most {found.level:g} after "
        f"Bonferroni's correction for {len(rows)} tests.",
    ]


def _factors(
    session: Session, model: str, data: "TextDataset", layer: int, factors: int, level: str, seed: int
) -> Answer:
    from lmcore.analysis import find_factors
    from lmcore.models.load import load_model
    from lmcore.tasks import load_task

    texts = [str(text) for text in load_task(data.task).texts(data.frame)]
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(model, settings=session.settings)
        found = find_factors(
            loaded, texts, layer=layer, factors=factors, level=cast(Literal["word", "text"], level), seed=seed,
            report=Part(report, 0.1, 1.0),
        )  # fmt: skip
    document = {
        "model": str(loaded.ref),
        "data": str(data.ref),
        "layer": found.layer,
        "level": found.level,
        "error": found.error,
        "factors": records(found.top),
        "fingerprint": found.fingerprint,
    }
    return Answer(document, _show_factors(found))


def _show_factors(found: "Factors") -> list[Any]:
    rows = []
    for factor, each in found.top.groupby("factor"):
        named = each["word"] if found.level == "word" else each["text"].str.slice(0, 40)
        strongest = list(dict.fromkeys(named))[:_SHOWN_WORDS]
        rows.append((factor, float(each["share"].iloc[0]), (", " if found.level == "word" else " | ").join(strongest)))
    return [
        f"Factors of the {found.level}s in layer {found.layer}; they leave {found.error:.0%} unexplained:",
        table(("factor", "share", "strongest in"), rows, wrap=True),
    ]
