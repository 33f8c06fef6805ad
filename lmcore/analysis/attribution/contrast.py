"""Two attributions side by side: unit by unit, with the difference."""

from dataclasses import dataclass
from difflib import SequenceMatcher

import pandas as pd

from lmcore.analysis.attribution.attribute import Attribution
from lmcore.fingerprint import fingerprint


@dataclass(frozen=True, eq=False)
class Contrast:
    """What two attributions say of the same units.

    Attributes:
        first: one of them.
        second: the other.
        units: ``unit`` and ``other`` (what stands there in the second; empty where a side has nothing), ``first``,
            ``second`` (scores; 0 where a side has nothing) and ``difference``, the second less the first.
        agreement: Spearman's rank correlation of the scores of the units that both have, -1 to 1; not a number for fewer
            than three.
        fingerprint: of both.
    """

    first: Attribution
    second: Attribution
    units: pd.DataFrame
    agreement: float
    fingerprint: str

    def to_frame(self) -> pd.DataFrame:
        """Return the units."""
        return self.units


def contrast(first: Attribution, second: Attribution, *, unit: str = "word") -> Contrast:
    """Set two attributions side by side; of two texts, units are matched in order, as a comparison of files does.

    Args:
        first: one of them.
        second: of the same text by another method or model, or of another text.
        unit: ``token``, ``word``, ``phrase`` or ``sentence``.
    """
    from scipy.stats import spearmanr

    one, two = first.by_unit(unit), second.by_unit(unit)
    rows: list[tuple[str, str, float, float]] = []
    shared: list[tuple[float, float]] = []
    names = one["unit"].tolist(), two["unit"].tolist()
    for tag, a, b, c, d in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        for step in range(max(b - a, d - c)):
            mine = one.iloc[a + step] if a + step < b else None
            other = two.iloc[c + step] if c + step < d else None
            scores = tuple(0.0 if side is None else float(side["score"]) for side in (mine, other))
            shown = tuple("" if side is None else str(side["unit"]) for side in (mine, other))
            rows.append((*shown, *scores))  # type: ignore[arg-type]
            if tag == "equal":
                shared.append(scores)  # type: ignore[arg-type]
    units = pd.DataFrame(rows, columns=["unit", "other", "first", "second"])
    units["difference"] = units["second"] - units["first"]
    agreement = float(spearmanr(*zip(*shared, strict=True)).statistic) if len(shared) > 2 else float("nan")
    return Contrast(first, second, units, agreement, fingerprint(first.fingerprint, second.fingerprint, unit))
