"""The measurement of browsers: which runs it has, and what its bars make of their numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "loadtests"))  # they are no package

import openings
from measures import FAN, browsers
from openings import CAUSES, DIRECT, GATEWAY, POOL, Run
from runs import Outcome

GOOD = Outcome(4500, 0, 0, 50, 3.0, 50, 100.0, 200.0, 400.0, 500.0)
OURS, THEIRS, FLOOR = (Run("actual", DIRECT, cause, 50, 60) for cause in (GATEWAY, POOL, "none"))


def held(ours: Outcome) -> dict[str, bool]:
    outcomes = {OURS: [ours], THEIRS: [GOOD._replace(p99=5000.0)], FLOOR: [GOOD]}
    return {bar.name: bar.held for bar in browsers.section(outcomes).bars}


def test_a_good_run_holds_every_bar_of_the_fan() -> None:
    assert held(GOOD) == {bar.name: True for bar in FAN["browsers"].bars}


@pytest.mark.parametrize(
    ("ours", "lost"),
    [
        (GOOD._replace(failures=1), "answers that were not due"),
        (GOOD._replace(unanswered=1), "answers that were not due"),
        (GOOD._replace(recalls=61), "queries beyond one per session"),
        (GOOD._replace(p99=501.0), "p99 / baseline (a)"),
    ],
)
def test_what_is_wrong_with_a_run_loses_its_bar(ours: Outcome, lost: str) -> None:
    assert [name for name, kept in held(ours).items() if not kept] == [lost]


def test_what_a_bar_compares_takes_turns() -> None:
    turns = [run.cause for run in openings.plan(quick=False) if run.rig == DIRECT]
    assert turns == ["none", POOL, GATEWAY] * 3


@pytest.mark.parametrize("quick", [True, False])
def test_every_cause_has_its_turn_and_every_run_an_end(quick: bool) -> None:
    runs = openings.plan(quick)
    assert {run.cause for run in runs} == CAUSES.keys()
    assert all(0 < run.seconds <= 60 for run in runs)


def test_a_run_in_which_nothing_was_answered_shows_no_times() -> None:
    nothing = Outcome(0, 0, 300, 0, 0.0, None, 0.0, 0.0, 0.0, 0.0)
    rows = openings.figures_of(Run("actual", DIRECT, "pool+key", 50, 30), [nothing])
    assert [(row.name.rpartition(": ")[2], row.value) for row in rows] == [
        ("answered as due", 0),
        ("under way when cut", 300),
    ]
