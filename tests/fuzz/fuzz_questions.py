"""``make fuzz``: a coverage-guided fuzzer (atheris) on the readers of all dialects, the check and the matcher.

It starts from ``corpus``, which the test suite replays, and writes what it finds interesting to ``.fuzz/corpus``; copy from
there what is worth keeping.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

with atheris.instrument_imports(include=["gateway"]):
    from fuzz import questions


def main() -> None:
    """libFuzzer's own options may be given: -max_total_time=SECONDS, -runs=N."""
    found, kept = TESTS.parent / ".fuzz" / "corpus", Path(__file__).with_name("corpus")
    found.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], "-max_len=2048", *sys.argv[1:], str(found), str(kept)], questions.judge_all)
    atheris.Fuzz()


main()
