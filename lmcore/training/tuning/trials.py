"""The trials of a search: an Optuna study in a SQLite file, what it proposes next, and what it holds.

The file is Optuna's own and holds JSON and numbers, so that Optuna's tools open it. A trial is proposed on a copy in memory
with a sampler seeded by (seed, number, attempt): a search that was stopped and goes on proposes what it would have proposed
without the stop, and settings that cannot be, or that were tried before, never enter the file.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lmcore.errors import StorageError
from lmcore.training.tuning.space import Choices, Dimension, Space, contains, fits

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

NAME = "search"
STATES = {
    "COMPLETE": "finished",
    "PRUNED": "stopped early",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}
ENDED = ("finished", "stopped early", "failed")
ATTEMPTS = 200
WAIT_SECONDS = 30
_COLUMNS = ["trial", "state", "value", "epoch", "epochs", "seconds", "reason"]


@contextmanager
def open_study(file: Path, *, higher: bool, pruner: "BasePruner | None" = None, new: bool = False) -> "Iterator[Study]":
    """Open a study's file for the length of a ``with`` block.

    Args:
        file: where it is.
        higher: whether more is better.
        pruner: says which trials are not worth going on with; none where it is only read.
        new: make it where it is not there.

    Raises:
        StorageError: the file is damaged, or the disk refuses.
    """
    import optuna
    from sqlalchemy import URL
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = URL.create("sqlite", database=str(file)).render_as_string()
    if not new and not file.is_file():
        raise StorageError(f"The trials of the search {file.parent.name} are gone: run it again.")
    storage = None
    try:
        if new:
            _write_ahead(file)
        storage = optuna.storages.RDBStorage(
            url,
            engine_kwargs={"connect_args": {"timeout": WAIT_SECONDS}},
            skip_compatibility_check=not new,
            skip_table_creation=not new,
        )
        yield optuna.create_study(
            storage=storage,
            study_name=NAME,
            direction="maximize" if higher else "minimize",
            pruner=pruner or optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
        raise StorageError(
            f"The trials of the search {file.parent.name} cannot be read or written ({_cause(error)}): free some space, or "
            "begin it afresh."
        ) from error
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _write_ahead(file: Path) -> None:
    """Let the file be read while a trial writes to it, and need one flush for each write."""
    connection = sqlite3.connect(file, timeout=WAIT_SECONDS)
    try:
        connection.execute("pragma journal_mode=wal")
    finally:
        connection.close()


def make_pruner(kind: str, startup: int) -> "BasePruner":
    """Return what stops trials early: ``median``, ``halving`` or ``none``.

    ``median`` stops a trial whose best epoch so far is worse than the median of what finished trials had at that epoch;
    it begins once ``startup`` trials are finished. ``halving`` lets the better third go on at epochs 1, 3, 9 … from the first
    trial on (Li et al. 2020, ASHA).
    """
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if kind == "median":
        return MedianPruner(n_startup_trials=startup)
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3) if kind == "halving" else NopPruner()


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """Return a space as Optuna has it; a range of widths keeps to the multiples that all numbers of heads divide."""
    return {name: _distribution(dimension, _step(name, space)) for name, dimension in space.items()}


def next_trial(
    study: "Study", space: Space, base: Mapping[str, Any], *, sampler: str, startup: int, seed: int
) -> "Trial | None":
    """Return the trial to run: the one that was interrupted, else a new one; None where all was tried.

    The first is the configuration that the search begins with, as far as the space has its values, and its result is what
    the others have to beat.

    Args:
        study: an open study that no other process works on.
        space: what to choose from.
        base: the values to begin with.
        sampler: ``tpe`` or ``random``.
        startup: trials that are drawn at random before ``tpe`` learns from their results.
        seed: of the sampler.
    """
    from optuna import Trial
    from optuna.trial import TrialState

    known = distributions(space)
    interrupted = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if interrupted:
        trial = Trial(study, interrupted[0]._trial_id)
        for name, distribution in known.items():
            trial._suggest(name, distribution)  # the file has them, except where it was interrupted just here
        return trial
    if not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        begin = {name: base[name] for name, dimension in space.items() if contains(dimension, base[name])}
        values = _propose(study, known, begin, sampler=sampler, startup=startup, seed=seed)
        if values is None:
            return None
        study.enqueue_trial(values)
    return study.ask(known)


def trials_frame(study: "Study", space: Space, *, higher: bool) -> pd.DataFrame:
    """Return one row for each trial that began.

    Returns:
        ``trial`` from 1, ``state``, ``value`` (of the best epoch so far), ``epoch`` (that one), ``epochs`` (measured),
        ``seconds`` of work, ``reason`` of a failure, and one column for each setting.
    """
    rows = [_row(trial, higher) for trial in study.get_trials(deepcopy=False) if trial.state.name != "WAITING"]
    return pd.DataFrame(rows, columns=[*_COLUMNS, *space]).astype({"value": float})


def best_row(trials: pd.DataFrame, *, higher: bool) -> "pd.Series[Any] | None":
    """Return the best of the finished trials, the first of equals; None where none is finished."""
    finished = trials[trials["state"] == "finished"]
    if finished.empty:
        return None
    values = finished["value"].to_numpy()
    return finished.iloc[int(values.argmax() if higher else values.argmin())]


def _propose(
    study: "Study",
    known: "Mapping[str, BaseDistribution]",
    begin: Mapping[str, Any],
    *,
    sampler: str,
    startup: int,
    seed: int,
) -> dict[str, Any] | None:
    import optuna

    earlier = study.get_trials(deepcopy=False)
    tried = [trial.params for trial in earlier]
    for attempt in range(ATTEMPTS):
        # Where the sampler goes on proposing what there was, chance takes its place.
        kind = sampler if attempt < ATTEMPTS // 2 else "random"
        drawn = _sampler(kind, startup, int(np.random.SeedSequence([seed, len(earlier), attempt]).generate_state(1)[0]))
        draft = optuna.create_study(direction=study.direction, sampler=drawn)
        draft.add_trials(earlier)
        if not earlier and attempt == 0 and begin:
            draft.enqueue_trial(dict(begin))
        values = draft.ask(dict(known)).params
        if fits(values) and values not in tried:
            return values
    return None


def _sampler(kind: str, startup: int, seed: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    return TPESampler(seed=seed, n_startup_trials=startup) if kind == "tpe" else RandomSampler(seed=seed)


def _distribution(dimension: Dimension, step: int) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    if isinstance(dimension.low, int) and isinstance(dimension.high, int):
        low = -(-dimension.low // step) * step
        high = dimension.high // step * step
        return IntDistribution(low, high, log=dimension.log, step=step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _step(name: str, space: Space) -> int:
    dimension, heads = space[name], space.get("heads")
    if name != "width" or isinstance(dimension, Choices) or dimension.log or heads is None:
        return 1
    numbers = heads.values if isinstance(heads, Choices) else range(int(heads.low), int(heads.high) + 1)
    step = 2 * lcm(*(number for number in numbers if number))
    return step if dimension.high // step * step >= dimension.low else 1


def _row(trial: "FrozenTrial", higher: bool) -> dict[str, Any]:
    measured = trial.intermediate_values
    best = (max if higher else min)(measured, key=lambda epoch: measured[epoch]) if measured else None
    known, reason = trial.user_attrs, trial.user_attrs.get("reason", "")
    return {
        "trial": trial.number + 1,
        "state": "failed" if reason else STATES[trial.state.name],
        "value": trial.value if trial.state.name == "COMPLETE" else measured[best] if best is not None else np.nan,
        "epoch": best,
        "epochs": len(measured),
        "seconds": float(known.get("seconds", 0.0)),
        "reason": reason,
        **trial.params,
    }


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error).partition("\n")[0].strip()[:200]
