"""``lmcore analyse neurons``: dead, sparse and selective neurons over a data set, and the texts that one answers to."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.neurons.report import CANDIDATES, LOOKED_AT, TOP_TEXTS, NeuronConfig
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.output import Answer, records, table
from lmcore.errors import InputError
from lmcore.types import Part, count_of

if TYPE_CHECKING:
    from lmcore.analysis.neurons.report import NeuronReport, NeuronTokens

_SHOWN = 5
_SHOWN_TOKENS = 12


@click.command(
    "neurons",
    cls=AnswerCommand,
    short_help="Find dead, sparse and selective neurons over a data set.",
    epilog="Example: lmcore analyse neurons models:/feedback-en@champion feedback-en@3:test --neuron 4:17",
)
@click.argument("version")
@click.argument("data")
@click.option(
    "--component", type=click.Choice(LOOKED_AT), default="neurons", show_default=True,
    help="The MLP's hidden units, or the features of what else a layer gives.",
)  # fmt: skip
@click.option("--layer", "layers", type=click.IntRange(0), multiple=True, help="Only this layer; may be given again.")
@click.option(
    "--threshold",
    type=click.FloatRange(0),
    help="Above which a neuron is active.  [default: 0, or 0.01 for both signs]",
)
@click.option(
    "--pooling", type=click.Choice(["max", "mean"]), help="What stands for a text where labels are told apart."
)
@click.option("--rows", type=click.IntRange(1), help="The most rows that are read.  [default: all]")
@click.option("--neuron", metavar="LAYER:NEURON", help="Show the texts that this neuron answers to, token by token.")
@click.option(
    "--top-texts", type=click.IntRange(1, 100), default=TOP_TEXTS, show_default=True, help="Texts of a neuron."
)
@click.option(
    "--candidates", type=click.IntRange(1, 1000), default=CANDIDATES, show_default=True, help="Neurons of a label."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the halves of the texts.")
@click.pass_obj
def neurons_command(
    session: Session,
    /,
    version: str,
    data: str,
    layers: tuple[int, ...],
    rows: int | None,
    neuron: str | None,
    **settings: Any,
) -> Answer:
    """Read the rows of DATA (name@version:split) with VERSION, and say what its neurons do."""
    from lmcore.analysis import find_neurons, neuron_tokens
    from lmcore.data.store import DatasetStore
    from lmcore.models.load import load_model
    from lmcore.tasks import load_task

    asked = _place(neuron)
    config = NeuronConfig(layers=layers or None, **settings)
    dataset = DatasetStore(session.settings.workspace).load(data)
    task, frame = load_task(dataset.task), dataset.frame.head(rows) if rows else dataset.frame
    texts, strata = task.texts(frame).tolist(), task.strata(frame)
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(version, settings=session.settings)
        labels = None if strata is None else strata.astype(str).tolist()
        found = find_neurons(loaded, texts, labels, config=config, report=Part(report, 0.1, 0.9 if asked else 1.0))
        answers: list[NeuronTokens] = []
        top = found.top_texts(*asked) if asked else []
        if asked and top:
            chosen = [texts[row] for row, _ in top]
            answers = neuron_tokens(
                loaded, chosen, *asked, component=config.component, batch_size=1, report=Part(report, 0.9, 1.0)
            )
    ids = frame["id"].tolist()
    shown = [(int(ids[row]), answer) for (row, _), answer in zip(top, answers, strict=True)]
    return Answer(_document(found, str(loaded.ref), str(dataset.ref), shown), _show(found, neuron, shown))


def _place(neuron: str | None) -> tuple[int, int] | None:
    if neuron is None:
        return None
    layer, _, number = neuron.partition(":")
    if not (layer.isdecimal() and number.isdecimal()):
        raise InputError(f"The neuron is {neuron!r}: give its layer and number, such as 4:17.")
    return int(layer), int(number)


def _document(
    found: "NeuronReport", version: str, data: str, shown: "list[tuple[int, NeuronTokens]]"
) -> dict[str, Any]:
    dead = found.to_frame()
    return {
        "version": version,
        "data": data,
        "component": found.config.component,
        "activation": found.activation,
        "threshold": found.threshold,
        "signed": found.signed,
        "pooling": found.pooling,
        "texts": found.texts,
        "tokens": found.tokens,
        "layers": records(found.layers),
        "selective": records(found.selective),
        "dead": dead[dead["dead"]][["layer", "neuron"]].to_numpy().tolist(),
        "neuron": [
            {"id": row, "peak": item.peak, "tokens": list(item.tokens), "values": item.values} for row, item in shown
        ],
        "fingerprint": found.fingerprint,
    }


def _show(found: "NeuronReport", neuron: str | None, shown: "list[tuple[int, NeuronTokens]]") -> list[Any]:
    columns = ("layer", "norm", "sparsity", "hoyer", "dead", "dead_share")
    said: list[Any] = [
        f"{count_of(found.texts, 'text')} with {count_of(found.tokens, 'token')}; special ones are left out. {found.rule}",
        table(columns, [[row[name] for name in columns] for row in records(found.layers)]),
    ]
    if len(found.selective):
        names = ("label", "layer", "neuron", "effect", "auroc", "low", "high", "p_adjusted")
        best = found.selective.groupby("label", sort=False).head(_SHOWN)
        said += [
            "Neurons that tell a label from the rest: chosen on one half of the texts, measured on the other",
            table(names, [[row[name] for name in names] for row in records(best)]),
        ]
    if neuron is not None:
        said.append(f"Neuron {neuron} answers most to these texts, token by token:")
        rows = [(row + 1, f"{item.peak:+.3f}", _strongest(item)) for row, item in shown]
        said.append(table(("row", "peak", "tokens"), rows))
    return said


def _strongest(item: "NeuronTokens") -> str:
    """Return a text's tokens around the one with the largest value, with their values."""
    peak = int(abs(item.values * ~item.special).argmax())
    first = max(0, peak - _SHOWN_TOKENS // 2)
    part = list(zip(item.tokens, item.values, item.special, strict=True))[first : first + _SHOWN_TOKENS]
    return " ".join(f"{token.strip()}({value:+.2f})" for token, value, special in part if not special)
