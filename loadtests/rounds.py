"""Servers in turn, round by round, so that whatever else the machine does meets all of them alike.

An answer of another kind than the one that is due, and an error of a socket, end a measurement: such figures would say
nothing.
"""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import questions
import usage
import wrk
from figures import Tell
from servers import Server
from wrk import Load, Outcome

RATE: Callable[[Outcome], float] = operator.attrgetter("rate")
P99: Callable[[Outcome], float] = operator.attrgetter("p99")


class Case(NamedTuple):
    """One row of a table: who is asked what, and the status that is due."""

    name: str
    server: Server
    load: Load
    status: int = 200


class Ran(NamedTuple):
    """One run: what the load generator said, and how busy the server was (1.0 is a whole core)."""

    outcome: Outcome
    busy: float


Results = Mapping[str, Sequence[Ran]]


def alternate(cases: Sequence[Case], number: int, tell: Tell) -> Results:
    """Each case in turn, and that so many times; before it every message once, and a second of each server's first case,
    which do not count."""
    verify(cases)
    for case in {case.server.port: case for case in reversed(cases)}.values():
        once(case._replace(load=case.load._replace(seconds=1)))
    results: dict[str, list[Ran]] = {case.name: [] for case in cases}
    for this in range(1, number + 1):
        for case in cases:
            tell(f"round {this} of {number}: {case.name}")
            results[case.name].append(once(case))
    return results


def verify(cases: Sequence[Case]) -> None:
    """Every message once, so that each is known to be answered as is due, and everything is in memory."""
    for case in cases:
        for message in case.load.messages:
            status, _ = questions.ask(case.server.port, message)
            if status != case.status:
                raise RuntimeError(f"{case.name}: answered with {status}, where {case.status} is due")


def once(case: Case) -> Ran:
    """One run; RuntimeError where not every answer was the one that was due."""
    before = usage.of_session(case.server.process.pid).total_seconds
    outcome = wrk.run(case.server.port, case.load)
    spent = usage.of_session(case.server.process.pid).total_seconds - before
    strange = outcome.answers if case.status >= 400 else 0
    if outcome.broken or outcome.strange != strange or not outcome.answers:
        what = f"{outcome.answers} answers, {outcome.strange} neither 2xx nor 3xx, {outcome.broken} errors of sockets"
        raise RuntimeError(f"{case.name}: {what}, where {case.status} was due")
    return Ran(outcome, spent * outcome.rate / outcome.answers)


def ratios(results: Results, name: str, other: str, of: Callable[[Outcome], float] = RATE) -> list[float]:
    """One row over another, round by round; nothing where one of them was not run."""
    pairs = zip(results.get(name, ()), results.get(other, ()), strict=False)
    return [of(mine.outcome) / of(theirs.outcome) for mine, theirs in pairs]


def ratio(results: Results, name: str, other: str, of: Callable[[Outcome], float] = RATE) -> float | None:
    """The median of these."""
    found = ratios(results, name, other, of)
    return statistics.median(found) if found else None
