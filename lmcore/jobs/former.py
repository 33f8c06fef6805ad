"""Targets of before: a job that was queued, failed or cancelled earlier names its function as it was called then.

Whoever moves or renames a target of jobs adds a line.
"""

FORMER_TARGETS = {
    "lmcore.analysis.influence:run": "lmcore.analysis.over_data.word_influence:run",
    "lmcore.analysis.kept_lens:run_lens": "lmcore.analysis.lens.kept:run_lens",
    "lmcore.training.search_job:run_search": "lmcore.training.tuning.job:run_search",
}
"""The present target of each former one."""


def present_target(target: str) -> str:
    """Return what a target is called now; one that never moved as it is."""
    return FORMER_TARGETS.get(target, target)
