"""Garbage collection of a process that imports much and may end soon."""

import atexit
import gc

YOUNG = 700
MIDDLE = 10
OLD = 100


def collect_seldom() -> None:
    """Make full garbage collections rare in this process, and leave out the one at its end.

    While torch and transformers are imported, Python would walk through all that is in memory dozens of times, and twice
    more when the process ends: together a third of the time of a short job. Young objects are collected as often as ever;
    later on, full collections are hardly rarer, since Python waits for a quarter of new objects before each.
    May be called again.
    """
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
