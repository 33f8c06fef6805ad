"""``lmcore analyse``: why one text is predicted as it is, and what the layers know."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.methods import ATTRIBUTION
from lmcore.cli.command import AnswerCommand, DefaultGroup, Session, refuse
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import DataError, InputError
from lmcore.types import SPLITS, Part, Target

if TYPE_CHECKING:
    from lmcore.analysis.attribution import Attribution
    from lmcore.analysis.probing import ProbeResult
    from lmcore.analysis.similarity import LayerSimilarity
    from lmcore.models.load import LoadedModel
    from lmcore.types import Prediction

_SHOWN_WORDS = 15
_SHOWN_CLASSES = 10


# Further analyses: a command in a file of its own, and a line here.
_ANALYSES: dict[str, str] = {
    "lens": "lmcore.cli.lens:lens_command",
    "logits": "lmcore.cli.logits:logits_command",
    "patch": "lmcore.cli.patch:patch_command",
    "ablate": "lmcore.cli.ablate:ablate_command",
    "steer": "lmcore.cli.steer:steer_command",
    "neurons": "lmcore.cli.neurons:neurons_command",
    "probabilities": "lmcore.cli.probabilities:probabilities_command",
    "attention": "lmcore.cli.attention:attention_command",
    "probe": "lmcore.cli.probe:probe_command",
    "concepts": "lmcore.cli.concepts:concepts_command",
    "head-map": "lmcore.cli.head_map:head_map_command",
    "similarity": "lmcore.cli.similarity:similarity_command",
    "counterfactuals": "lmcore.cli.counterfactuals:counterfactuals_command",
    "neighbours": "lmcore.cli.neighbours:neighbours_command",
    "suite": "lmcore.cli.suite:suite_group",
    "words": "lmcore.cli.influence:influence_command",
    "rebuild": "lmcore.cli.rebuild:rebuild_command",
}


@click.group(
    "analyse",
    cls=DefaultGroup,
    default="why",
    lazy=_ANALYSES,
    short_help="Explain a prediction, or look into the layers.",
    epilog="lmcore analyse models:/NAME@ALIAS TEXT is short for lmcore analyse why models:/NAME@ALIAS TEXT.",
)
def analyse_command() -> None:
    """Look into a model; where no command is named, explain the prediction of a text."""


@analyse_command.command(
    "why",
    cls=AnswerCommand,
    short_help="Explain a prediction, or look into the layers.",
    epilog="Example: lmcore analyse models:/feedback-en@champion 'It broke after a day.' --against delivery. "
    "Another: lmcore analyse models:/feedback-en@champion --data feedback-en@3",
)
@click.argument("version")
@click.argument("text", required=False)
@click.option("--target", metavar="CLASS", help="The class that is explained.  [default: the predicted one]")
@click.option("--against", metavar="CLASS", help="Explain why the target rather than this class.")
@click.option(
    "--method",
    type=click.Choice(list(ATTRIBUTION)),
    default=next(iter(ATTRIBUTION)),
    show_default=True,
    help=" ".join(f"{method.name}: {method.summary}" for method in ATTRIBUTION.values()),
)
@method_flags(ATTRIBUTION)
@click.option("--data", metavar="DATA", help="Compare and probe the layers over this split data set (name@version).")
@click.option(
    "--rows", type=click.IntRange(2), default=1000, show_default=True, help="With --data: the most rows of each split."
)
@click.option(
    "--probe-seed", type=click.IntRange(0), default=0, show_default=True, help="With --data: seed of the probes."
)
@click.pass_obj
def why_command(
    session: Session,
    /,
    version: str,
    text: str | None,
    target: str | None,
    against: str | None,
    method: str,
    data: str | None,
    rows: int,
    probe_seed: int,
    **flags: Any,
) -> Answer:
    """Explain the prediction of VERSION (models:/NAME@ALIAS) for TEXT, word by word; - reads it from the input.

    With --data, say instead how alike the layers are, and how well a linear probe reads the labels off each of them.
    """
    if (text is None) == (data is None):
        refuse("Give either TEXT or --data.")
    if data is not None:
        return _layers(session, version, data, rows, probe_seed)
    options = ATTRIBUTION[method].check(given_options(flags))
    # An argument may hold bytes that are no text; they become question marks, as in what is read.
    text = _read_input() if text == "-" else str(text).encode(errors="replace").decode()
    if not text.strip():
        raise InputError("The text is empty: give one to analyse.")
    return _explain(session, version, text, _Question(target, against, method, options))


@dataclass(frozen=True, slots=True)
class _Question:
    target: str | None
    against: str | None
    method: str
    options: dict[str, Any]


def _read_input() -> str:
    return sys.stdin.buffer.read().decode("utf-8-sig", errors="replace").strip()


def _explain(session: Session, version: str, text: str, question: _Question) -> Answer:
    from lmcore.analysis import attribute
    from lmcore.models.predict import predict_texts
    from lmcore.tasks import load_task

    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = _load(session, version)
        prediction = predict_texts(loaded, [text])[0]
        label = question.target or load_task(loaded.task).targets(prediction)[0].label
        target = Target("class", label, against=question.against or "")
        report.progress(0.5, "Explaining the prediction")
        found = attribute(loaded, text, target, method=question.method, **question.options)
    words = records(found.by_word()[["word", "score"]])
    document = {
        "version": str(loaded.ref),
        "prediction": {"label": prediction.label, "score": prediction.score, "probabilities": prediction.probabilities},
        "target": {"kind": target.kind, "label": target.label, "against": target.against or None},
        "method": question.method,
        "options": question.options,
        "tokens": [{"token": t, "score": s} for t, s in zip(found.tokens, found.scores, strict=True)],
        "words": words,
        "completeness_error": found.completeness_error,
        "truncated": found.truncated,
    }
    return Answer(document, _show_explanation(prediction, found, words))


def _show_explanation(prediction: "Prediction", found: "Attribution", words: list[dict[str, Any]]) -> list[Any]:
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:_SHOWN_CLASSES]
    against = f" rather than {found.target.against}" if found.target.against else ""
    strongest = sorted(words, key=lambda word: -abs(word["score"]))[:_SHOWN_WORDS]
    rows = [(word["word"], f"{word['score']:+.3f}", "for" if word["score"] > 0 else "against") for word in strongest]
    said = [
        f"The model says {prediction.label} with {prediction.score:.1%}.",
        table(("class", "probability"), ranked),
        f"Why {found.target.label}{against}: the strongest words, in logits",
        table(("word", "score", "speaks"), rows),
        f"The scores miss the difference that they should add up to by {found.completeness_error:.2%}.",
    ]
    return (
        [*said, "The text is longer than the model's limit: only its beginning was read."] if found.truncated else said
    )


def _load(session: Session, version: str) -> "LoadedModel":
    from lmcore.models.load import load_model

    loaded = load_model(version, settings=session.settings)
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: give a registered version, such as models:/name@champion.")
    return loaded


def _layers(session: Session, version: str, data: str, rows: int, seed: int) -> Answer:
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
