"""Recipes of what is shown through examples: edits that change the answer, rows near a text, suites."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmcore.analysis.recipes.stored import Named, Stored
from lmcore.models.load import LoadedModel
from lmcore.types import Input

if TYPE_CHECKING:
    from lmcore.analysis.counterfactual.result import Counterfactuals
    from lmcore.analysis.examples.influence import Influences
    from lmcore.analysis.examples.nearest import Neighbours
    from lmcore.analysis.suites.comparing import SuiteComparison
    from lmcore.analysis.suites.running import SuiteRun


def edits(
    loaded: LoadedModel, stored: Stored, *, text: Input, edits: Mapping[str, Mapping[str, Any]], columns: Sequence[str],
    towards: str, budget: int, most_edits: int, beam: int, seed: int,
) -> "Counterfactuals":  # fmt: skip
    """Look for edits that change the answer; see `lmcore.analysis.counterfactual.run.counterfactuals`."""
    from lmcore.analysis.counterfactual.run import CounterfactualConfig, counterfactuals

    config = CounterfactualConfig(edits, tuple(columns), towards, budget, most_edits, beam, seed)
    return counterfactuals(loaded, text, config, report=stored.report)


def nearest_rows(
    loaded: LoadedModel, stored: Stored, *, text: Input, data: Named, split: str, row: int | None, layer: int, k: int
) -> "Neighbours":
    """Find the rows that are nearest to a text; see `lmcore.analysis.examples.nearest.nearest_examples`."""
    from lmcore.analysis.examples.nearest import nearest_examples

    return nearest_examples(
        loaded, text, stored.dataset(data), layer=layer, k=k, split=split, row=row, stores=stored.workspace.stores,
        report=stored.report,
    )  # fmt: skip


def influential_rows(
    loaded: LoadedModel, stored: Stored, *, text: Input, data: Named, split: str, row: int | None, label: str, k: int
) -> "Influences":
    """Find the rows that an answer hangs on; see `lmcore.analysis.examples.influence.influential_examples`."""
    from lmcore.analysis.examples.influence import influential_examples

    return influential_examples(
        loaded, text, stored.dataset(data), label=label, k=k, split=split, row=row, report=stored.report
    )


def suite_run(loaded: LoadedModel, stored: Stored, *, suite: Named) -> "SuiteRun":
    """Ask about every case of a suite; see `lmcore.analysis.suites.running.run_suite`."""
    from lmcore.analysis.suites.running import run_suite

    return run_suite(loaded, stored.suite(suite), report=stored.report)


def suite_comparison(
    loaded: LoadedModel, stored: Stored, *, suite: Named, other: Named, seed: int
) -> "SuiteComparison":
    """Run a suite with two versions, and compare them; see `lmcore.analysis.suites.comparing.compare_runs`."""
    from lmcore.analysis.suites.comparing import compare_runs
    from lmcore.analysis.suites.running import run_suite

    cases = stored.suite(suite)
    first = run_suite(loaded, cases, report=stored.report)
    with stored.model(other) as second:
        return compare_runs(first, run_suite(second, cases, report=stored.report), seed=seed)
