"""Collections, in a process of its own: the tests' process has its own settings."""

import subprocess
import sys

_COUNTED = """
import gc
{start}
seen = []
gc.callbacks.append(lambda phase, info: seen.append(info["generation"]) if phase == "start" else None)
kept = [[] for _ in range(1_000_000)]
print(sum(generation == 2 for generation in seen), sum(generation == 0 for generation in seen))
"""
_CYCLE = """
import gc, weakref
from lmcore.garbage import collect_seldom
collect_seldom()
collect_seldom()
class Node: ...
node = Node()
node.self, alive = node, weakref.ref(node)
del node
kept = [[] for _ in range(20_000)]
assert alive() is None
print(gc.isenabled())
"""


def ran(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_what_stays_in_memory_is_hardly_walked_through_while_it_grows():
    full, young = map(int, ran(_COUNTED.format(start="")))
    fewer, still = map(int, ran(_COUNTED.format(start="from lmcore.garbage import collect_seldom\ncollect_seldom()")))
    assert fewer < full / 2
    assert still > young / 2


def test_young_cycles_are_freed_as_ever():
    assert ran(_CYCLE) == ["True"]
