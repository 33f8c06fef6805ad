"""``lmcore analyse probabilities``: how probable a language model holds each token of a text."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.cli.asked import load_asked, max_tokens_flag, read_text
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, records, table
from lmcore.tasks import TASKS
from lmcore.types import Part, count_of

if TYPE_CHECKING:
    from lmcore.analysis.probabilities import TokenProbabilities

_SHOWN = 200


@click.command(
    "probabilities",
    cls=AnswerCommand,
    short_help="Say how probable each token of a text is to a language model.",
    epilog="Example: lmcore analyse probabilities models:/stories@champion 'The capital of France is Paris.'",
)
@click.argument("version")
@click.argument("text")
@click.option("--output", metavar="TEXT", help="What is written from TEXT.  [default: what the model writes itself]")
@click.option(
    "--task", type=click.Choice(list(TASKS)), help="Of a model that is not registered.  [default: completion]"
)
@click.option(
    "--alternatives", type=click.IntRange(1, 100), default=5, show_default=True, help="Most probable tokens to show."
)
@max_tokens_flag
@click.pass_obj
def probabilities_command(
    session: Session,
    /,
    version: str,
    text: str,
    output: str | None,
    task: str | None,
    alternatives: int,
    max_tokens: int | None,
) -> Answer:
    """Say how probable each token of TEXT is to VERSION (models:/NAME@ALIAS or another model); - reads it from the input.

    A decoder is given the tokens before, a masked model all others, and a model that writes a text from TEXT is asked for
    the output's tokens.
    """
    from lmcore.analysis import token_probabilities

    text = read_text(text)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_asked(session, version, task, max_tokens)
        found = token_probabilities(
            loaded, text, output=output, alternatives=alternatives, report=Part(report, 0.3, 1.0)
        )
    return Answer(_document(found, str(loaded.ref)), _show(found))


def _document(found: "TokenProbabilities", version: str) -> dict[str, Any]:
    rows = records(found.to_frame().drop(columns="alternatives"))
    for row, names, shares in zip(rows, found.best, found.best_probability, strict=True):
        row["alternatives"] = [
            {"token": name, "probability": share} for name, share in zip(names, shares.tolist(), strict=False)
        ]
    return {
        "version": version,
        "reading": found.reading,
        "tokens": rows,
        "predicted": found.predicted,
        "bits": found.bits,
        "perplexity": found.perplexity,
        "vocabulary": found.vocabulary,
        "truncated": found.truncated,
        "fingerprint": found.fingerprint,
    }


def _show(found: "TokenProbabilities") -> list[Any]:
    columns = ["token", "probability", "surprisal", "entropy", "rank", "alternatives"]
    rows = [
        [row[name] if row["rank"] or name == "token" else None for name in columns] for row in records(found.to_frame())
    ]
    cut = ["The text is longer than the model's limit: only its beginning was read."] if found.truncated else []
    more = [f"The first {_SHOWN} of {len(rows)} tokens; --json gives all."] if len(rows) > _SHOWN else []
    return [
        f"Each is the probability of the {found.reading}; surprisal and entropy are in bits.",
        table(tuple(columns), rows[:_SHOWN]),
        f"Together {found.bits:.2f} bits over {count_of(found.predicted, 'token')}: a perplexity of {found.perplexity:.2f}.",
        *more,
        *cut,
    ]
