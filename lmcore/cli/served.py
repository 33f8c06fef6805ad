"""What commands make of a prediction server in the place of a version: the words that its answers hang on."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lmcore.cli.command import Session
from lmcore.cli.output import Answer, records, table
from lmcore.types import Input, Part, count_of

if TYPE_CHECKING:
    from lmcore.analysis.served.attribution import ServedAttribution
    from lmcore.analysis.trust.faithfulness import Faithfulness

SERVER = "server"
METHOD = "occlusion"
_SHOWN_WORDS = 15


def is_server(version: str) -> bool:
    """Say whether a server is meant in the place of a version: that of the workspace, or one by its address."""
    return version == SERVER or version.startswith(("http://", "https://"))


def served_answer(
    session: Session,
    server: str,
    given: Input,
    *,
    target: str | None,
    against: str | None,
    method: str,
    options: dict[str, Any],
    trust: bool,
    cost: bool,
    api_key: str,
) -> Answer:
    """Explain what a server says to a text.

    Args:
        session: whose workspace.
        server: ``server`` for that of the workspace, or an address.
        given: what is asked about.
        target: what is explained; what the server says first where None.
        against: what it is held against.
        method: a black-box method.
        options: its options that were given.
        trust: whether to measure how far the map can be trusted.
        cost: whether to say only how many texts are asked about.
        api_key: the server's key; it stands in no result.
    """
    from lmcore.analysis.served.attribution import attribute_served, served_calls
    from lmcore.analysis.served.trust import measure_served
    from lmcore.serving.client import server_client

    if cost:
        calls = served_calls(given, method=method, **options)
        return Answer({"calls": calls}, [f"This asks the server about up to {count_of(calls, 'text')}."])
    client = server_client(session.settings.workspace if server == SERVER else server, api_key=api_key)
    with session.report() as report:
        report.progress(0.0, "Asking the server")
        found = attribute_served(
            client, given, target, against=against or "", method=method,
            report=Part(report, 0.0, 0.5 if trust else 1.0), **options,
        )  # fmt: skip
        judged = measure_served(client, found, report=Part(report, 0.5, 1.0)) if trust else None
    return Answer(_document(found, judged), [*_shown(found), *_shown_trust(judged)])


def _document(found: "ServedAttribution", judged: "Faithfulness | None") -> dict[str, Any]:
    from lmcore.cli.why import trust_document

    answer = {name: value for name, value in found.answer.items() if name != "version"}
    target = {name: value for name, value in asdict(found.target).items() if value}
    return {
        "version": found.version,
        "prediction": answer,
        "target": {**target, "against": found.against or None},
        "method": found.method,
        "options": dict(found.parameters),
        "value": found.value,
        "baseline_value": found.baseline_value,
        "calls": found.calls,
        "words": records(found.units.rename(columns={"unit": "word"})),
        "completeness_error": found.completeness_error,
        **({"trust": trust_document(judged)} if judged is not None else {}),
    }


def _shown(found: "ServedAttribution") -> list[Any]:
    against = f" rather than {found.against}" if found.against else ""
    strongest = found.units.loc[found.units["score"].abs().sort_values(ascending=False, kind="stable").index]
    rows = [
        (row["unit"], f"{row['score']:+.3f}", "for" if row["score"] > 0 else "against")
        for row in strongest.head(_SHOWN_WORDS).to_dict("records")
    ]
    answer = found.answer
    said = answer.get("text") or answer["label"] or ", ".join(span["label"] for span in answer.get("spans", ()))
    asked = f"The server was asked about {count_of(found.calls, 'text')}."
    error = found.completeness_error
    summed = (
        f"The scores miss the difference that they should add up to by {error:.2%}."
        if error == error
        else "This method does not promise that the scores add up to anything."
    )
    return [
        f"{found.version} says {said}; {found.label} is worth {found.value:.3f}, without any word {found.baseline_value:.3f}.",
        f"Why {found.label}{against}: the strongest words, in probability",
        table(("word", "score", "speaks"), rows),
        asked,
        summed,
    ]


def _shown_trust(judged: "Faithfulness | None") -> list[Any]:
    from lmcore.cli.why import show_trust

    return show_trust(judged)
