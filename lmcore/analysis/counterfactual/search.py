"""The smallest set of edits that changes an answer: every single edit, then sets of more by greedy and beam search."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from lmcore.analysis.counterfactual.answers import probability, same_answer
from lmcore.analysis.counterfactual.asking import Asker
from lmcore.analysis.counterfactual.edit import Edit, edited, fit_together
from lmcore.analysis.counterfactual.source import keeps_marks
from lmcore.types import Input, Prediction

_SINGLES_SHARE = 0.6
_PARTNERS = 24


@dataclass(frozen=True, eq=False)
class Trial:
    """What became of a set of edits.

    Attributes:
        edits: what was changed, in the order of the text.
        prediction: what the model says now.
        flips: whether that is the change that was looked for.
        probability: of the first answer, 0 to 1; not-a-number where the model does not say it.
        hold: what the search lowers: how far the model still holds the first answer, or does not give the wanted one.
    """

    edits: tuple[Edit, ...]
    prediction: Prediction
    flips: bool
    probability: float
    hold: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        singles: a trial for each single edit that was tried.
        smallest: the sets with the fewest edits that flip, the surest first; none where no set was found.
        exhausted: every set of up to so many of the candidate edits was tried.
    """

    singles: list[Trial]
    smallest: list[Trial]
    exhausted: int


class Search:
    """A search for one input."""

    def __init__(self, asker: Asker, text: Input, before: Prediction, towards: str = "") -> None:
        self._asker, self._text, self._before, self._towards = asker, text, before, towards

    def run(self, candidates: Sequence[Edit], *, most_edits: int, beam: int) -> Found:
        """Try every edit alone, then more of them at once until a set flips or nothing is left to try.

        Where there are more edits than three fifths of the budget allow, words are left out one by one first, and the edits
        of those words are tried that matter most (Jin et al. 2020, TextFooler).

        Args:
            candidates: the single edits.
            most_edits: edits of a set, at most.
            beam: how many sets of one size are gone on with.
        """
        chosen = self._affordable(candidates)
        singles = self.try_sets([(edit,) for edit in chosen], "Trying single edits")
        complete = len(chosen) == len(candidates) and len(singles) == len(chosen)
        flips = [trial for trial in singles if trial.flips]
        if flips or most_edits < 2:
            return Found(singles, _surest(flips), int(complete))
        ranked = sorted(singles, key=_order)
        bound = self._greedy(ranked, most_edits)
        ceiling = len(bound.edits) - 1 if bound else most_edits
        smallest, exhausted = self._beam(ranked, ceiling, beam)
        if not smallest and bound:
            smallest = [bound]
        return Found(singles, _surest(smallest), exhausted if complete else 0)

    def try_sets(self, sets: Sequence[Sequence[Edit]], message: str) -> list[Trial]:
        """Return a trial for each set that the model could be asked about."""
        kept = [tuple(sorted(edits)) for edits in sets]
        texts = [edited(self._text, edits) for edits in kept]
        answers = self._asker.many(texts, message)
        return [self._trial(edits, after) for edits, after in zip(kept, answers, strict=True) if after is not None]

    def _trial(self, edits: tuple[Edit, ...], after: Prediction) -> Trial:
        same = same_answer(self._text, edits, self._before, after)
        flips = not same and self._towards in ("", after.label)
        share = probability(self._before, after, same=same)
        hold = share if math.isfinite(share) else 0.0
        if self._towards:
            hold = 1.0 - after.probabilities.get(self._towards, 0.0)
        return Trial(edits, after, flips, share, hold)

    def _affordable(self, candidates: Sequence[Edit]) -> list[Edit]:
        """Return the candidates that the budget is enough for: all, or those of the words that matter most."""
        room = max(1, int(self._asker.left * _SINGLES_SHARE))
        if len(candidates) <= room:
            return list(candidates)
        probes = _spread([edit for edit in candidates if not edit.after], room // 2)
        weighed = self.try_sets([(edit,) for edit in probes], "Weighing words")
        weights = {(trial.edits[0].column, trial.edits[0].start): trial.hold for trial in weighed}
        room = max(1, room - len(probes))

        def weight(edit: Edit) -> float:
            places = ((edit.column, edit.start + n) for n in (-1, 0, 1))  # a word is left out with the space before it
            return min((weights[place] for place in places if place in weights), default=math.inf)

        tried = set(probes)
        others = [edit for edit in candidates if edit not in tried]
        by_kind: dict[str, list[Edit]] = {}
        for edit in sorted(others, key=weight) if weights else others:
            by_kind.setdefault(edit.kind, []).append(edit)
        groups: Collection[list[Edit]] = by_kind.values()
        if not weights:
            groups = [_spread(group, max(1, room // len(by_kind))) for group in by_kind.values()]
        return [*probes, *_in_turn(groups, room)]

    def _greedy(self, ranked: Sequence[Trial], most_edits: int) -> Trial | None:
        """Add the strongest edits one after the other until the answer flips, then take out what is not needed."""
        grown: list[tuple[Edit, ...]] = []
        edits: tuple[Edit, ...] = ()
        for trial in ranked:
            if len(edits) == most_edits:
                break
            if self._usable((*edits, *trial.edits)):
                edits = (*edits, *trial.edits)
                grown.append(edits)
        for trial in self.try_sets(grown[1:], "Adding edits"):
            if trial.flips:
                return self._pruned(trial)
        return None

    def _pruned(self, trial: Trial) -> Trial:
        while len(trial.edits) > 2:
            smaller = self.try_sets(list(combinations(trial.edits, len(trial.edits) - 1)), "Taking out edits")
            flips = [other for other in smaller if other.flips]
            if not flips:
                break
            trial = min(flips, key=_order)
        return trial

    def _beam(self, ranked: Sequence[Trial], ceiling: int, beam: int) -> tuple[list[Trial], int]:
        """Return the smallest sets that flip, of at most ``ceiling`` edits, and up to which size every set was tried."""
        every_pair = len(ranked) * (len(ranked) - 1) // 2 <= self._asker.left
        front, partners = (ranked, ranked) if every_pair else (ranked[:beam], ranked[:_PARTNERS])
        exhausted = 1
        for size in range(2, ceiling + 1):
            joined = dict.fromkeys(tuple(sorted({*a.edits, *b.edits})) for a in front for b in partners)
            sets = [edits for edits in joined if len(edits) == size and self._usable(edits)][: self._asker.left]
            if not sets:
                break
            trials = self.try_sets(sets, f"Trying {size} edits at once")
            flips = [trial for trial in trials if trial.flips]
            if flips:
                return flips, exhausted
            exhausted += int(every_pair and size == 2 and len(trials) == len(sets))
            front, partners = sorted(trials, key=_order)[:beam], ranked[:_PARTNERS]
        return [], exhausted

    def _usable(self, edits: Sequence[Edit]) -> bool:
        if len(set(edits)) < len(edits) or not fit_together(self._text, edits):
            return False
        before, after = self._text, edited(self._text, edits)
        if isinstance(before, str) or isinstance(after, str):
            return keeps_marks(str(before), str(after))
        return all(keeps_marks(before[name], after[name]) for name in {edit.column for edit in edits})


def _order(trial: Trial) -> tuple[float, int, tuple[Edit, ...]]:
    return (trial.hold, sum(len(edit.before) for edit in trial.edits), trial.edits)


def _surest(flips: Sequence[Trial]) -> list[Trial]:
    fewest = min((len(trial.edits) for trial in flips), default=0)
    return sorted((trial for trial in flips if len(trial.edits) == fewest), key=_order)


def _spread(edits: Sequence[Edit], most: int) -> list[Edit]:
    """Return at most so many edits, spread evenly over the text."""
    if len(edits) <= most:
        return list(edits)
    return [edits[n * len(edits) // most] for n in range(most)]


def _in_turn(groups: Iterable[Sequence[Edit]], most: int) -> list[Edit]:
    """Return at most so many edits, one of each group in turn."""
    lists = [list(group) for group in groups]
    taken: list[Edit] = []
    for place in range(max(map(len, lists), default=0)):
        taken += [group[place] for group in lists if place < len(group)]
    return taken[:most]
