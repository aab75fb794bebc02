"""``make fuzz``, second half: the same fuzzer on the relay, between a client and an app that say what they like.

It starts from ``relay_corpus``, which the test suite replays, and writes what it finds interesting to ``.fuzz/relay``; copy
from there what is worth keeping.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

with atheris.instrument_imports(include=["gateway"]):
    from fuzz import relaying


def main() -> None:
    """libFuzzer's own options may be given: -max_total_time=SECONDS, -runs=N."""
    logging.disable()  # what cannot be read is said in the log, a thousand times a second
    found, kept = TESTS.parent / ".fuzz" / "relay", Path(__file__).with_name("relay_corpus")
    found.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], "-max_len=2048", *sys.argv[1:], str(found), str(kept)], relaying.carry_all)
    atheris.Fuzz()


main()
