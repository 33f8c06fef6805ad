"""``lmcore analyse counterfactuals``."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.counterfactual.methods import EDITS
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, table
from lmcore.cli.served import SERVER, is_server
from lmcore.errors import InputError

if TYPE_CHECKING:
    from lmcore.analysis.counterfactual.asking import Model
    from lmcore.analysis.counterfactual.result import Counterfactual, Counterfactuals
    from lmcore.types import Input, Prediction

API_KEY = click.option(
    "--api-key", envvar="LMSCOPE_API_KEY", default="", show_envvar=True, help="The server's key, where it asks for one."
)
_SHOWN = 15
_SETTINGS = {
    "towards": click.option(
        "--towards", default="", metavar="LABEL", help="Look for this label.  [default: any other]"
    ),
    "budget": click.option("--budget", type=int, default=400, show_default=True, help="Texts to ask about, at most."),
    "most_edits": click.option("--most-edits", type=int, default=5, show_default=True, help="Edits at once, at most."),
    "beam": click.option("--beam", type=int, default=8, show_default=True, help="Sets that the search goes on with."),
    "seed": click.option(
        "--seed", type=int, default=0, show_default=True, help="Of typos, homophones and other names."
    ),
}


@click.command(
    "counterfactuals",
    cls=AnswerCommand,
    short_help="Find the edits of a text that change the answer.",
    epilog="Example: lmcore analyse counterfactuals models:/feedback-en@champion 'It broke after a day.' --edit deletion "
    "--edit typos",
)
@click.argument("version")
@click.argument("text")
@click.option(
    "--edit",
    "edits",
    multiple=True,
    type=click.Choice(list(EDITS)),
    help="Which edits; can be given several times.  [default: all that the model allows]  " + choices_help(EDITS),
)
@_SETTINGS["towards"]
@_SETTINGS["budget"]
@_SETTINGS["most_edits"]
@_SETTINGS["beam"]
@_SETTINGS["seed"]
@click.option(
    "--decoder", metavar="MODEL", help="A decoder, such as gguf:PATH, that says how well the edited texts read."
)
@API_KEY
@method_flags(EDITS, prefix="edit_")
@click.pass_obj
def counterfactuals_command(
    session: Session,
    /,
    version: str,
    text: str,
    edits: tuple[str, ...],
    decoder: str | None,
    api_key: str,
    **parameters: Any,
) -> Answer:
    """Edit TEXT word by word until VERSION (models:/NAME@ALIAS) answers otherwise; - reads it from the input.

    With server in place of VERSION, or the address of one, a prediction server is asked. A task that reads several texts is
    given them as JSON: '{"question": "…", "context": "…"}'.
    """
    from lmcore.analysis import counterfactuals
    from lmcore.models.load import load_model

    settings = {name: parameters.pop(name) for name in _SETTINGS}
    given = read_input(text)
    options = given_options(parameters, "edit_")
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        model = model_of(session, version, api_key)
        reader = load_model(decoder, task="text-generation", settings=session.settings) if decoder else None
        chosen = _chosen(edits, options) if edits or options else None
        found = counterfactuals(model, given, edits=chosen, decoder=reader, report=report, **settings)
    return Answer(_document(version, found), _shown(found))


def model_of(session: Session, version: str, api_key: str = "") -> "Model":
    """Return a loaded version with a head, or what asks a prediction server: that of the workspace, or one by its address.

    Raises:
        InputError: the version has no trained head.
    """
    if is_server(version):
        from lmcore.serving.client import ask_server

        return ask_server(session.settings.workspace if version == SERVER else version, api_key=api_key)
    from lmcore.models.load import load_model

    loaded = load_model(version, settings=session.settings)
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: give a registered version, such as models:/name@champion.")
    return loaded


def read_input(text: str) -> "Input":
    """Return what a command is given as its text: the standard input for a dash, several texts where it is JSON of them."""
    # An argument may hold bytes that are no text; they become question marks, as in what is read.
    whole = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace").strip() if text == "-" else text
    whole = whole.encode(errors="replace").decode()
    if whole.startswith("{"):
        try:
            parts = json.loads(whole)
        except ValueError:
            return whole
        if isinstance(parts, dict) and parts and all(isinstance(item, str) for item in parts.values()):
            return parts
    return whole


def _chosen(edits: tuple[str, ...], options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the named edits with those of the options that each takes.

    Raises:
        InputError: an option is given that none of them takes, or options without edits.
    """
    if not edits:
        raise InputError("Options of edits are given and no edit: name them with --edit.")
    takes = {name: {item.name for item in EDITS[name].options} for name in edits}
    for name in options:
        if not any(name in known for known in takes.values()):
            raise InputError(f"None of {', '.join(edits)} has the option {name}: leave it out or name another edit.")
    return {name: {key: value for key, value in options.items() if key in takes[name]} for name in edits}


def _document(version: str, found: "Counterfactuals") -> dict[str, Any]:
    return {
        "version": version,
        "text": found.text,
        "prediction": _prediction(found.prediction),
        "verdict": found.verdict(),
        "minimal": [_counterfactual(item) for item in found.minimal],
        "is_smallest": found.is_smallest,
        "tried": [_counterfactual(item) for item in found.tried],
        "candidates": found.candidates,
        "asked": found.asked,
        "calls": found.calls,
        "budget": found.budget,
        "failed": found.failed,
        "truncated": found.truncated,
        "parameters": found.parameters,
        "fingerprint": found.fingerprint,
    }


def _counterfactual(item: "Counterfactual") -> dict[str, Any]:
    return {
        "text": item.text,
        "edits": [
            {"said": edit.said(), **{name: getattr(edit, name) for name in edit.__slots__}} for edit in item.edits
        ],
        "prediction": _prediction(item.prediction),
        "flips": item.flips,
        "change": item.change,
        "words": item.words,
        "fluency": item.fluency,
    }


def _prediction(item: "Prediction") -> dict[str, Any]:
    return {
        "label": item.label,
        "score": item.score,
        "probabilities": item.probabilities,
        "spans": [{"start": s.start, "end": s.end, "label": s.label, "score": s.score} for s in item.spans],
        "text": item.text,
    }


def _shown(found: "Counterfactuals") -> list[Any]:
    from lmcore.analysis.counterfactual.answers import said

    frame = found.to_frame().head(_SHOWN)
    columns = ["edit", "kind", "words", "answer", "change"] + ["fluency"] * bool(frame["fluency"].notna().any())
    rows = frame.assign(flips=["yes" if flips else "no" for flips in frame["flips"]])[["flips", *columns]]
    listed = [
        f"The model says {said(found.prediction)} with {found.prediction.score:.1%}.",
        found.verdict(),
        table(("flips", *columns), rows.itertuples(index=False)),
        f"{found.asked:,} of at most {found.budget:,} texts were asked in {found.calls:,} calls; {found.candidates:,} single "
        "edits were possible. The change is that of the first answer's probability.",
    ]
    if found.failed:
        listed.append(f"The model could not work on {found.failed:,} of the edited texts.")
    return (
        [*listed, "The text is longer than the model's limit: only its beginning was edited."]
        if found.truncated
        else listed
    )
