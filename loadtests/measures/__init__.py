"""The fan of measurements: one file for each thing that ``make bench`` measures, each named here once with its bars.

A member has ``measure(quick, tell) -> Section``: it starts what it needs on free ports, measures, and leaves nothing
behind; ``quick`` is a minute or less, with fewer rounds and smaller numbers. Members do not import one another. The bars
stand here, and not in the members, so that they can be named even when a member cannot be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from figures import Bar


class Member(NamedTuple):
    """One measurement: what it is about, and what is promised of it."""

    title: str
    bars: tuple[Bar, ...] = ()

    def judged(self, values: Mapping[str, float], reasons: Mapping[str, str] | None = None) -> list[Bar]:
        """The bars with the values that were measured, by their names; without one, the reason for that."""
        reasons = reasons or {}
        if unknown := {*values, *reasons} - {bar.name for bar in self.bars}:
            raise KeyError(f"{self.title} has no bar named {sorted(unknown)[0]}")
        return [
            bar._replace(value=values.get(bar.name), reason=reasons.get(bar.name, "not measured in this run"))
            if bar.name not in values
            else bar._replace(value=values[bar.name])
            for bar in self.bars
        ]

    def unmeasured(self, reason: str) -> list[Bar]:
        """The bars of a run that failed."""
        return [bar._replace(reason=reason) for bar in self.bars]


def least(name: str, bound: float) -> Bar:
    """At least so much."""
    return Bar(name, None, bound, at_least=True)


def most(name: str, bound: float) -> Bar:
    """At most so much."""
    return Bar(name, None, bound, at_least=False)


FAN: Mapping[str, Member] = {
    "checks": Member(
        "The warm check",
        (
            least("session, keep-alive: rate / bare uvicorn", 1.6),
            least("session, keep-alive: rate / nginx return 200", 0.45),
            most("session, keep-alive: p99 / bare uvicorn", 1.0),
            least("key, keep-alive: rate / session", 0.85),
            least("deny, keep-alive: rate / session", 0.85),
            least("challenge 401, keep-alive: rate / session", 0.85),
            least("challenge 302, keep-alive: rate / session", 0.85),
            least("session, fresh: rate / bare uvicorn", 1.7),
            least("session, fresh: rate / nginx return 200", 0.85),
            least("ASGI door on uvicorn, keep-alive: rate / bare uvicorn", 0.65),
        ),
    ),
    "traefik": Member(
        "Through a real Traefik",
        (
            least("gateway: rate / nginx as auth server", 0.90),
            most("gateway: p99 / nginx as auth server", 1.3),
        ),
    ),
    "workers": Member("Several workers", (least("two workers: rate / one", 1.8),)),
    "footprint": Member(
        "Memory and start",
        (most("one worker idle: MB", 90.0), most("ready after the start: s", 2.0)),
    ),
    "browsers": Member(
        "Fifty browsers open Actual Budget at once",
        (
            most("answers that were not due", 0.0),
            most("queries beyond one per session", 10.0),
            most("p99 / baseline (a)", 0.1),
        ),
    ),
    "far": Member(
        "A database 110 ms away",
        (
            most("warm check: round trips", 0.0),
            most("cold check: round trips", 1.0),
            most("first check after a start, preloaded: round trips", 0.0),
            most("first check after a start, not preloaded: round trips", 1.0),
        ),
    ),
    "hearing": Member(
        "Revocation, heard by eight",
        (
            most("heard by all: p99 / bare NOTIFY", 3.0),
            most("acknowledged by all: p99 / bare NOTIFY", 8.0),
        ),
    ),
    "growth": Member(
        "Growth",
        (
            most("a million sessions: bytes each", 600.0),
            most("check at a million sessions / at a thousand", 1.2),
            most("check with 10,000 rules over 2,000 apps / with ten rules", 1.2),
        ),
    ),
    "carried": Member(
        "Carried by the gateway itself",
        (
            least("2 KB answer: rate of a core / nginx", 0.45),
            least("1 MB down: rate of a core / nginx", 0.5),
            least("1 MB up: rate of a core / nginx", 0.5),
            most("queries while warm", 0.0),
        ),
    ),
    "carried_streams": Member(
        "Streams that stay open",
        (
            most("an idle WebSocket: KB", 30.0),
            most("echo, all at once: median / nginx", 1.5),
            most("echo, one after the other: median / nginx", 1.5),
            most("event to all at once: ms after nginx", 1.0),
            most("event to one after the other: ms after nginx", 1.0),
        ),
    ),
    "carried_memory": Member(
        "Memory while it carries",
        (
            most("2 GB down: MB grown", 20.0),
            most("2 GB up: MB grown", 20.0),
            most("2 GB to somebody who reads 10 KB/s: MB grown", 20.0),
        ),
    ),
}
