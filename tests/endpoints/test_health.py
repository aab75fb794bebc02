"""Readiness: whether checks are answered, from memory or by asking."""

from __future__ import annotations

import json

from asking import ask, request
from serving import Served


def ready(served: Served) -> tuple[int, dict[str, object]]:
    answer = ask(served.address, request("GET", "/health/ready"))
    return answer.status, json.loads(answer.body)


def test_a_policy_that_was_just_forgotten_is_asked_for_so_the_gateway_stays_ready(served: Served) -> None:
    """A rule typed into psql forgets the policy, and nobody may come by for hours to have it read again."""

    async def forget() -> None:
        served.gateway.cache.forget("policy", "1")

    served.call(forget())
    assert served.gateway.cache.policy is None
    assert ready(served)[0] == 200
    assert served.check("pub.example.com").status == 200


def test_without_a_policy_and_without_a_store_it_is_not_ready(served: Served) -> None:
    async def lose() -> None:
        cache = served.gateway.cache
        cache.forget("policy", "1")
        cache.silent(float("inf"))

    served.call(lose())
    status, body = ready(served)
    assert (status, body["status"]) == (503, "not ready")
