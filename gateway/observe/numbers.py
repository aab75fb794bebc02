"""The numbers of a process, and how those of several become one: plain dictionaries, which can be written down and read
by another process. What each number is called and means to whoever scrapes stands here, once."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

Numbers = dict[str, dict[str, float]]
"""By family, then by its labels' values with a space between them (empty where it has no labels)."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds, each included in its bucket."""


class Family(NamedTuple):
    """One metric. ``joined`` makes one value of two workers' (of a histogram: of each bucket, and of the sum)."""

    name: str
    text: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ()
    joined: Callable[[float, float], float] = operator.add


FAMILIES = (
    Family("decisions", "Checks answered", "counter", ("outcome", "door")),
    Family("cache_hits", "Checks answered from memory", "counter"),
    Family("cache_misses", "Checks that had to ask", "counter"),
    Family("queries", "Statements sent to PostgreSQL", "counter", ("room",)),
    Family("recall_seconds", "One question to PostgreSQL on behalf of checks", "histogram"),
    Family("streams", "Exchanges that are open in proxy mode", "gauge"),
    Family("streams_ended", "Exchanges ended because they were not allowed any more", "counter"),
    Family("upstream_failures", "Requests that an app did not answer", "counter", ("code",)),
    Family("pool_waiting", "Requests waiting for a connection", "gauge"),
    Family("hearing", "1 while the ear hears, of every worker", "gauge", joined=min),
    Family("lease_age_seconds", "Since the last heartbeat that came back was sent", "gauge", joined=max),
    Family("identities", "Credentials known in memory, of the worker that knows most", "gauge", joined=max),
    Family("negatives", "Credentials known to prove nobody, likewise", "gauge", joined=max),
    Family("policy_revision", "Revision of the policy in memory, -1 while there is none", "gauge", joined=min),
    Family("workers", "Processes whose numbers these are", "gauge"),
    Family(
        "workers_silent", "Processes that did not tell theirs in time; of these only old counts are in here", "gauge"
    ),
)
_BY_NAME = {family.name: family for family in FAMILIES}


class Durations:
    """How often something took how long. A bucket is a plain integer."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Once more, and it took ``seconds``."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def numbers(self) -> dict[str, float]:
        """Each bucket's own count under its upper bound, and the sum."""
        bounds = [*map(str, BUCKETS), "+Inf"]
        return {**dict(zip(bounds, self._counts, strict=True)), "sum": self._sum}


def joined(told: Iterable[Numbers]) -> Numbers:
    """The numbers of several processes as one's. Families that are not known here come from nobody and are left out."""
    whole: Numbers = {}
    for family in (item for numbers in told for item in numbers.items() if item[0] in _BY_NAME):
        name, values = family
        into, join = whole.setdefault(name, {}), _BY_NAME[name].joined
        for key, value in values.items():
            into[key] = join(into[key], value) if key in into else value
    return whole


def counts(numbers: Numbers) -> Numbers:
    """What stays true of a process that is gone: what it counted, not how things stood with it."""
    return {name: values for name, values in numbers.items() if name in _BY_NAME and _BY_NAME[name].kind != "gauge"}
