"""When two predictions say the same, and how probable one still holds what the other said."""

import math
from collections.abc import Sequence

from lmcore.analysis.counterfactual.edit import Edit, columns_of, moved
from lmcore.tasks.multilabel import read_labels
from lmcore.types import Input, Prediction, Span

Stretches = frozenset[tuple[int, int, str]]


def said(prediction: Prediction) -> str:
    """Return an answer in a few words: its label, its text, or what its stretches are labelled."""
    if prediction.text:
        return prediction.text
    spans = ", ".join(f"{span.label} {span.start}–{span.end}" for span in prediction.spans)
    return " · ".join(part for part in (prediction.label, spans) if part) or "nothing found"


def same_answer(text: Input, edits: Sequence[Edit], before: Prediction, after: Prediction) -> bool:
    """Say whether a model gives an edited input the same answer.

    Labels have to be equal. Stretches (entities, slots, an answer) have to stand where the edits have moved them to, with the
    same labels: a name that was swapped is still the same answer where it is found again, and one that was deleted is not
    missed. An answer or a written text that reads the same is the same wherever it stands.

    Args:
        text: the input before the edits.
        edits: what was changed.
        before: the prediction for it.
        after: the prediction for the edited input.
    """
    if before.label != after.label:
        return False
    if before.text or after.text:
        return before.text == after.text or (
            bool(before.spans) and _moved_spans(text, edits, before) == _places(after.spans)
        )
    return _moved_spans(text, edits, before) == _places(after.spans)


def probability(before: Prediction, after: Prediction, *, same: bool) -> float:
    """Return how probable a prediction holds the answer of another one, 0 to 1.

    Returns:
        The probability of the label; of a label set, that each label is given or not as it was, if they do not depend on each
        other; of stretches and texts the score where the answer is the same, and not-a-number where it is another, since a
        model does not say how probable it still holds the one that it did not give.
    """
    if after.spans or after.text or before.spans or before.text or not after.probabilities:
        return after.score if same else math.nan
    if before.label in after.probabilities:
        return float(after.probabilities[before.label])
    given = set(read_labels(before.label))
    if given <= set(after.probabilities):
        shares = [p if label in given else 1 - p for label, p in after.probabilities.items()]
        return float(math.prod(shares))
    return after.score if same else math.nan


def _moved_spans(text: Input, edits: Sequence[Edit], before: Prediction) -> Stretches:
    column = _read_column(text, before)
    own = [edit for edit in edits if edit.column == column]
    places = {(*moved(own, span.start, span.end), span.label) for span in before.spans}
    return frozenset((start, end, label) for start, end, label in places if start < end)


def _places(spans: Sequence[Span]) -> Stretches:
    return frozenset((span.start, span.end, span.label) for span in spans)


def _read_column(text: Input, prediction: Prediction) -> str:
    """Return the column in which the stretches stand: where an answer's text stands, else the last one."""
    parts = columns_of(text)
    for span in prediction.spans[:1]:
        for name, part in parts.items():
            if prediction.text and part[span.start : span.end] == prediction.text:
                return name
    return list(parts)[-1]
