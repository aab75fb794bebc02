"""Prometheus metrics. The hot path counts in plain integers; this collector reads them when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.cache import Cache
from gateway.storage.listener import Ear
from gateway.storage.pool import Store

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics(Collector):
    """The numbers of one process."""

    def __init__(self, cache: Cache, store: Store, ear: Ear, clock: Callable[[], float]) -> None:
        self._cache, self._store, self._ear, self._clock = cache, store, ear, clock
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.recall = Histogram(
            "gateway_recall_seconds",
            "One question to PostgreSQL on behalf of checks",
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def exposition(self) -> bytes:
        """The text that a scrape gets."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: the values do not exist yet when this is registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Read everything now."""
        cache, ear = self._cache, self._ear
        state = cache.state(self._clock())
        yield _counter("decisions", "Checks answered", ("outcome", "door"), cache.counters)
        yield _counter("cache_hits", "Checks answered from memory", (), {(): cache.hits})
        yield _counter("cache_misses", "Checks that had to ask", (), {(): cache.misses})
        queries = {(room,): count for room, count in {**self._store.queries, **ear.queries}.items()}
        yield _counter("queries", "Statements sent to PostgreSQL", ("room",), queries)
        yield _gauge("pool_waiting", "Requests waiting for a connection", self._store.waiting())
        yield _gauge("hearing", "1 while the ear hears", float(ear.hearing))
        yield _gauge("lease_age_seconds", "Since the last heartbeat that came back was sent", state["lease_age"])
        yield _gauge("identities", "Credentials known in memory", state["identities"])
        yield _gauge("negatives", "Credentials known to prove nobody", state["negatives"])
        yield _gauge("policy_revision", "Revision of the policy in memory, -1 while there is none", state["policy"])


def _counter(name: str, text: str, labels: tuple[str, ...], values: dict[Any, int]) -> Metric:
    family = CounterMetricFamily(f"gateway_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"gateway_{name}", text, value=value)
