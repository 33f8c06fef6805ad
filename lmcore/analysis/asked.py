"""What is asked about a text: how the model reads it, and which of its outputs is to be explained."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmcore.analysis.room import check_room
from lmcore.analysis.runs import among_read, read_count, read_where_written, run_tokens, target_values
from lmcore.errors import InputError
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.models.reading import Reading, columns_of, read_row
from lmcore.tasks import load_task
from lmcore.tasks.completion import is_masked
from lmcore.types import Input, Prediction, Report, Silent, Target


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked about one text.

    Attributes:
        reading: the text as the model reads it, with what it wrote.
        target: what is explained.
        output: what the model wrote, or is taken to have written; empty for a task that writes none.
    """

    reading: Reading
    target: Target
    output: str


def ask(
    loaded: LoadedModel,
    texts: Sequence[Input],
    targets: Sequence[Target | str | None] | None = None,
    outputs: Sequence[str] | None = None,
    *,
    links: bool = False,
    report: Report | None = None,
) -> list[Asked]:
    """Read texts for what is to be explained about each; what is not given is what the model predicts.

    They are read as far as the model's window goes, whatever it takes of a text among others.

    Args:
        loaded: a model with a task's head.
        texts: texts, or each of the columns that the task reads.
        targets: what is explained of each; a text names a class, a token or a phrase that the model can give.
        outputs: for a model that writes, what it is taken to have written for each.
        links: whether the caller can explain a link, for which two texts are read one by one.
        report: progress and cancellation of the predicting.

    Raises:
        InputError: a text is empty, the model has no head or predicts nothing that can be explained, a target has no
            place in what it reads or writes, or an output is given to a model that writes none.
        UnknownError: there is no such class.
        ResourceError: the longest text would not fit into memory.
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    if not loaded.task:
        raise InputError(f"{loaded.ref} has no trained head: choose a registered version, or name a task for it.")
    loaded = loaded.widest
    for text in texts:
        columns_of(loaded, text)  # what is empty is refused before the model runs
    for output in outputs or ():
        check_output(loaded, output or None)
    wanted = list(targets) if targets is not None else [None] * len(texts)
    written: list[str | None] = list(outputs) if outputs is not None else [None] * len(texts)
    unknown = [n for n, target in enumerate(wanted) if _is_open(target, written[n])]
    found = predict_texts(loaded, [texts[n] for n in unknown], report=report) if unknown else []
    report.check()
    predicted = dict(zip(unknown, found, strict=True))
    asked = [
        _ask_one(loaded, text, target, output, predicted.get(n))
        for n, (text, target, output) in enumerate(zip(texts, wanted, written, strict=True))
    ]
    readings = [one.reading for one in asked]
    if not links and any(reading.apart for reading in readings):
        raise InputError(
            "A link between two texts is explained by attribution: take that, or a version of another task."
        )
    check_room(loaded, max(map(len, readings), default=0), read=read_count(loaded, readings))
    _check_targets(loaded, asked)
    return asked


def check_output(loaded: LoadedModel, output: str | None) -> None:
    """Refuse an output where a model's task writes nothing behind its text that could be taken as written.

    Raises:
        InputError: there is an output, and the model has none.
    """
    if output is None:
        return
    task = load_task(loaded.task).adapted(loaded.model.config)
    goes_on = task.name == "completion" and not is_masked(loaded.tokenizer)
    if task.decoding(loaded) is None and not goes_on:
        raise InputError(f"{loaded.ref} writes nothing and has no output: leave it out, or choose a model that writes.")


def _is_open(target: Target | str | None, output: str | None) -> bool:
    """Say whether the model has to be asked first: for the target, or for the output in which it stands."""
    return target is None or isinstance(target, str) or (target.kind == "phrase" and output is None)


def _ask_one(
    loaded: LoadedModel, text: Input, target: Target | str | None, output: str | None, predicted: Prediction | None
) -> Asked:
    task = load_task(loaded.task).adapted(loaded.model.config)
    writes = task.decoding(loaded) is not None
    if output is None:
        output = predicted.text if predicted is not None and writes else ""
    if not isinstance(target, Target):
        offered = task.targets(Prediction(0, text=output) if output or predicted is None else predicted)
        if not offered:
            raise InputError("The model predicts nothing here that could be explained: name what is to be.")
        target = offered[0] if target is None else _named(target, offered, output)
    return Asked(read_row(loaded, text, target, output=output), target, output)


def _named(name: str, offered: Sequence[Target], output: str) -> Target:
    """Return the target that a name stands for: one that is offered, a class or token besides, or words of the output.

    Raises:
        InputError: it stands for none.
    """
    for target in offered:
        if target.label == name and not target.against:
            return target
    kind = offered[0].kind
    if kind in ("class", "token", "link"):
        return Target(kind, name)
    start = output.find(name)
    if kind == "phrase" and name and start >= 0:
        return Target(kind, name, start, start + len(name))
    known = ", ".join(dict.fromkeys(target.label for target in offered))
    raise InputError(f"There is no {name!r} to be explained here: name one of {known}, or give a Target.")


def _check_targets(loaded: LoadedModel, asked: Sequence[Asked]) -> None:
    """Refuse a class or a place that is not there before any work is done; each sort of target is tried once."""
    import torch

    distinct = {(a.target.kind, a.target.label, a.target.against): a for a in reversed(asked)}
    for one in distinct.values():
        with torch.inference_mode():
            out = run_tokens(loaded, [one.reading], **read_where_written(loaded, [one.reading]))
            target_values(loaded, out, among_read(loaded, [one.reading]), [one.target])
