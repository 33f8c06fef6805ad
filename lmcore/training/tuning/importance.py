"""How much each setting of a search matters: functional ANOVA over its finished trials."""

from dataclasses import dataclass
from math import log10

import pandas as pd

from lmcore.training.tuning.result import SearchResult, best_config
from lmcore.training.tuning.space import Range
from lmcore.training.tuning.trials import distributions

FEWEST_TRIALS = 6


@dataclass(frozen=True, eq=False)
class Importance:
    """What each setting explains.

    Attributes:
        search: id of the search.
        shares: ``setting`` and ``share`` of the explained variance of the dev figure, 0 to 1, summing to 1; the largest
            first; empty where nothing can be said.
        trials: how many finished trials it is measured on.
        note: why there is nothing to be said, or how far to trust it.
    """

    search: str
    shares: pd.DataFrame
    trials: int
    note: str


def setting_importance(result: SearchResult, *, seed: int = 0) -> Importance:
    """Measure how much of the differences between the finished trials each setting explains on its own.

    A random forest is fitted to the trials, and the variance of what it predicts is split among the settings (Hutter et al.
    2014, functional ANOVA, as in Optuna). Trials that were stopped early have no final value and are left out.

    Args:
        result: a search.
        seed: of the forest.
    """
    finished = result.trials[result.trials["state"] == "finished"]
    empty = pd.DataFrame({"setting": pd.Series(dtype=str), "share": pd.Series(dtype=float)})
    if len(finished) < FEWEST_TRIALS:
        note = f"The importance of settings is told from {FEWEST_TRIALS} finished trials on; so far: {len(finished)}."
        return Importance(result.id, empty, len(finished), note)
    if finished["value"].nunique() < 2:
        return Importance(
            result.id, empty, len(finished), "All finished trials have the same figure: no setting matters."
        )
    if len(result.space) < 2:
        note = "One setting alone is searched: all differences are its doing."
        return Importance(result.id, empty, len(finished), note)
    shares = _shares(result, finished, seed)
    frame = pd.DataFrame(shares.items(), columns=["setting", "share"])
    frame = frame.sort_values("share", ascending=False, kind="stable", ignore_index=True)
    note = f"From {len(finished)} finished trials, by functional ANOVA; with few trials it is a rough guess."
    return Importance(result.id, frame, len(finished), note)


def _shares(result: SearchResult, finished: pd.DataFrame, seed: int) -> dict[str, float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = result.space
    # Optuna's forest sees a range by orders of magnitude as it is, where nearly all of it is the last order: the exponent
    # goes in its place, so that the shares are of the differences among what the search draws.
    exponents = {name: d for name, d in space.items() if isinstance(d, Range) and d.log}
    seen = {name: Range(log10(d.low), log10(d.high)) for name, d in exponents.items()}
    known = distributions({**space, **seen})
    study = optuna.create_study(direction="maximize" if result.metric.higher else "minimize")
    for _, row in finished.iterrows():
        config = best_config(result.base, space, row)
        values = {name: getattr(config, name) for name in space}
        values |= {name: seen[name].held(log10(values[name])) for name in exponents}
        study.add_trial(optuna.trial.create_trial(params=values, distributions=known, value=float(row["value"])))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(found.get(name, 0.0)) for name in space}
