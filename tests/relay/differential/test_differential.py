"""Ten thousand requests through the relay and through nginx: every difference is explained."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from databases import Cluster
from processes import free_port
from relay.by_hand import standing
from relay.differential import talking
from relay.differential.comparing import Way, differences
from relay.differential.exchanges import Exchange
from relay.differential.explained import ROWS, Row, explanation
from relay.differential.generated import Signed, exchanges
from relay.differential.plain_nginx import missing, plain_nginx
from relay.differential.recording import app

COUNT, SEED = 10_000, 6
PATIENCE = 90.0
APPS = """
apps:
  - name: app
    hosts: [app.example.com]
    upstream: http://127.0.0.1:{port}
    rules: [{{policy: one_factor}}]
"""


class Ways(NamedTuple):
    """Every exchange, by the relay and by nginx; and what came to each app that is no request."""

    exchanges: Sequence[Exchange]
    relay: Sequence[Way]
    nginx: Sequence[Way]
    unread: list[str]


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_every_difference_between_the_relay_and_nginx_is_explained(cluster: Cluster, tmp_path: Path) -> None:
    """One test, because nobody wants ten thousand requests to be sent twice."""
    with standing(cluster, tmp_path, APPS) as ground:
        ground.app.close()  # its port is the recording app's from now on
        drawn = exchanges(COUNT, Signed(b"app.example.com", ground.cookie), SEED)
        talked = _talk(drawn, ground.served.address, ground.app.port, tmp_path)
        ways = asyncio.run(asyncio.wait_for(talked, PATIENCE))
    assert_arrived_once(ways)
    assert_nothing_forged_arrived(ways)
    assert_explained(ways)


async def _talk(drawn: Sequence[Exchange], relay: talking.Address, port: int, directory: Path) -> Ways:
    other, plain = free_port(), free_port()
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(app(drawn, each)) for each in (port, other)]
        stack.enter_context(plain_nginx(directory, plain, other))
        got = [await talking.talk(address, drawn) for address in (relay, ("127.0.0.1", plain))]
    by_relay, by_nginx = (
        [Way(one.arrived[number], answers[number]) for number in range(len(drawn))]
        for one, answers in zip(apps, got, strict=True)
    )
    return Ways(drawn, by_relay, by_nginx, [what for one in apps for what in one.unread])


def assert_explained(ways: Ways) -> None:
    unexplained, used = [], Counter[Row]()
    for exchange, relay, nginx in zip(ways.exchanges, ways.relay, ways.nginx, strict=True):
        for difference in differences(relay, nginx):
            if row := explanation(difference, exchange):
                used[row] += 1
            else:
                unexplained.append(_shown(exchange, difference))
    assert not unexplained, f"{len(unexplained)} differences, as here:" + "\n\n".join(["", *unexplained[:5]])
    assert not [(row.what, row.why) for row in ROWS if not used[row]], "rows that explain nothing any more"


def assert_arrived_once(ways: Ways) -> None:
    """Or not at all; and each was answered well."""
    for exchange, way in zip(ways.exchanges, ways.relay, strict=True):
        assert len(way.arrived) <= 1, _shown(exchange)
        assert not way.got.wrong, _shown(exchange, way.got.wrong)
    assert sum(len(way.arrived) for way in ways.relay) > 0.95 * COUNT
    assert not ways.unread


def assert_nothing_forged_arrived(ways: Ways) -> None:
    """Nor another target than was sent."""
    for exchange, way in zip(ways.exchanges, ways.relay, strict=True):
        for one in way.arrived:
            values = b" ".join(value for _, value in one.head.pairs)
            assert b"evil" not in values, _shown(exchange)
            assert exchange.asked.target == one.head.first.split(b" ")[1], _shown(exchange)


def _shown(exchange: Exchange, what: object = "") -> str:
    """One exchange for whoever has to find out; bodies are seldom why."""
    pieces = exchange.told.pieces(exchange.asked.method)
    return f"{what}\n  was sent: {exchange.asked.wire()[:1500]!r}\n  answered: {b''.join(pieces)[:800]!r}"
