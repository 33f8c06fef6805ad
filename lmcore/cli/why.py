"""``lmcore analyse why``: which words of an input speak for and against a part of the output."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.attribution.methods import ATTRIBUTION, UNITS
from lmcore.cli.asked import max_tokens_flag, read_text
from lmcore.cli.command import AnswerCommand, Session, refuse
from lmcore.cli.counterfactuals import API_KEY, read_input
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.cli.served import METHOD, is_server, served_answer
from lmcore.errors import InputError
from lmcore.tasks.links import LinkName
from lmcore.types import Input, Part, Prediction, Target

if TYPE_CHECKING:
    import pandas as pd

    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.analysis.attribution.outputs import OutputAttribution
    from lmcore.analysis.trust.faithfulness import Faithfulness
    from lmcore.models.load import LoadedModel
    from lmcore.tasks.base import Task
    from lmcore.types import Report

_METHOD = next(iter(ATTRIBUTION))
_SHOWN_WORDS = 15
_SHOWN_CLASSES = 10
_OBJECTIVES = ("log_probability", "probability", "logit")


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked: see the command's options."""

    columns: tuple[tuple[str, str], ...]
    target: str | None
    against: str | None
    at: str | None
    output: str | None
    method: str
    options: dict[str, Any]
    trust: bool
    by: str


@click.command(
    "why",
    cls=AnswerCommand,
    short_help="Explain a prediction, or look into the layers.",
    epilog="Example: lmcore analyse why models:/feedback-en@champion 'It broke after a day.' --against delivery. "
    "Another: lmcore analyse why models:/feedback-en@champion --data feedback-en@3",
)
@click.argument("version")
@click.argument("text", required=False)
@click.option(
    "--column",
    "columns",
    type=(str, str),
    multiple=True,
    metavar="NAME TEXT",
    help="A further column that the model reads, such as: context 'Anna lives in Rome.'",
)
@click.option("--target", metavar="WHAT", help="What is explained: a class, a tag, start or end of an answer, words "
    "of what was written, a token, or a link: 0-2@3 for words 0 and 2 by layer 3.  [default: what the model says]")  # fmt: skip
@click.option("--against", metavar="WHAT", help="Explain why the target rather than this.")
@click.option("--at", metavar="WORDS", help="Explain the tag --target at these words of the text.")
@click.option("--output", metavar="TEXT", help="Explain this text as if the model had written it.")
@click.option(
    "--every-token", is_flag=True, help="Explain every token that was written, by what was read and written before."
)
@click.option(
    "--objective", type=click.Choice(_OBJECTIVES), default=_OBJECTIVES[0], show_default=True,
    help="With --every-token: what is explained of each.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(UNITS), default="word", show_default=True, help="Units in which scores are shown."
)
@click.option("--trust", is_flag=True, help="Measure besides how far the map can be trusted.")
@click.option("--cost", is_flag=True, help="Say only how many model calls it takes.")
@click.option(
    "--method",
    type=click.Choice(list(ATTRIBUTION)),
    default=None,
    help=f"{choices_help(ATTRIBUTION)}  [default: {_METHOD}; {METHOD} for a server]",
)
@method_flags(ATTRIBUTION)
@API_KEY
@click.option("--task", metavar="TASK", help="What a base model is taken for, such as text-alignment.")
@click.option("--data", metavar="DATA", help="Compare and probe the layers over this split data set (name@version).")
@click.option(
    "--rows", type=click.IntRange(2), default=1000, show_default=True, help="With --data: the most rows of each split."
)
@click.option(
    "--probe-seed", type=click.IntRange(0), default=0, show_default=True, help="With --data: seed of the probes."
)
@max_tokens_flag
@click.pass_obj
def why_command(
    session: Session,
    /,
    version: str,
    text: str | None,
    columns: tuple[tuple[str, str], ...],
    target: str | None,
    against: str | None,
    at: str | None,
    output: str | None,
    every_token: bool,
    objective: str,
    by: str,
    trust: bool,
    cost: bool,
    method: str | None,
    api_key: str,
    task: str | None,
    data: str | None,
    rows: int,
    probe_seed: int,
    max_tokens: int | None,
    **flags: Any,
) -> Answer:
    """Explain what VERSION (models:/NAME@ALIAS) says to TEXT, word by word; - reads it from the input.

    With server in place of VERSION, or the address of one, a prediction server is asked about TEXT without some of its words;
    where its model reads several texts, TEXT is JSON of them: '{"question": "…", "context": "…"}'.

    With --data, say instead how alike the layers are, and how well a linear probe reads the labels off each of them.
    """
    if (text is None) == (data is None):
        refuse("Give either TEXT or --data.")
    if data is not None:
        from lmcore.cli.layers import layers_answer

        return layers_answer(session, version, data, rows, probe_seed)
    text = read_text(str(text))
    if not text.strip():
        raise InputError("The text is empty: give one to analyse.")
    if is_server(version):
        if at or output or every_token or columns:
            raise InputError(
                "A server takes no --at, --output, --every-token and --column: give several texts as JSON."
            )
        return served_answer(
            session, version, read_input(text), target=target, against=against, method=method or METHOD,
            options=given_options(flags), trust=trust, cost=cost, api_key=api_key,
        )  # fmt: skip
    method = method or _METHOD
    options = ATTRIBUTION[method].check(given_options(flags))
    question = _Question(columns, target, against, at, output, method, options, trust, by)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = _load(session, version, task, max_tokens)
        if cost:
            return _cost(loaded, text, question)
        if every_token:
            return _explain_outputs(loaded, text, question, objective, Part(report, 0.3, 1.0))
        return _explain(loaded, text, question, report)


def _given(loaded: "LoadedModel", text: str, question: _Question) -> Input:
    """Return what the model reads: the text alone, or with the further columns."""
    from lmcore.tasks import load_task

    if not question.columns:
        return text
    task = load_task(loaded.task)
    for name, _ in question.columns:
        if name not in task.inputs():
            raise InputError(f"{task.title} reads no column {name!r}; it reads: {', '.join(task.inputs())}.")
    return {task.required()[0]: text, **dict(question.columns)}


def _predicted(loaded: "LoadedModel", given: Input, question: _Question) -> "tuple[Task, Prediction]":
    from lmcore.models.predict import predict_texts
    from lmcore.tasks import load_task

    task = load_task(loaded.task).adapted(loaded.model.config)
    if question.output is not None:
        return task, Prediction(0, text=question.output)
    return task, predict_texts(loaded.widest, [given])[0]


def _explain(loaded: "LoadedModel", text: str, question: _Question, report: "Report") -> Answer:
    from lmcore.analysis import attribute, measure_faithfulness
    from lmcore.cli.targets import place_of, target_of

    given = _given(loaded, text, question)
    task, prediction = _predicted(loaded, given, question)
    read = given if isinstance(given, str) else list(given.values())[-1]
    target = target_of(task, prediction, question.target, question.against, place_of(read, question.at))
    report.progress(0.4, "Explaining the prediction")
    written = prediction.text if task.decoding(loaded) is not None else question.output
    found = attribute(
        loaded, given, target, method=question.method, output=written or None, report=Part(report, 0.4, 0.8),
        **question.options,
    )  # fmt: skip
    judged = measure_faithfulness(loaded, found, report=Part(report, 0.8, 1.0)) if question.trust else None
    units = records(found.by_unit(question.by).rename(columns={"unit": "word"})[["word", "score"]])
    document = {
        "version": str(loaded.ref),
        "prediction": {
            "label": prediction.label,
            "score": prediction.score,
            "probabilities": prediction.probabilities,
            "text": prediction.text,
            "spans": [asdict(span) for span in prediction.spans],
        },
        "target": _target_document(found),
        "method": question.method,
        "options": question.options,
        "tokens": [{"token": t, "score": s} for t, s in zip(found.tokens, found.scores, strict=True)],
        "words": units,
        "completeness_error": found.completeness_error,
        "truncated": found.truncated,
        **({"trust": trust_document(judged)} if judged is not None else {}),
    }
    return Answer(document, [*_show_explanation(prediction, found, units), *show_trust(judged)])


def _target_document(found: "Attribution") -> dict[str, Any]:
    target = found.target
    place = {"start": target.start, "end": target.end} if target.end else {}
    return {"kind": target.kind, "label": target.label, **place, "against": target.against or None}


def _show_explanation(prediction: Prediction, found: "Attribution", units: list[dict[str, Any]]) -> list[Any]:
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:_SHOWN_CLASSES]
    target = found.target
    against = f" rather than {target.against}" if target.against else ""
    strongest = sorted(units, key=lambda word: -abs(word["score"]))[:_SHOWN_WORDS]
    rows = [(word["word"], f"{word['score']:+.3f}", "for" if word["score"] > 0 else "against") for word in strongest]
    scale = _scale(target)
    said: list[Any] = []
    if prediction.label:
        said.append(f"The model says {prediction.label} with {prediction.score:.1%}.")
    if prediction.text:
        said.append(f"The model writes: {prediction.text}")
    said += [table(("class", "probability"), ranked)] if ranked else []
    said += [
        f"Why {target.label or 'all of it'}{against}: the strongest words, in {scale}",
        table(("word", "score", "speaks"), rows),
    ]
    if found.completeness_error == found.completeness_error:
        said.append(f"The scores miss the difference that they should add up to by {found.completeness_error:.2%}.")
    else:
        said.append("This method does not promise that the scores add up to anything.")
    return [*said, found.reading.tokens.cut_note] if found.truncated else said


def _scale(target: Target) -> str:
    if target.kind == "link":
        return LinkName.parse(target.label).measure
    return "nats" if target.kind == "phrase" and not target.against else "logits"


def trust_document(judged: "Faithfulness") -> dict[str, Any]:
    """Return the measures as JSON-like values."""
    return {
        "warning": judged.warning,
        "checks": records(_checks(judged)),
        "erasure": records(judged.curve.by_share),
        "agreement": records(judged.agreement),
        "edits": records(judged.edits),
        "random_weights": records(judged.randomised),
        "chance": judged.chance,
        "settings": asdict(judged.settings),
    }


def show_trust(judged: "Faithfulness | None") -> list[Any]:
    """Return the measures for people; nothing where none were taken."""
    if judged is None:
        return []
    rows = _checks(judged)
    return [judged.warning, table(("check", "this map", "a random map", "better"), rows.to_numpy().tolist())]


def _checks(judged: "Faithfulness") -> "pd.DataFrame":
    """Return the checks that have a value, or could have had one: of a map of parts nothing is taken away, for example."""
    frame = judged.to_frame()
    erased = len(judged.curve.by_share) > 0
    could = {
        "Comprehensiveness": erased,
        "Sufficiency": erased,
        "Agreement with other methods": len(judged.agreement) > 0,
        "Agreement between seeds": len(judged.seeds) > 0,
        "Stability under small edits": judged.settings.edits > 0,
        "Likeness with random weights": len(judged.randomised) > 0,
    }
    has = frame["value"].notna()
    return frame[[known or could.get(name, False) for name, known in zip(frame["check"], has, strict=True)]]


def _explain_outputs(loaded: "LoadedModel", text: str, question: _Question, objective: str, report: "Report") -> Answer:
    from lmcore.analysis import attribute_output

    found = attribute_output(
        loaded, _given(loaded, text, question), output=question.output, method=question.method, objective=objective,
        report=report, **question.options,
    )  # fmt: skip
    matrix = found.by_unit(question.by)
    document = {
        "version": str(loaded.ref),
        "output": found.output,
        "objective": objective,
        "method": question.method,
        "options": question.options,
        "tokens": [
            {"token": token, "value": value, "completeness_error": error}
            for token, value, error in zip(found.outputs, found.values, found.completeness_errors, strict=True)
        ],
        "scores": records(matrix),
        "shares": records(found.shares()),
    }
    return Answer(document, _show_outputs(found, question.by))


def _show_outputs(found: "OutputAttribution", by: str) -> list[Any]:
    frame = found.by_unit(by)
    shares = found.shares()
    rows = []
    for number, token in enumerate(found.outputs):
        own = frame[frame["output_position"] == number]
        top = own.loc[own["score"].abs().sort_values(ascending=False).index[:3]]
        said = ", ".join(f"{u} {s:+.2f}" for u, s in zip(top["unit"], top["score"], strict=True))
        rows.append((token, float(found.values[number]), said, float(shares["input"].iloc[number])))
    return [
        f"The model writes: {found.output}",
        table(("token", found.objective.replace("_", " "), "comes most from", "share of the input"), rows),
    ]


def _cost(loaded: "LoadedModel", text: str, question: _Question) -> Answer:
    from lmcore.analysis import attribution_cost
    from lmcore.cli.targets import place_of, target_of

    given = _given(loaded, text, question)
    task, prediction = _predicted(loaded, given, question)
    read = given if isinstance(given, str) else list(given.values())[-1]
    target = target_of(task, prediction, question.target, question.against, place_of(read, question.at))
    cost = attribution_cost(
        loaded, given, target, output=prediction.text or None, method=question.method, **question.options
    )
    return Answer(asdict(cost), [cost.sentence()])


def _load(session: Session, version: str, task: str | None, max_tokens: int | None) -> "LoadedModel":
    from lmcore.models.load import load_model

    loaded = load_model(version, task=task, settings=session.settings, max_tokens=max_tokens)
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: give a registered version, such as models:/name@champion.")
    return loaded
