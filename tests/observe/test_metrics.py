"""Metrics: the names that others rely on, and that they count what happened. Read from a gateway that serves."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from asking import ask, request
from serving import Served


def scraped(served: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = ask(served.internal, request("GET", "/metrics"))
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(served: Served, name: str, **labels: str) -> float:
    return scraped(served).get((f"gateway_{name}", frozenset(labels.items())), 0.0)


def test_the_names_that_others_rely_on_are_there(served: Served) -> None:
    served.user("alice", ["users"])
    served.check(cookie=served.session("alice")[1])
    labels: dict[str, set[str]] = {}
    for name, pairs in scraped(served):
        labels.setdefault(name, set()).update(label for label, _ in pairs)
    assert labels["gateway_decisions_total"] == {"outcome", "door"}
    assert labels["gateway_queries_total"] == {"room"}
    for name in ("cache_hits_total", "cache_misses_total", "pool_waiting", "hearing", "identities"):
        assert labels[f"gateway_{name}"] == set()
    for name in ("recall_seconds_bucket", "recall_seconds_count", "recall_seconds_sum"):
        assert f"gateway_{name}" in labels


def test_decisions_are_counted_by_outcome_and_door(served: Served) -> None:
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    for host, how in (
        ("app", {"cookie": cookie}),
        ("app", {}),
        ("admin", {"cookie": cookie}),
        ("app", {"method": "get"}),
    ):
        served.check(f"{host}.example.com", **how)
    for outcome in ("allow", "challenge", "deny", "malformed"):
        assert value(served, "decisions_total", outcome=outcome, door="traefik") == 1


def test_a_cold_check_is_a_miss_and_one_question_and_a_warm_one_is_a_hit_and_none(served: Served) -> None:
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    names = ("cache_hits_total", "cache_misses_total", "recall_seconds_count")

    def counted() -> tuple[float, ...]:
        return (*(value(served, name) for name in names), value(served, "queries_total", room="recall"))

    start = counted()
    served.check(cookie=cookie)
    cold = counted()
    served.check(cookie=cookie)
    warm = counted()
    assert [after - before for before, after in zip(start, cold, strict=True)] == [0, 1, 1, 1]
    assert [after - before for before, after in zip(cold, warm, strict=True)] == [1, 0, 0, 0]


def test_gauges_tell_how_things_stand(served: Served) -> None:
    served.user("alice", ["users"])
    served.check(cookie=served.session("alice")[1])
    assert value(served, "hearing") == 1
    assert value(served, "identities") == 1
    assert value(served, "pool_waiting") == 0
    assert value(served, "policy_revision") > 0
    assert value(served, "queries_total", room="listener") > 0


def test_a_scrape_asks_the_database_nothing(served: Served) -> None:
    before = served.queries()
    scraped(served)
    assert served.queries() == before
