"""Questions with overlapping windows of their contexts, and the best stretch over all windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmcore.models.encode import Encodings, counted

LONGEST_ANSWER = 40
MOST_OVERLAP = 128
_LEAST_CONTEXT = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """The best stretch of a context.

    Attributes:
        start: its first character.
        end: the character behind it.
        margin: its value less that of no answer, in logits.
        share: its probability among all stretches of all windows, 0 to 1.
    """

    start: int
    end: int
    margin: float
    share: float


def encode_windows(
    tokenizer: Any,
    questions: Sequence[str],
    contexts: Sequence[str],
    max_length: int,
    answers: Sequence[Sequence[tuple[str, int]]] | None = None,
) -> Encodings:
    """Encode each question with windows of its context that overlap by half, or by 128 tokens at most.

    Args:
        tokenizer: a transformers tokenizer of the fast kind.
        questions: a question that takes more than half of a window is cut, and counted as truncated.
        contexts: where the answers stand.
        max_length: tokens of a window.
        answers: where given, text and first character of the right answers of each; the first is learnt.

    Returns:
        Windows with ``rows``; the note ``offsets`` has a (first character, character behind) for each token of the
        context and None for the others.
    """
    kept = [_shortened(tokenizer, question, max_length) for question in questions]
    ids: list[list[int]] = []
    rows: list[int] = []
    kinds: list[list[int]] = []
    offsets: list[list[tuple[int, int] | None]] = []
    for row, ((question, size, _), context) in enumerate(zip(kept, contexts, strict=True)):
        room = max_length - size - tokenizer.num_special_tokens_to_add(pair=True)
        out = tokenizer(
            question,
            context,
            truncation="only_second",
            max_length=max_length,
            stride=min(MOST_OVERLAP, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for number in range(len(out["input_ids"])):
            owner = out.sequence_ids(number)
            ids.append(out["input_ids"][number])
            rows.append(row)
            kinds.append(out["token_type_ids"][number] if "token_type_ids" in out else [])
            places = zip(out["offset_mapping"][number], owner, strict=True)
            offsets.append([place if part == 1 else None for place, part in places])
    fields: dict[str, Sequence[Any]] = {"token_type_ids": kinds} if kinds and kinds[0] else {}
    if answers is not None:
        ends = [_answer_tokens(places, answers[row]) for places, row in zip(offsets, rows, strict=True)]
        fields["start_positions"], fields["end_positions"] = [a for a, _ in ends], [b for _, b in ends]
    return counted(
        tokenizer,
        ids,
        truncated=np.array([kept[row][2] for row in rows], dtype=bool),
        fields=fields,
        rows=np.array(rows, dtype=np.int64),
        notes={"offsets": offsets},
    )


def best_stretches(
    encodings: Encodings, starts: Sequence[np.ndarray], ends: Sequence[np.ndarray], rows: int
) -> list[Stretch]:
    """Return the best stretch of each row over all its windows.

    Args:
        encodings: made by `encode_windows`.
        starts: for each window the logits of the first token, shape (tokens,).
        ends: the same for the last token.
        rows: how many rows there are.

    Returns:
        One a row; one without any token of context is empty at 0, with a margin of minus infinity in effect (-1e9).
    """
    best: list[tuple[float, int, int]] = [(-np.inf, 0, 0)] * rows
    nothing, mass = np.full(rows, np.inf), np.full(rows, -np.inf)
    owner = encodings.rows if encodings.rows is not None else np.arange(len(encodings))
    for window, row in enumerate(owner):
        places = encodings.notes["offsets"][window]
        inside = np.array([n for n, place in enumerate(places) if place is not None and place[1] > place[0]], dtype=int)
        nothing[row] = min(nothing[row], float(starts[window][0] + ends[window][0]))
        if not len(inside):
            continue
        values = _stretch_values(starts[window][inside], ends[window][inside])
        top = int(values.argmax())
        first, last = divmod(top, len(inside))
        peak = float(values.flat[top])
        mass[row] = np.logaddexp(mass[row], peak + np.log(np.exp(values - peak).sum()))
        if peak > best[row][0]:
            best[row] = (peak, places[inside[first]][0], places[inside[last]][1])
    return [
        Stretch(start, end, peak - float(nothing[row]), float(np.exp(peak - mass[row])))
        if np.isfinite(peak)
        else Stretch(0, 0, -1e9, 0.0)
        for row, (peak, start, end) in enumerate(best)
    ]


def choose_threshold(margins: np.ndarray, answered: np.ndarray, silent: np.ndarray) -> float:
    """Return the margin above which answering makes the mean score highest.

    Args:
        margins: of the best stretch of each row, in logits.
        answered: what each row scores with its stretch, 0 to 1.
        silent: what it scores with no answer.

    Returns:
        Half-way between the margins of the two rows that it parts, of several equally good ones the nearest to 0;
        where answering every row is best, one below the lowest margin, and one above the highest for none.
    """
    order = np.argsort(-margins, kind="stable")
    ranked = margins[order]
    gains = np.concatenate([[0.0], np.cumsum((answered - silent)[order])])
    edges = np.concatenate([[ranked[0] + 1], (ranked[1:] + ranked[:-1]) / 2, [ranked[-1] - 1]])
    apart = np.concatenate([[True], ranked[1:] < ranked[:-1], [True]])
    best = np.flatnonzero(apart & (gains >= gains[apart].max() - 1e-12))
    return float(edges[best[np.abs(edges[best]).argmin()]])


def _shortened(tokenizer: Any, question: str, max_length: int) -> tuple[str, int, bool]:
    """Return a question, cut where it takes more than half of a window, its tokens, and whether it was cut."""
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True)
    most = max(1, min(max_length // 2, room - _LEAST_CONTEXT))
    out = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    places = out["offset_mapping"]
    if len(places) <= most:
        return question, len(places), False
    return question[: places[most - 1][1]], most, True


def _answer_tokens(places: Sequence[tuple[int, int] | None], answers: Sequence[tuple[str, int]]) -> tuple[int, int]:
    """Return the first and last token of the first answer; both 0 where it is not whole in the window."""
    if not answers:
        return 0, 0
    text, start = answers[0]
    end = start + len(text)
    inside = [n for n, place in enumerate(places) if place is not None and place[0] < end and place[1] > start]
    context = [place for place in places if place is not None]
    whole = bool(context) and context[0][0] <= start and context[-1][1] >= end
    return (inside[0], inside[-1]) if inside and whole else (0, 0)


def _stretch_values(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the value of every stretch (first token, last token); minus infinity where it is backwards or too long."""
    size = len(starts)
    length = np.arange(size)[None, :] - np.arange(size)[:, None]
    values: np.ndarray = starts[:, None].astype(float) + ends[None, :].astype(float)
    return np.where((length >= 0) & (length < LONGEST_ANSWER), values, -np.inf)
