"""The README's figures are those of the last whole run, and nobody's hand."""

from __future__ import annotations

import json

import readme


def test_the_readme_says_what_the_results_say() -> None:
    text = readme.README.read_text("utf-8")
    assert readme.written(text, json.loads(readme.RESULTS.read_text("utf-8"))) == text


def test_a_bar_that_was_not_held_or_not_run_is_a_row_like_the_others() -> None:
    bar = {"name": "a", "value": 1.5, "bound": 1.6, "at_least": True, "reason": "", "held": False}
    unrun = bar | {"value": None, "reason": "no wrk"}
    machine = {"processor": "P", "cores": "2", "python": "3.11"}
    results = {
        "at": "2026-01-02T03:04:05Z",
        "machine": machine,
        "sections": {"x": {"title": "X", "bars": [bar, unrun]}},
    }
    said = readme.written(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", results)
    assert "| X: a | 1.50 | at least 1.60 | NOT HELD |" in said
    assert "| X: a | - | at least 1.60 | not run: no wrk |" in said
    assert "0 of 2 bars held (P, 2 cores, Python 3.11, 2026-01-02):" in said
    assert (said.startswith("before\n"), said.endswith("\nafter\n"), "old" in said) == (True, True, False)
