"""``lmcore analyse words``: which words a classifier relies on over a data set."""

from typing import Any

import click

from lmcore.analysis.over_data.word_influence import (
    KIND,
    InfluenceConfig,
    WordInfluence,
    influence_tables,
    word_influence,
)
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.methods import Method, options_of

_SHOWN = 8
_OWN = {"words": Method("words", "Words", "", "", options=options_of(InfluenceConfig))}


@click.command(
    "words",
    short_help="Say which words a classifier relies on over a data set.",
    cls=AnswerCommand,
    epilog="Example: lmcore analyse words models:/feedback-en@champion feedback-en@3:test",
)
@click.argument("version")
@click.argument("data")
@method_flags(_OWN)
@click.pass_obj
def influence_command(session: Session, /, version: str, data: str, **flags: Any) -> Answer:
    """Explain the rows of DATA (name@version:split) by VERSION, sum the scores by word and class, and test the strongest.

    A word that turns most texts of other classes by itself is called a shortcut. The result is kept for the Analyse page.
    """
    from lmcore.analysis.over_data.kept import keep
    from lmcore.data.store import DatasetStore
    from lmcore.models.load import load_model

    dataset = DatasetStore(session.settings.workspace).load(data)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(version, settings=session.settings)
        config = InfluenceConfig(str(loaded.ref), str(dataset.ref), **_OWN["words"].check(given_options(flags)))
        found = word_influence(loaded, dataset, config, report=report)
    keep(session.settings.workspace, KIND, config.id, influence_tables(found))
    return Answer(_document(found, config), _show(found))


def _document(found: WordInfluence, config: InfluenceConfig) -> dict[str, Any]:
    return {
        "id": config.id,
        "parameters": dict(found.parameters),
        "rows": found.rows,
        "rows_total": found.rows_total,
        "worst_error": found.worst_error,
        "words": records(found.words),
        "shortcuts": records(found.shortcuts),
    }


def _show(found: WordInfluence) -> list[Any]:
    caught = found.shortcuts[found.shortcuts["shortcut"]]
    said = (
        "No tested word decides by itself."
        if caught.empty
        else "Shortcuts, each of which turns most texts of other classes: "
        + ", ".join(f"{word!r} ({label})" for word, label in zip(caught["word"], caught["label"], strict=True))
        + "."
    )
    strongest = found.words[found.words["total"] > 0].groupby("label").head(_SHOWN)
    columns = ["label", "word", "rows", "total", "mean"]
    tested = ["label", "word", "inserted", "insertion_flips", "deleted", "deletion_flips", "shortcut"]
    return [
        said,
        table(tuple(columns), strongest[columns].itertuples(index=False)),
        table(tuple(tested), found.shortcuts[tested].itertuples(index=False)),
    ]
