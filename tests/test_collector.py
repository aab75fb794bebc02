"""The collector is told once what stays."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from gateway import collector

class Cycle:
    def __init__(self): self.itself = self
    def __del__(self): print("freed")

before = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
Cycle()
collector.settle()
print(gc.get_freeze_count() - before >= len(kept), gc.get_threshold()[0] == collector.YOUNG, gc.isenabled())
Cycle()
gc.collect()
"""


def test_what_lives_at_the_start_is_set_aside_and_what_is_garbage_by_then_or_later_is_freed() -> None:
    """In a process of its own, because what is frozen stays frozen."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["freed", "True True True", "freed", ""]
