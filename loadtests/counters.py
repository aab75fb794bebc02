"""The gateway's own account of a run: its counters before and after, from its metrics address. Nothing of locust here."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families


class Counters(NamedTuple):
    """What one process counted. ``decisions`` by outcome, ``queries`` by the room that sent them."""

    hits: int
    misses: int
    decisions: Mapping[str, int]
    queries: Mapping[str, int]

    def since(self, before: Counters) -> Counters:
        """What came on top of ``before``."""
        return Counters(
            self.hits - before.hits,
            self.misses - before.misses,
            _minus(self.decisions, before.decisions),
            _minus(self.queries, before.queries),
        )

    def __str__(self) -> str:
        """Two lines for people."""
        return (
            f"gateway: {sum(self.decisions.values())} checks ({_listed(self.decisions)}); "
            f"{self.hits} answered from memory, {self.misses} had to ask\n"
            f"gateway: queries sent, by room: {_listed(self.queries)}"
        )


def read(url: str) -> Counters:
    """The counters as they are now; ConnectionError, in words, where there are none."""
    return parse(_fetch(url))


def parse(text: str) -> Counters:
    """The counters of a metrics page."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(name: str, label: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for sample in samples:
            if sample.name == f"gateway_{name}_total":
                key = sample.labels.get(label, "")
                found[key] = found.get(key, 0) + int(sample.value)
        return found

    hits, misses = total("cache_hits", ""), total("cache_misses", "")
    if not hits or not misses:
        raise ConnectionError("that page has no counters of a gateway")
    return Counters(sum(hits.values()), sum(misses.values()), total("decisions", "outcome"), total("queries", "room"))


def _fetch(url: str) -> str:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    try:
        connection.request("GET", parts.path or "/metrics")
        answer = connection.getresponse()
        if answer.status != 200:
            raise ConnectionError(f"{url} answered {answer.status}")
        return answer.read().decode()
    except (OSError, HTTPException) as error:
        raise ConnectionError(f"no metrics at {url}: {error}") from error
    finally:
        connection.close()


def _minus(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: value - before.get(name, 0) for name, value in after.items()}


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()) if value) or "none"
