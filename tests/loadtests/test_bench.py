"""The runner: what it makes of members that succeed, fail and are not there, and what it writes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import bench
import click
import measures
import pytest
import tables
from figures import Bar, Section, figure
from measures import FAN, Member, least, most

MEMBER = Member("Something", (least("fast", 2.0), most("slow", 1.0)))
Enter = Callable[[str, object], None]


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Puts a member into the fan's package under a name."""

    def put(name: str, measure: object) -> None:
        module = ModuleType(f"measures.{name}")
        module.measure = measure  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return put


def measured(fast: float) -> Section:
    return Section("Something", [figure("rate, fresh", [1.0, 3.0, 2.0], bench.UNIT)], MEMBER.judged({"fast": fast}))


def failing(error: BaseException) -> Callable[..., Section]:
    def measure(quick: bool, tell: object) -> Section:
        raise error

    return measure


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no answer\nsecond line"), "RuntimeError: no answer"),
        (SystemExit("not ready in time"), "SystemExit: not ready in time"),
        (LookupError("apt install wrk"), "LookupError: apt install wrk"),
    ],
)
def test_a_member_that_fails_has_its_bars_not_run_and_the_others_go_on(
    enter: Enter, error: BaseException, said: str
) -> None:
    enter("broken", failing(error))
    enter("fine", lambda quick, tell: measured(2.5))
    sections = bench.run({"broken": MEMBER, "fine": MEMBER}, True, bench.Progress(2))
    assert [(tables.verdict(bar), bar.reason) for bar in sections["broken"].bars] == [("not run", said)] * 2
    assert tables.verdict(sections["fine"].bars[0]) == "held"


def test_a_member_that_is_not_there_is_reported() -> None:
    found = bench.one("absent", MEMBER, True, lambda said: None)
    assert [bar.reason for bar in found.bars] == ["ModuleNotFoundError: No module named 'measures.absent'"] * 2


def test_an_interrupt_ends_the_run(enter: Enter) -> None:
    enter("interrupted", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        bench.one("interrupted", MEMBER, True, lambda said: None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin")
def test_cores_that_a_member_did_not_give_back_are_taken_back(enter: Enter) -> None:
    cores = os.sched_getaffinity(0)

    def measure(quick: bool, tell: object) -> Section:
        os.sched_setaffinity(0, {min(cores)})
        raise RuntimeError

    enter("greedy", measure)
    bench.one("greedy", MEMBER, True, lambda said: None)
    assert os.sched_getaffinity(0) == cores


@pytest.mark.parametrize(("fast", "code"), [(2.0, 0), (1.99, 1)], ids=["held", "not held"])
def test_the_exit_code_says_whether_a_bar_was_not_held(
    enter: Enter, tmp_path: Path, capsys: pytest.CaptureFixture[str], fast: float, code: int
) -> None:
    enter("fine", lambda quick, tell: measured(fast))
    assert bench.bench({"fine": MEMBER}, True, tmp_path) == code
    shown = capsys.readouterr().out
    assert "load average" in shown
    assert ("NOT HELD" in shown.partition("Bars")[2].partition("slow")[0]) == bool(code)
    data = json.loads((tmp_path / "part.json").read_text())
    assert [(bar["name"], bar["held"]) for bar in data["sections"]["fine"]["bars"]] == [
        ("fast", not code),
        ("slow", False),
    ]
    assert {"commit", "python", "uvicorn", "uvloop", "nginx", "traefik", "cores", "processor"} <= data["machine"].keys()
    assert (tmp_path / "part.svg").read_text().startswith("<svg")


def test_a_name_that_is_not_in_the_fan_is_a_mistake() -> None:
    with pytest.raises(click.UsageError, match="there is no measurement chekcs"):
        bench.main(["--only", "chekcs"], standalone_mode=False)


def test_a_bar_without_a_value_has_not_held_and_says_why() -> None:
    said = click.unstyle(
        tables.lines({"one": Section("One", [], MEMBER.judged({"slow": 0.5}, {"fast": "no cores"}))})[-4]
    )
    assert said.split() == ["not", "run", "-", "at", "least", "2", "one:", "fast", "(no", "cores)"]
    assert tables.summary(MEMBER.judged({"slow": 0.5})) == "1 held, 0 NOT HELD, 1 not run"


@pytest.mark.parametrize(
    ("bar", "said"),
    [
        (Bar("a", 1.6, 1.6, at_least=True), "held"),
        (Bar("a", 1.59, 1.6, at_least=True), "NOT HELD"),
        (Bar("a", 1.0, 1.0, at_least=False), "held"),
        (Bar("a", 1.01, 1.0, at_least=False), "NOT HELD"),
        (Bar("a", None, 1.0, at_least=False), "not run"),
    ],
)
def test_verdicts(bar: Bar, said: str) -> None:
    assert tables.verdict(bar) == said


def test_a_value_that_no_bar_waits_for_is_a_mistake_in_a_member() -> None:
    with pytest.raises(KeyError, match="fats"):
        MEMBER.judged({"fats": 3.0})


def test_every_member_of_the_fan_has_a_file_and_no_bar_is_named_twice() -> None:
    directory = Path(measures.__file__).parent
    assert all((directory / f"{name}.py").is_file() for name in FAN)
    for member in FAN.values():
        assert len({bar.name for bar in member.bars}) == len(member.bars)
