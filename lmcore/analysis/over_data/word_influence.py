"""Which words a classifier relies on over a whole data set: attribution summed by word for each class."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lmcore.analysis.attribution.attribute import attribute_texts
from lmcore.analysis.over_data.kept import KeptTables, keep, kept_analysis
from lmcore.analysis.over_data.shortcuts import try_words
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import DataError, OptionError
from lmcore.fingerprint import fingerprint
from lmcore.methods import option, options_of
from lmcore.models.load import LoadedModel, load_model
from lmcore.models.predict import predict_rows
from lmcore.settings import Settings, Workspace
from lmcore.tasks import load_task
from lmcore.tasks.classes import ClassTask
from lmcore.types import Part, Prediction, Report, Silent, Target

BATCH = 64
KIND = "influence"
TARGET = "lmcore.analysis.over_data.word_influence:run"


@dataclass(frozen=True, slots=True)
class InfluenceConfig:
    """Which data set is explained, by which version and how.

    Attributes:
        version: a registered version, in text form.
        data: a stored data set, in text form, mostly one split of it.
    """

    version: str
    data: str
    method: str = option(
        "integrated_gradients",
        "How each text is explained.",
        choices=("integrated_gradients", "input_x_gradient"),
    )
    steps: int = option(
        16, "Points at which integrated gradients looks; more are exacter and slower.", minimum=4, maximum=256
    )
    rows: int = option(500, "The most rows that are explained; more are sampled.", minimum=10, maximum=20_000)
    least: int = option(3, "A word is tested where it stands in at least this many of them.", minimum=1, maximum=1000)
    candidates: int = option(
        8, "How many words of each class are tested, the most influential first.", minimum=0, maximum=50
    )
    tested: int = option(
        50, "In how many texts a word is left out, and into how many it is put.", minimum=5, maximum=1000
    )
    seed: int = option(0, "Of the samples and places.", minimum=0)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like values."""
        return asdict(self)

    def checked(self) -> "InfluenceConfig":
        """Return the same with every value checked.

        Raises:
            OptionError: one is out of range.
        """
        return replace(self, **{o.name: o.check(getattr(self, o.name)) for o in options_of(InfluenceConfig)})

    @property
    def id(self) -> str:
        """Name of the kept result: equal settings give an equal one."""
        return fingerprint(self.to_dict())


@dataclass(frozen=True, eq=False)
class WordInfluence:
    """What speaks for each class over some rows.

    Attributes:
        words: ``label``, ``word`` (in small letters), ``rows`` in which it stands that are predicted as the class,
            ``total`` and ``mean`` of its scores there (logits of the class less the runner-up's), and ``leads``, the share of
            those rows in which no other word speaks as loudly; the largest total of each class first.
        shortcuts: what `lmcore.analysis.over_data.shortcuts.try_words` found about the most influential of them.
        rows: how many rows were explained.
        rows_total: how many the data has.
        worst_error: the largest completeness error of a row, as a share.
        parameters: the configuration.
        fingerprint: hash of weights, data and parameters.
    """

    words: pd.DataFrame
    shortcuts: pd.DataFrame
    rows: int
    rows_total: int
    worst_error: float
    parameters: Mapping[str, Any]
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the words."""
        return self.words


def word_influence(
    loaded: LoadedModel, data: TextDataset, config: InfluenceConfig, *, report: Report | None = None
) -> WordInfluence:
    """Explain every row's prediction against its runner-up, sum the scores by word, and test the strongest words.

    Args:
        loaded: a model that gives each row one class.
        data: its rows; labels are not needed.
        config: how.
        report: progress and cancellation.

    Raises:
        OptionError: the model's task gives rows no class, or a setting is out of range.
        DataError: no row has a text.
        Cancelled: the report asked to stop.
    """
    report, config = report or Silent(), config.checked()
    if not isinstance(load_task(loaded.task or data.task), ClassTask):
        raise OptionError("Words are summed by class: choose a version whose task gives each row one class.")
    frame = _sample(data.frame, load_task(data.task).texts(data.frame), config)
    report.progress(0.0, f"Predicting {len(frame)} rows")
    predictions = predict_rows(loaded, frame, report=Part(report, 0.0, 0.1))
    words, worst = _summed(loaded, frame, predictions, config, Part(report, 0.1, 0.7))
    shortcuts = try_words(
        loaded, frame, predictions, candidates(words, config), count=config.tested, seed=config.seed,
        report=Part(report, 0.7, 1.0),
    )  # fmt: skip
    report.progress(1.0, "Done")
    digits = fingerprint(loaded.fingerprint, data.fingerprint, config.to_dict())
    return WordInfluence(words, shortcuts, len(frame), len(data), worst, config.to_dict(), digits)


def candidates(words: pd.DataFrame, config: InfluenceConfig) -> pd.DataFrame:
    """Return the words that are tested: of each class those with the highest mean score in enough rows."""
    often = words[(words["rows"] >= config.least) & (words["mean"] > 0)]
    ranked = often.sort_values("mean", ascending=False, kind="stable")
    return ranked.groupby("label", sort=True).head(config.candidates).reset_index(drop=True)


def _sample(frame: pd.DataFrame, texts: "pd.Series", config: InfluenceConfig) -> pd.DataFrame:
    filled = frame[texts.str.strip() != ""]
    if filled.empty:
        raise DataError("There is no row with a text to explain: choose another split or data set.")
    if len(filled) > config.rows:
        filled = filled.sample(config.rows, random_state=config.seed).sort_values("id")
    return filled.reset_index(drop=True)


def _summed(
    loaded: LoadedModel, frame: pd.DataFrame, predictions: Sequence[Prediction], config: InfluenceConfig, report: Report
) -> tuple[pd.DataFrame, float]:
    """Return the words' sums, and the largest completeness error."""
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    leads: dict[tuple[str, str], int] = defaultdict(int)
    options: dict[str, Any] = {"steps": config.steps} if config.method == "integrated_gradients" else {}
    columns = load_task(loaded.task).inputs(frame)
    worst = 0.0
    for start in range(0, len(frame), BATCH):
        report.check()
        part = frame.iloc[start : start + BATCH]
        targets = [_against_runner_up(p) for p in predictions[start : start + BATCH]]
        texts = [dict(zip(columns, row, strict=True)) for row in part[columns].itertuples(index=False)]
        found = attribute_texts(replace(loaded, window=0), texts, targets, method=config.method, **options)
        for one in found:
            worst = max(worst, one.completeness_error)
            own: dict[str, float] = defaultdict(float)
            for word, score in one.by_word()[["word", "score"]].itertuples(index=False):
                own[word.lower()] += score
            for word, score in own.items():
                scores[one.target.label, word].append(score)
            if own and max(own.values()) > 0:
                leads[one.target.label, max(own, key=lambda word: own[word])] += 1
        report.progress((start + len(part)) / len(frame), f"{start + len(part)} of {len(frame)} rows explained")
    rows = [
        (label, word, len(values), float(np.sum(values)), float(np.mean(values)), leads[label, word] / len(values))
        for (label, word), values in scores.items()
    ]
    words = pd.DataFrame(rows, columns=["label", "word", "rows", "total", "mean", "leads"])
    return words.sort_values(["label", "total"], ascending=[True, False], kind="stable").reset_index(drop=True), worst


def _against_runner_up(prediction: Prediction) -> Target:
    ranked = sorted(prediction.probabilities, key=lambda label: -prediction.probabilities[label])
    return Target("class", prediction.label, against=next(label for label in ranked if label != prediction.label))


def influence_tables(found: WordInfluence) -> KeptTables:
    """Return what is kept of a result."""
    facts = {
        "rows": found.rows,
        "rows_total": found.rows_total,
        "worst_error": found.worst_error,
        "parameters": dict(found.parameters),
        "fingerprint": found.fingerprint,
    }
    return KeptTables({"words": found.words, "shortcuts": found.shortcuts}, facts)


def kept_influence(workspace: Workspace, config: InfluenceConfig) -> WordInfluence | None:
    """Return the kept result of a configuration, or None where there is none.

    Raises:
        StorageError: its files are damaged.
    """
    kept = kept_analysis(workspace, KIND, config.checked().id)
    return None if kept is None else WordInfluence(kept.tables["words"], kept.tables["shortcuts"], **kept.facts)


def run(config: Mapping[str, Any], *, workspace: Workspace, report: Report, resume: bool) -> dict[str, Any]:
    """Compute and keep, as a job, what an `InfluenceConfig` names; what is kept already is not computed again.

    Returns:
        ``influence``: the id under which it is kept.
    """
    wanted = InfluenceConfig(**config).checked()
    if kept_influence(workspace, wanted) is None:
        report.progress(0.0, "Loading the model")
        loaded = load_model(wanted.version, settings=replace(Settings.from_environment(), workspace=workspace))
        data = DatasetStore(workspace).load(wanted.data)
        found = word_influence(loaded, data, wanted, report=Part(report, 0.05, 1.0))
        keep(workspace, KIND, wanted.id, influence_tables(found))
    return {"influence": wanted.id}
