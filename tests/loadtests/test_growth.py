"""The measurement of growth, at a size that takes no time: that it asks what it says, and what it makes of the answers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

LOADTESTS = Path(__file__).parents[2] / "loadtests"
CHANCE = random.Random(1)  # noqa: S311 - which session is asked about next


@pytest.fixture(scope="module")
def growth() -> Iterator[ModuleType]:
    """Imported as scripts are run: with the directory of the load tests on the path, and nothing of it left behind."""
    known = set(sys.modules)
    sys.path.insert(0, str(LOADTESTS))
    try:
        from measures import growth

        yield growth
    finally:
        sys.path.remove(str(LOADTESTS))
        for name in set(sys.modules) - known:
            if str(LOADTESTS) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def test_every_session_is_let_in_from_memory_at_an_app_of_its_tenant(growth: ModuleType) -> None:
    size = growth.Size(400, 40, 20)
    door = growth.memories.door(size, growth.memories.app)
    growth.memories.fill(door.judge.cache, size)
    growth.render(door, size)
    asked = [growth.memories.question(session, size, CHANCE) for session in range(size.sessions)]
    growth.memories.hear(door.judge.cache)
    assert {growth.memories.check(door, question).status for question in asked} == {200}
    assert len(door.judge.cache.take_seen()) == 400
    assert door.judge.cache.misses == 0
    assert growth.forget(door) >= 0


def test_what_is_not_let_in_ends_the_measurement(growth: ModuleType) -> None:
    size = growth.Size(20, 4, 2)
    door = growth.memories.door(size, growth.memories.app)
    with pytest.raises((AssertionError, KeyError)):
        growth.once(door, size, CHANCE)


def test_apps_have_rules_in_common_but_the_last_or_none_at_all(growth: ModuleType) -> None:
    for made, common in ((growth.memories.app, growth.memories.RULES - 1), (growth.memories.unlike, 0)):
        assert len(set(made(1).rules) & set(made(2).rules)) == common
        assert len(made(1).rules) == growth.memories.RULES
    assert growth.Size(apps=2000).rules == 10_000


def test_growth_is_the_median_of_the_rounds_ratios(growth: ModuleType) -> None:
    assert growth.ratio([[1.0, 2.0, 1.0], [9.0, 9.0, 9.0], [2.0, 2.0, 3.0]]) == 2.0


def test_the_slowest_in_a_thousand_is_found(growth: ModuleType) -> None:
    assert growth.pauses.quantile([float(number) for number in range(1000)][::-1], 0.999) == 999.0
    assert growth.pauses.quantile([1.0], 0.999) == 1.0


@pytest.mark.parametrize("quick", [True, False])
def test_every_bar_has_a_value_or_a_reason(growth: ModuleType, monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    def run(name: str, quick: bool) -> object:
        number = len(growth.sizes(name, quick))
        return growth.Grown([[1.0, 1.0]] * number, [(500.0, 600.0)] * number, {"settled": (1.0, 2.0)}, 3.0)

    monkeypatch.setattr(growth, "run", run)
    section = growth.measure(quick, lambda _: None)
    assert [bar.value is None for bar in section.bars] == [quick, quick, False]
    assert all(bar.reason for bar in section.bars if bar.value is None)
    assert len({figure.name for figure in section.figures}) == len(section.figures)
