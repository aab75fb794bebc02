"""How the numbers of several workers become one's."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.metrics import page
from gateway.observe.numbers import BUCKETS, Durations, Numbers, counts, joined


@pytest.mark.parametrize(
    ("name", "one", "other", "whole"),
    [
        (
            "decisions",
            {"allow traefik": 2, "deny nginx": 1},
            {"allow traefik": 3},
            {"allow traefik": 5, "deny nginx": 1},
        ),
        ("queries", {"recall": 2}, {"recall": 0, "listener": 7}, {"recall": 2, "listener": 7}),
        ("recall_seconds", {"0.1": 1, "sum": 0.25}, {"0.1": 2, "sum": 0.5}, {"0.1": 3, "sum": 0.75}),
        ("pool_waiting", {"": 1}, {"": 2}, {"": 3}),
        ("hearing", {"": 1}, {"": 0}, {"": 0}),
        ("hearing", {"": 1}, {"": 1}, {"": 1}),
        ("lease_age_seconds", {"": 0.5}, {"": float("inf")}, {"": float("inf")}),
        ("identities", {"": 5}, {"": 7}, {"": 7}),
        ("policy_revision", {"": 12}, {"": -1}, {"": -1}),
        ("workers", {"": 1}, {"": 1}, {"": 2}),
    ],
)
def test_two_workers_are_told_as_one(
    name: str, one: dict[str, float], other: dict[str, float], whole: dict[str, float]
) -> None:
    assert joined([{name: one}, {name: other}]) == {name: whole}
    assert joined([{name: other}, {name: one}]) == {name: whole}


def test_of_a_worker_that_is_gone_only_the_counts_stay() -> None:
    numbers: Numbers = {"cache_hits": {"": 3}, "recall_seconds": {"sum": 1.0}, "hearing": {"": 1}, "workers": {"": 1}}
    assert counts(numbers) == {"cache_hits": {"": 3}, "recall_seconds": {"sum": 1.0}}


def test_what_joins_is_left_as_it_was() -> None:
    one: Numbers = {"cache_hits": {"": 3}}
    joined([one, {"cache_hits": {"": 4}}])
    assert one == {"cache_hits": {"": 3}}


def test_a_duration_is_in_the_bucket_whose_bound_it_reaches_and_in_all_longer_ones() -> None:
    durations = Durations()
    for seconds in (0.001, 0.0011, 2.5, 60.0):
        durations.observe(seconds)
    (family,) = (
        one
        for one in text_string_to_metric_families(page({"recall_seconds": durations.numbers()}).decode())
        if one.name == "gateway_recall_seconds"
    )
    told = {one.labels.get("le", one.name): one.value for one in family.samples}
    assert [told[str(bound)] for bound in BUCKETS] == [1, *[2] * (len(BUCKETS) - 2), 3]
    assert told["+Inf"] == told["gateway_recall_seconds_count"] == 4
    assert told["gateway_recall_seconds_sum"] == pytest.approx(62.5021)
