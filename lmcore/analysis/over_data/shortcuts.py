"""Whether a single word decides a prediction: it is left out where it stands, and put into texts of other classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lmcore.data.text import is_chinese
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_rows
from lmcore.models.text_tokens import word_spans
from lmcore.tasks import load_task
from lmcore.tasks.resampling import wilson
from lmcore.types import Prediction, Report, Silent

DECIDES = 0.5


def try_words(
    loaded: LoadedModel,
    frame: pd.DataFrame,
    predictions: Sequence[Prediction],
    words: pd.DataFrame,
    *,
    count: int = 50,
    seed: int = 0,
    report: Report | None = None,
) -> pd.DataFrame:
    """Test words by what the model says without them, and with them in other texts.

    A word is called a shortcut where putting it into a text of another class turns the prediction to its own in more than
    half of such texts, the whole 95 % interval above that.

    Args:
        loaded: a model that gives each row one class.
        frame: rows; the first column that the task reads is changed.
        predictions: what the model says about them.
        words: ``label`` and ``word`` in small letters.
        count: in how many texts a word is left out, and into how many it is put.
        seed: which texts, and where in them.
        report: progress and cancellation.

    Returns:
        ``words`` with ``deleted`` (texts), ``deletion_flips`` (share that changes, with ``_low`` and ``_high``), the same as
        ``inserted`` and ``insertion_flips``, and ``shortcut``.

    Raises:
        Cancelled: the report asked to stop.
    """
    report = report or Silent()
    column = load_task(loaded.task).required()[0]
    said = np.array([p.label for p in predictions], dtype=object)
    rng = np.random.default_rng(seed)
    rows = []
    for number, (label, word) in enumerate(zip(words["label"], words["word"], strict=True)):
        report.check()
        has = np.array([_has(text, word) for text in frame[column]], dtype=bool)
        own = _draw(rng, np.flatnonzero(has & (said == label)), count)
        others = _draw(rng, np.flatnonzero(~has & (said != label)), count)
        without = [(row, text) for row in own if (text := _without(frame[column].iloc[row], word)).strip()]
        beside = [(row, _with(frame[column].iloc[row], word, rng)) for row in others]
        lost = _labels(loaded, frame, column, without) != label
        won = _labels(loaded, frame, column, beside) == label
        losing, winning = _shares(lost), _shares(won)
        rows.append((*losing, *winning, winning[2] > DECIDES))
        report.progress((number + 1) / len(words), f"{number + 1} of {len(words)} words tested")
    names = [f"{kind}{end}" for kind in ("deletion_flips", "insertion_flips") for end in ("", "_low", "_high")]
    columns = ["deleted", *names[:3], "inserted", *names[3:], "shortcut"]
    found = pd.DataFrame(rows, columns=columns).astype({"shortcut": bool})
    return pd.concat([words.reset_index(drop=True), found], axis=1)


def _shares(flipped: np.ndarray) -> tuple[int, float, float, float]:
    if not len(flipped):
        return 0, float("nan"), float("nan"), float("nan")
    return len(flipped), float(flipped.mean()), *wilson(float(flipped.sum()), len(flipped))


def _labels(loaded: LoadedModel, frame: pd.DataFrame, column: str, changed: Sequence[tuple[int, str]]) -> np.ndarray:
    """Return what the model says about rows whose text was changed."""
    if not changed:
        return np.zeros(0, dtype=object)
    rows = frame.iloc[[row for row, _ in changed]].reset_index(drop=True)
    rows[column] = pd.Series([text for _, text in changed], dtype="str")
    return np.array([p.label for p in predict_rows(loaded, rows)], dtype=object)


def _draw(rng: np.random.Generator, rows: np.ndarray, count: int) -> np.ndarray:
    return rows if len(rows) <= count else np.sort(rng.choice(rows, count, replace=False))


def _has(text: str, word: str) -> bool:
    return word in text.lower() and any(text[a:b].lower() == word for a, b in word_spans(text))


def _without(text: str, word: str) -> str:
    """Return a text without a word, wherever it stands."""
    kept, place = [], 0
    for start, end in word_spans(text):
        if text[start:end].lower() == word:
            kept.append(text[place:start])
            place = end + (text[end : end + 1] == " ")
    return "".join([*kept, text[place:]])


def _with(text: str, word: str, rng: np.random.Generator) -> str:
    """Return a text with a word before one of its words, or at its end."""
    starts = [start for start, _ in word_spans(text)] + [len(text)]
    place = int(rng.choice(starts))
    gap = "" if is_chinese(text) else " "
    before = text[:place] + (gap if place == len(text) and place else "")
    return f"{before}{word}{gap if place < len(text) else ''}{text[place:]}"
