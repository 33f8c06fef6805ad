"""Black-box methods as games: units of a text are kept or taken away, and only the model's values are seen.

A method is a generator. It yields rows of what is to be kept, bool of shape (rows, units), is sent the values, float64 of
shape (rows, outputs), and returns its `Scores`. So many texts are explained in step with each other, and what all of
them want to know is asked in one batch, wherever the answers come from: a model in memory, or a server.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from lmcore.types import Report, Silent

AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Scores:
    """What a game gave.

    Attributes:
        scores: signed contribution of each unit, float64 of shape (units, outputs).
        adds_up: whether the method promises that they sum to the value of everything less that of nothing.
    """

    scores: np.ndarray
    adds_up: bool


@dataclass(frozen=True, eq=False)
class Tree:
    """A hierarchy of units.

    Attributes:
        units: those below it, in order.
        parts: its two halves; empty for one unit.
    """

    units: tuple[int, ...]
    parts: "tuple[Tree, ...]" = ()


Game = Generator[np.ndarray, np.ndarray, Scores]
# Values (rows, outputs) of what is kept, given for each row which text it is of and its row of bools.
Values = Callable[[np.ndarray, Sequence[np.ndarray]], Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Played:
    """A finished game.

    Attributes:
        scores: see `Scores`.
        adds_up: see `Scores`.
        value: of everything, shape (outputs,).
        nothing: the value with every unit taken away, shape (outputs,).
        calls: how many different rows the model was asked about.
    """

    scores: np.ndarray
    adds_up: bool
    value: np.ndarray
    nothing: np.ndarray
    calls: int


def play(
    games: Sequence[Game], units: Sequence[int], values: Values, *, calls: int, report: Report | None = None
) -> list[Played]:
    """Play games in step with each other; what was asked once is not asked again.

    Args:
        games: one a text.
        units: how many units each text has.
        values: says what is worth how much.
        calls: how many rows are expected in all, for the progress.
        report: progress and cancellation, after every batch.

    Raises:
        Cancelled: the report asked to stop.
    """
    known: list[dict[bytes, np.ndarray]] = [{} for _ in games]
    ask = _Asking(values, known, max(calls, 1), report or Silent())
    ends = [np.vstack([np.ones(count, dtype=bool), np.zeros(count, dtype=bool)]) for count in units]
    ask.learn(dict(enumerate(ends)))
    wanted = {n: next(game) for n, game in enumerate(games)}
    results: dict[int, Scores] = {}
    while wanted:
        ask.learn(wanted)
        following = {}
        for n, rows in wanted.items():
            try:
                following[n] = games[n].send(np.stack([known[n][row.tobytes()] for row in rows]))
            except StopIteration as end:
                results[n] = end.value
        wanted = following
    return [
        Played(
            results[n].scores,
            results[n].adds_up,
            known[n][ends[n][0].tobytes()],
            known[n][ends[n][1].tobytes()],
            len(known[n]),
        )
        for n in range(len(games))
    ]


@dataclass(frozen=True, eq=False)
class _Asking:
    values: Values
    known: list[dict[bytes, np.ndarray]]
    calls: int
    report: Report

    def learn(self, wanted: dict[int, np.ndarray]) -> None:
        """Ask about the rows that are not known yet, a few hundred at a time."""
        new: dict[tuple[int, bytes], np.ndarray] = {}
        for n, rows in wanted.items():
            for row in rows:
                if (key := row.tobytes()) not in self.known[n]:
                    new[n, key] = row
        keys = list(new)
        for start in range(0, len(keys), AT_ONCE):
            self.report.check()
            chosen = keys[start : start + AT_ONCE]
            found = self.values(np.array([n for n, _ in chosen]), [new[key] for key in chosen])
            for (n, key), value in zip(chosen, found, strict=True):
                self.known[n][key] = value
            done = sum(len(each) for each in self.known)
            self.report.progress(min(done / self.calls, 1.0), f"{done} of about {max(self.calls, done)} model calls")
