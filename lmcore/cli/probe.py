"""``lmcore analyse probe``: which properties of texts and words can be read off each layer."""

from typing import TYPE_CHECKING, Any

import click

from lmcore.analysis.probes.methods import PROBES, PROPERTIES
from lmcore.cli.command import AnswerCommand, Session
from lmcore.cli.options import choices_help, given_options, method_flags
from lmcore.cli.output import Answer, records, table
from lmcore.errors import DataError
from lmcore.types import SPLITS, Part

if TYPE_CHECKING:
    from lmcore.analysis.probes.probing import ProbeResult

ROWS = 1000
_PREFIX = "probe_"


@click.command(
    "probe",
    cls=AnswerCommand,
    short_help="Say what can be read off each layer.",
    epilog="Example: lmcore analyse probe models:/feedback@champion --data feedback-en@3 --control --code. "
    "Another: lmcore analyse probe all-MiniLM-L6-v2 --data feedback-en@3 --property word_order --probe mlp",
)
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", help="A stored data set that is split (name@version).")
@click.option(
    "--property",
    "name",
    type=click.Choice(list(PROPERTIES)),
    default=next(iter(PROPERTIES)),
    show_default=True,
    help=choices_help(PROPERTIES),
)
@method_flags(PROPERTIES)
@click.option(
    "--probe",
    type=click.Choice(list(PROBES)),
    default=next(iter(PROBES)),
    show_default=True,
    help=choices_help(PROBES),
)
@method_flags(PROBES, prefix=_PREFIX)
@click.option("--control", is_flag=True, help="Also fit a control task with labels at random, and say the selectivity.")
@click.option("--code", is_flag=True, help="Also say the description length of train's labels by online coding.")
@click.option(
    "--rows",
    type=click.IntRange(2),
    default=ROWS,
    show_default=True,
    help="The most rows of each split, drawn at random.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.pass_obj
def probe_command(
    session: Session,
    /,
    model: str,
    data: str,
    name: str,
    probe: str,
    control: bool,
    code: bool,
    rows: int,
    seed: int,
    **flags: Any,
) -> Answer:
    """Probe each layer of MODEL (models:/NAME@ALIAS, or a pre-trained model) for a property of the texts of a data set."""
    plain = {option: value for option, value in flags.items() if not option.startswith(_PREFIX)}
    options = PROPERTIES[name].check(given_options(plain))
    probe_options = PROBES[probe].check(given_options(flags, _PREFIX))
    from lmcore.analysis import probe_layers
    from lmcore.data.store import DatasetStore
    from lmcore.models.load import load_model

    dataset = DatasetStore(session.settings.workspace).load(data)
    if dataset.ref and dataset.ref.split:
        raise DataError(
            f"{data} is one split: give the whole data set, since probes learn from train and are measured on test."
        )
    frames = [dataset.part(split).frame for split in SPLITS]
    kept = [f if len(f) <= rows else f.sample(rows, random_state=seed).sort_index() for f in frames]
    with session.report() as report:
        report.progress(0.0, "Loading the model")
        loaded = load_model(model, settings=session.settings)
        fits = 1 + control + 10 * code
        session.note(
            f"Reading {sum(map(len, kept)):,} texts once, and fitting {fits} probe{'s' * (fits > 1)} on each of "
            f"{loaded.layers + 1} layers."
        )
        found = probe_layers(
            loaded, *kept, task=dataset.task, seed=seed, property=name, property_options=options, probe=probe,
            probe_options=probe_options, control=control, code=code, report=Part(report, 0.1, 1.0),
        )  # fmt: skip
    document = {
        "model": str(loaded.ref),
        "data": str(dataset.ref),
        "best_layer": found.best_layer,
        "classes": found.classes,
        "examples": dict(found.examples),
        "majority": dict(found.majority),
        "accuracy": records(found.accuracies),
        "codes": None if found.codes is None else records(found.codes),
        "parameters": dict(found.parameters),
        "fingerprint": found.fingerprint,
    }
    return Answer(document, _show(found))


def _show(found: "ProbeResult") -> list[Any]:
    names = ["dev accuracy", "test accuracy"]
    frame = found.accuracies.pivot(index="layer", columns="split")
    columns = [frame["accuracy"][split] for split in ("dev", "test")]
    if "selectivity" in found.accuracies:
        names += ["test control", "test selectivity"]
        columns += [frame["control"]["test"], frame["selectivity"]["test"]]
    if found.codes is not None:
        names += ["compression"]
        columns += [found.codes.set_index("layer")["compression"]]
    rows = [(int(layer), *(float(column[layer]) for column in columns)) for layer in frame.index]
    probe, about = (
        PROBES[found.parameters["probe"]].title,
        PROPERTIES[found.parameters["property"]].title,
    )
    said = [
        f"{about}: the {probe[0].lower()}{probe[1:]} does best on layer {found.best_layer}, chosen on dev.",
        table(("layer", *names), rows),
        f"{len(found.classes)} classes, {found.examples['train']:,} examples of train; always saying the most frequent class "
        f"is right in {found.majority['test']:.3f} of test.",
    ]
    if found.codes is not None:
        said.append("Compression: how many times shorter the labels' code is than without the vectors.")
    return said
