"""``lmcore analyse logits``: what each part of a model adds to a logit."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.asked import asked_question, described, input_of, load_asked, named_target, question_flags, titled
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, records, table
from lmcore.cli.why import show_trust, trust_document
from lmcore.types import Part

if TYPE_CHECKING:
    from lmcore.analysis.residual.direct_logits import LogitAttribution


@click.command(
    "logits",
    cls=AnswerCommand,
    short_help="Say what each head and MLP adds to a logit.",
    epilog="Example: lmcore analyse logits models:/stories@champion 'The capital of France is' --target ' Paris' "
    "--against ' Rome'",
)
@click.argument("version")
@click.argument("text")
@question_flags
@click.option("--trust", is_flag=True, help="Measure besides how far the parts can be trusted.")
@click.option("--shown", type=click.IntRange(1), default=15, show_default=True, help="Parts to show; --json gives all.")
@click.pass_obj
def logits_command(session: Session, /, version: str, text: str, shown: int, trust: bool, **flags: Any) -> Answer:
    """Split the target's logit for TEXT, or its difference from another's, into what each part of VERSION adds directly.

    Of a task that reads several texts, TEXT is JSON of them by column.
    """
    from lmcore.analysis import attribute_logits, measure_faithfulness
    from lmcore.analysis.reading_cost import logit_parts_cost
    from lmcore.analysis.trust_cost import PARTS_COST, asked_besides

    question = asked_question(text, flags)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_asked(session, version, question.task, question.max_tokens)
        given, target = input_of(loaded, question.text), named_target(loaded, question)
        session.note(logit_parts_cost(loaded, given, target, output=question.output).sentence())
        if trust:
            session.note(asked_besides(PARTS_COST))
        part = Part(report, 0.2, 0.5 if trust else 1.0)
        found = attribute_logits(loaded, given, target, output=question.output, report=part)
        judged = measure_faithfulness(loaded, found, report=Part(report, 0.5, 1.0)) if trust else None
    document = {
        "version": str(loaded.ref),
        "target": described(found.target),
        "output": found.output or None,
        "value": found.value,
        "error": found.error,
        "parts": records(found.to_frame()),
        "trust": trust_document(judged) if judged else None,
        "fingerprint": found.fingerprint,
    }
    return Answer(document, [*_show(found, shown), *show_trust(judged)])


def _show(found: "LogitAttribution", shown: int) -> list[Any]:
    rows = [
        (name, f"{score:+.3f}") for name, score in found.strongest(shown)[["name", "score"]].itertuples(index=False)
    ]
    return [
        f"What adds most to the logit of {titled(found.target)}",
        table(("part", "score"), rows),
        f"All {len(found.parts)} parts sum to {found.value:+.3f}, with an error of {found.error:.1g}.",
    ]
