"""Python's collector of cyclic garbage, told once what a server knows: what is there after the start stays.

A full collection looks at every object that lives, in one pause in which nobody is answered. What memory holds has no
cycles, so looking there finds nothing: entries that are dropped are freed by counting, frozen or not.
"""

from __future__ import annotations

import gc

YOUNG = 10_000
"""So many more objects made than freed until the youngest are looked at; each check frees what it makes."""


def settle() -> None:
    """To be called once, when everything is loaded and warm: what lives now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
