"""How long a revocation takes, measured on one gateway and one listener: nothing is timed that did not happen."""

from __future__ import annotations

import crowd
import pytest
from measures import FAN, hearing


def test_a_revocation_is_heard_before_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "EIGHT", 1)
    monkeypatch.setattr(hearing, "WARM_UP", 1)
    with crowd.place(4) as place:
        times = hearing.listen(place, lambda said: None)
    assert [len(found) for found in times] == [3] * 5
    assert all(0 < heard < known for heard, known in zip(times.heard, times.acknowledged, strict=True))
    assert all(sent > 0 for sent in times.bare)
    assert all(bar.value is not None for bar in FAN["hearing"].judged(hearing.values(times)))


def test_all_have_heard_when_the_last_one_has() -> None:
    assert hearing.last([{"7": 5}, {"7": 9, "8": 20}, {"7": 6}], 7) == 9


def test_who_never_heard_ends_the_measurement() -> None:
    with pytest.raises(RuntimeError, match="1 of 2 never heard of 8"):
        hearing.last([{"7": 5}, {"7": 9, "8": 20}], 8)


def test_bars_are_ratios_of_the_slow_ones() -> None:
    bare, slow = [10] * 95 + [100] * 5, [20] * 95 + [300] * 5
    assert hearing.values(hearing.Times(bare, slow, [2 * each for each in slow], [], [])) == {
        "heard by all: p99 / bare NOTIFY": 3.0,
        "acknowledged by all: p99 / bare NOTIFY": 6.0,
    }
