"""What is counted when the database is far away, on one that is near."""

from __future__ import annotations

import crowd
import pytest
from measures import FAN, far
from measures.far import Often, Sample

NEVER = Often(warm=2, cold=2, starts=1, people=2)


def test_checks_starts_and_people_are_counted_in_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "ROUND_TRIP", 0.001)
    monkeypatch.setattr(far, "PRELOADED", 2)

    def quiet(said: str) -> None:
        pass

    with crowd.place(5) as place:
        password = far.prepare(place)
        found = far.checks(place, NEVER, quiet) | far.starts(place, NEVER, quiet)
        people = far.people(place, NEVER, password, quiet)
    counted = {name: [sample.exchanges for sample in samples] for name, samples in found.items()}
    assert counted == {
        "warm check": [0, 0],
        "cold check": [1, 1],
        "first check after a start, preloaded": [0],
        "first check after a start, not preloaded": [1],
    }
    assert {f"{name}: round trips" for name in counted} == {bar.name for bar in FAN["far"].bars}
    assert {sample.exchanges for sample in people["sign-in"]} == {10}
    assert {sample.exchanges for sample in people["revocation"]} == {5}


@pytest.mark.parametrize(
    ("samples", "trips"),
    [
        ([Sample(1, 0.112)] * 3, 1),
        ([Sample(1, 0.112)] * 30 + [Sample(2, 0.2)], 2),
        ([Sample(0, 0.001)] * 30 + [Sample(0, 0.9)], 0),
        ([Sample(1, 0.23)] * 3, 2),
    ],
    ids=["as counted", "once too many", "one that was slow without asking", "waited for something uncounted"],
)
def test_a_bar_is_held_against_the_worse_of_count_and_clock(samples: list[Sample], trips: int) -> None:
    assert far.worst(samples) == trips
