"""Prometheus metrics. The hot path counts in plain integers; they are read when somebody asks, of all workers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.cache import Cache
from gateway.observe.numbers import BUCKETS, FAMILIES, Durations, Family, Numbers
from gateway.observe.seats import Alone, Seat
from gateway.storage.listener import Ear
from gateway.storage.pool import Store


class Metrics:
    """The numbers of this process, and what a scrape gets. ``seats`` is the directory that the workers of one replica
    share; None where this process is the only one. ``carried`` are the numbers of proxy mode."""

    def __init__(
        self,
        cache: Cache,
        store: Store,
        ear: Ear,
        clock: Callable[[], float],
        seats: Path | None = None,
        carried: Callable[[], Numbers] = dict,
    ) -> None:
        self._cache, self._store, self._ear, self._clock, self._carried = cache, store, ear, clock, carried
        self.recall = Durations()
        self.seat = Seat(seats, self.numbers) if seats else Alone(self.numbers)

    async def exposition(self) -> bytes:
        """The text that a scrape gets, whichever worker it asked."""
        return page(await self.seat.everybodys())

    def numbers(self) -> Numbers:
        """Read everything of this process now."""
        cache, ear = self._cache, self._ear
        state = cache.state(self._clock())
        return {
            "decisions": _labelled(cache.counters),
            "cache_hits": {"": cache.hits},
            "cache_misses": {"": cache.misses},
            "queries": {**self._store.queries, **ear.queries},
            "recall_seconds": self.recall.numbers(),
            "pool_waiting": {"": self._store.waiting()},
            "hearing": {"": float(ear.hearing)},
            "lease_age_seconds": {"": state["lease_age"]},
            "identities": {"": state["identities"]},
            "negatives": {"": state["negatives"]},
            "policy_revision": {"": state["policy"]},
            "workers": {"": 1},
            "workers_silent": {"": 0},
            **self._carried(),
        }


def page(numbers: Numbers) -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Read(numbers))
    return generate_latest(registry)


class _Read(Collector):
    """Numbers, as the client library wants them."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        for family in FAMILIES:
            yield _metric(family, self._numbers.get(family.name, {}))


def _labelled(counters: Mapping[Any, int]) -> dict[str, float]:
    return {" ".join(key): count for key, count in counters.items()}


def _metric(family: Family, values: Mapping[str, float]) -> Metric:
    name = f"gateway_{family.name}"
    if family.kind == "histogram":
        return HistogramMetricFamily(name, family.text, list(_buckets(values)), values.get("sum", 0.0))
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(name, family.text, labels=family.labels)
    for key, value in sorted(values.items()):
        metric.add_metric(key.split(), value)
    return metric


def _buckets(values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Prometheus' buckets hold whatever took at most so long, the shorter ones included."""
    bounds = [*map(str, BUCKETS), "+Inf"]
    yield from zip(bounds, accumulate(values.get(bound, 0.0) for bound in bounds), strict=True)
