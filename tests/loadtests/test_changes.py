"""Changes while a load test runs: what does not hold is seen. (That they hold is shown by the run of the whole stack.)"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from serving import Served

sys.path.append(str(Path(__file__).parents[2] / "loadtests"))  # they are no package

import accounts
from changes import Changes

CREATED = ["a session that was just made", "a key that was just made", "a session"]
TAKEN = [
    "a session that was just revoked",
    "a key that was just revoked",
    "a session of an account that was just closed",
]


async def one_round(served: Served, status: int) -> Changes:
    async def ask(headers: dict[str, str]) -> object:
        return status

    await accounts.people(served.gateway.ground, 1)
    changes = Changes(served.gateway.ground, ask, 1)
    await changes.keep_on(1)
    return changes


@pytest.mark.parametrize(("status", "wrong", "due"), [(200, TAKEN, 401), (401, CREATED, 200)], ids=["open", "closed"])
def test_a_gateway_that_always_says_the_same_is_caught(served: Served, status: int, wrong: list[str], due: int) -> None:
    changes = served.call(one_round(served, status))
    assert changes.rounds == 1
    assert changes.wrong == [f"{what} was answered with {status}, where {due} was due" for what in wrong]
