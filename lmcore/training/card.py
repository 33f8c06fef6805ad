"""The model card: what a version is, how good it is and where it ends, written from the run (after Mitchell et al. 2019)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore import __version__
from lmcore.data.store import DatasetStore
from lmcore.data.text import inline_markdown, is_chinese
from lmcore.errors import LmError
from lmcore.models.encode import UNKNOWN_LIMIT
from lmcore.settings import Settings
from lmcore.tasks import TASKS, load_task
from lmcore.tasks.classes import ClassTask
from lmcore.tasks.figures import Metric
from lmcore.training.calibration import MEASURES, Calibration, calibration
from lmcore.training.continual.forgetting import Forgetting
from lmcore.training.continual.kept_forgetting import kept_forgetting, load_forgetting
from lmcore.training.evaluation import Evaluation, load_evaluation
from lmcore.training.kept import chief_evaluation
from lmcore.training.reinforcement.rewarding import reward_verdict
from lmcore.training.slices import SliceReport, evaluation_rows, measure_slices
from lmcore.training.verdict import verdict
from lmcore.types import ModelRef

if TYPE_CHECKING:
    from lmcore.data.dataset import TextDataset
    from lmcore.models.registry import ModelVersion

FEW_ROWS = 10
_UNSHOWN = {"name", "task", "model", "method"}


@dataclass(frozen=True, eq=False)
class CardFacts:
    """What a card is written from.

    Attributes:
        version: the registered version.
        data: the data set that it was trained on, or None where it is not stored any more.
        evaluation: how it did, or None where it was not evaluated.
        slices: by slice, or None.
        calibration: of its probabilities, or None where the task has none.
        forgetting: what it lost of what the version before it knew, or None where that was not measured.
    """

    version: "ModelVersion"
    data: "TextDataset | None" = None
    evaluation: Evaluation | None = None
    slices: SliceReport | None = None
    calibration: Calibration | None = None
    forgetting: Forgetting | None = None


def model_card(version: "str | ModelRef", *, settings: Settings, evaluation: str = "") -> str:
    """Write the model card of a registered version in Markdown.

    Args:
        version: which.
        settings: the workspace.
        evaluation: id of a kept evaluation; empty takes the newest one on a test split.

    Raises:
        UnknownError: there is no such version or evaluation.
        StorageError: a file is damaged.
    """
    from lmcore.models.registry import ModelRegistry

    found = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(version)
    kept = evaluation or chief_evaluation(settings.workspace, found.ref)
    result = load_evaluation(settings.workspace, kept) if kept else None
    slices = measured = None
    if result is not None:
        slices = _or_none(lambda: measure_slices(result, evaluation_rows(settings.workspace, result)))
        measured = calibration(result) if isinstance(load_task(result.task), ClassTask) else None
    data = _or_none(lambda: DatasetStore(settings.workspace).load(str(found.facts.get("data", ""))))
    reports = kept_forgetting(settings.workspace, found.ref)
    forgotten = load_forgetting(settings.workspace, reports[0]) if reports else None
    return write_card(CardFacts(found, data, result, slices, measured, forgotten))


def write_card(facts: CardFacts) -> str:
    """Write a card from what is known; what is not known is said to be so."""
    version = facts.version
    parts = [
        f"# {inline_markdown(version.name)}, version {version.version}",
        f"{TASKS[version.task].title}. {TASKS[version.task].summary}",
        *(_summary(facts.evaluation)),
        "## Data",
        *_data(facts),
        "## Method",
        *_method(version),
        "## Results",
        *(_results(facts.evaluation) if facts.evaluation else ["It was not evaluated."]),
        "## Calibration",
        *_calibration(facts),
        "## Slices",
        *(
            _bullets(inline_markdown(s) for s in facts.slices.sentences())
            if facts.slices
            else ["No slices were measured."]
        ),
        "## Limits",
        *_bullets(_limits(facts)),
        f"*Written by LMScope {__version__} from the run"
        f"{f' {version.run_id}' if version.run_id else ''} of {_day(version.created)}.*",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(evaluation: Evaluation | None) -> list[str]:
    return [] if evaluation is None else [verdict(evaluation)]


def _data(facts: CardFacts) -> list[str]:
    known, data = facts.version.facts, facts.data
    rows: list[tuple[str, object]] = [
        ("data set", known.get("data", "unknown")),
        ("fingerprint", known.get("data_fingerprint", "unknown")),
    ]
    if data is None:
        return [_table(("", ""), rows), "The data set is not in the workspace any more."]
    if data.source:
        rows.append(("source", data.source))
    if known.get("earlier_data"):
        rows.append(("earlier data", ", ".join(known["earlier_data"])))
        rows.append(("earlier rows learnt again", known["replayed_rows"]))
    for split in ("train", "dev", "test"):
        if data.is_split:
            rows.append((f"rows to {_USE[split]} ({split})", int((data.frame["split"] == split).sum())))
    task = load_task(data.task)
    texts = task.texts(data.frame)
    rows.append(("characters of a text", _spread(texts.map(len).to_numpy())))
    rows.append(("texts in Chinese", f"{texts.map(is_chinese).mean():.0%}"))
    said = [] if data.fingerprint == known.get("data_fingerprint") else [
        "**The stored rows are not those that it was trained on: their fingerprints differ.**"
    ]  # fmt: skip
    return [_table(("", ""), rows), *said]


_USE = {"train": "learn from", "dev": "choose on", "test": "measure on"}


def _method(version: "ModelVersion") -> list[str]:
    known = version.facts
    rows: list[tuple[str, object]] = [
        ("method", known.get("method", "unknown")),
        ("base model", known.get("base", "?")),
    ]
    rows += [
        (f"{name.replace('_', ' ')} (chosen on dev)", value)
        for name, value in known.get("choices", {}).items()
        if known.get("config", {}).get(name) is None
    ]
    if "compression" in known:
        made = known["compression"]
        rows.append((f"compression ({made['method']}) of {made['from']}", made["summary"]))
    if "temperature" in known:
        rows.append((f"temperature (fitted on {known['calibrated_on']})", f"{known['temperature']:.3f}"))
        rows.append(("calibrated from", known["calibrated_from"]))
    given = [
        (name.replace("_", " "), value)
        for name, value in known.get("config", {}).items()
        if name not in _UNSHOWN and value is not None and _reads(str(known.get("method")), name)
    ]
    return (
        [_table(("", ""), rows), "Settings:", _table(("setting", "value"), given)]
        if given
        else [_table(("", ""), rows)]
    )


def _reads(method: str, setting: str) -> bool:
    from lmcore.training.methods import TRAINING

    return method not in TRAINING or setting in {item.name for item in TRAINING[method].options}


def _results(evaluation: Evaluation) -> list[str]:
    baselines = evaluation.tables.get("baselines", pd.DataFrame()).to_dict("records")
    own: dict[str, Any] = dict(evaluation.metrics)
    for name, (low, high) in evaluation.intervals.items():
        own |= {f"{name}_low": low, f"{name}_high": high}
    models: list[tuple[str, Mapping[str, Any]]] = [("this model", own)]
    models += [(str(line["name"]), {str(key): value for key, value in line.items()}) for line in baselines]
    rows = [
        (evaluation.metric(name).title, *[_with_interval(evaluation.metric(name), name, line) for _, line in models])
        for name in evaluation.metrics
    ]
    said = (
        f"On {evaluation.parameters['rows']} rows of {inline_markdown(evaluation.data)}, with 95 % bootstrap intervals:"
    )
    found = [said, _table(("", *[name for name, _ in models]), rows)]
    if "by_class" in evaluation.tables:
        wide = (
            evaluation.tables["by_class"].pivot(index=["label", "rows"], columns="metric", values="value").reset_index()
        )
        listed = wide[["label", "rows", "precision", "recall", "f1"]].itertuples(index=False)
        found += ["By class:", _table(("class", "rows", "precision", "recall", "F1"), listed)]
    if "rewards" in evaluation.tables:
        found.append(reward_verdict(evaluation.tables["rewards"]))
    return found


def _with_interval(metric: Metric, name: str, line: Mapping[str, Any]) -> str:
    if name not in line:
        return "–"
    return f"{metric.show(line[name])} ({metric.show(line[f'{name}_low'])} to {metric.show(line[f'{name}_high'])})"


def _calibration(facts: CardFacts) -> list[str]:
    found = facts.calibration
    if found is None:
        return ["Not measured: the task gives no probabilities of classes." if facts.evaluation else "Not measured."]
    titles = {metric.name: f"{metric.title} ({metric.unit})" for metric in MEASURES}
    rows = [
        (titles[row["metric"]], f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})")
        for row in found.measures.to_dict("records")
        if np.isfinite(row["value"])
    ]
    return [found.verdict, _table(("measure", "value (95 % interval)"), rows)]


def _limits(facts: CardFacts) -> list[str]:
    known, evaluation = facts.version.facts, facts.evaluation
    said = []
    for name, what in (
        ("unknown_share", "tokens that the model does not know"),
        ("truncated_share", "texts that were cut"),
    ):
        shares = {"training": known.get(name), "measured": evaluation.parameters.get(name) if evaluation else None}
        listed = [f"{share:.1%} in the {rows} rows" for rows, share in shares.items() if share is not None]
        if listed:
            said.append(f"Share of {what}: {' and '.join(listed)}.")
    if float(known.get("unknown_share") or 0) > UNKNOWN_LIMIT:
        said.append("**The tokenizer does not know this language: take a model that was made for it.**")
    said += _few_rows(facts)
    if facts.forgetting is not None:
        said.append(f"It went on from {facts.forgetting.before}. {inline_markdown(facts.forgetting.verdict)}")
    if evaluation is None:
        said.append("It was not evaluated: nothing is known about its errors.")
    elif evaluation.rival is not None and evaluation.rival.beats:
        said.append(f"**{evaluation.rival.name} does as well or better and costs far less.**")
    said.append(
        f"Its figures hold for texts like those of {inline_markdown(str(known.get('data', 'its data set')))}. Other sources, "
        "other lengths, other languages and later times were not measured."
    )
    labels = known.get("labels") or []
    if labels:
        named = ", ".join(inline_markdown(str(label)) for label in labels[:20]) + (" …" if len(labels) > 20 else "")
        said.append(f"It knows {len(labels)} labels and gives one of them to any text, fitting or not: {named}.")
    return said


def _few_rows(facts: CardFacts) -> list[str]:
    """Name the classes that have too few rows to learn from or to be measured on."""
    data = facts.data
    if data is None or not data.is_split:
        return []
    lists = load_task(data.task).label_lists(data.frame)
    if not lists:
        return []
    said = []
    for split, use in (("train", "learn from"), ("test", "be measured on")):
        inside = (data.frame["split"] == split).to_numpy()
        counts = pd.Series([x for row, kept in zip(lists, inside, strict=True) if kept for x in row], dtype=object)
        everywhere = sorted({x for row in lists for x in row})
        found = counts.value_counts().reindex(everywhere, fill_value=0)
        few = [f"{inline_markdown(str(name))} ({count})" for name, count in found.items() if count < FEW_ROWS]
        if few:
            shown = ", ".join(few[:10]) + (f" and {len(few) - 10} more" if len(few) > 10 else "")
            said.append(f"Fewer than {FEW_ROWS} rows to {use}: {shown}.")
    return said


def _bullets(sentences: Iterable[str]) -> list[str]:
    return ["\n".join(f"- {sentence}" for sentence in sentences)]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    if value == "---":
        return "---"
    return f"{value:.3g}" if isinstance(value, float) else inline_markdown(str(value))


def _spread(lengths: np.ndarray) -> str:
    if not len(lengths):
        return "none"
    return f"{lengths.min()} to {lengths.max()}, median {np.median(lengths):.0f}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _or_none(make: Any) -> Any:
    try:
        return make()
    except LmError:
        return None
