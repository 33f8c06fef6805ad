"""A small job that counts: it shows that jobs start, report, stop and go on again on this machine."""

import json
import time
from collections.abc import Mapping
from typing import Any

from lmcore.jobs.report import JobReport
from lmcore.methods import Option
from lmcore.settings import Workspace
from lmcore.storage import write_json

TARGET = "lmcore.jobs.selftest:count"

OPTIONS = (
    Option("to", "int", 10, "How far to count.", minimum=1, maximum=1_000_000),
    Option("pause", "float", 0.1, "Seconds that each number takes.", minimum=0, maximum=3600),
)


def count(config: Mapping[str, Any], *, workspace: Workspace, report: JobReport, resume: bool) -> Mapping[str, Any]:
    """Count from 1, with a checkpoint in the job's folder after each number.

    Args:
        config: ``to``, the last number, and ``pause``, the seconds that each takes.
        workspace: not used; every target is given it.
        report: where to tell how far it is.
        resume: go on after the number of the last checkpoint.

    Returns:
        ``first`` and ``last``, the numbers between which this attempt counted.

    Raises:
        OptionError: a value of the configuration is out of range.
        Cancelled: the user asked to stop.
    """
    values = {option.name: option.check(config.get(option.name, option.default)) for option in OPTIONS}
    last: int = values["to"]
    checkpoint = report.folder / "count.json"
    done = int(json.loads(checkpoint.read_text())["count"]) if resume and checkpoint.exists() else 0
    for number in range(done + 1, last + 1):
        report.check()
        if number == done + 1:
            report.progress(done / last, f"Counting on from {done}.")
        time.sleep(values["pause"])
        write_json(checkpoint, {"count": number})
        report.metrics(number, {"count": number})
        report.progress(number / last, f"Counted to {number} of {last}.")
    return {"first": done + 1, "last": last}
