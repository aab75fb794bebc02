"""Streams that stay open in the bench: what is timed has arrived, and is what was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import carriers
import pytest
import streams_app
import streams_events
import streams_sockets
from carriers import GATEWAY, NGINX, Ground
from measures import FAN, carried_streams

from proxies.nginx import missing

needs_nginx = pytest.mark.skipif(bool(missing()), reason=missing() or "nginx is there")
OPENED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
MASK = b"\x01\x02\x03\x04"


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carriers, "SESSIONS", 2)
        with carriers.ground([]) as found:
            yield found


@needs_nginx
def test_every_row_is_measured_through_both(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in (("SOCKETS", 3), ("IDLE", 40), ("LISTENERS", 5), ("SETTLED", 0)):
        monkeypatch.setattr(carried_streams, name, number)
    weights, times = asyncio.run(carried_streams.measured(ground, 1, 0.1, lambda said: None))
    rows = (carried_streams.ECHOES, carried_streams.LONELY, carried_streams.EVENT, carried_streams.OWN)
    assert times.keys() == {f"{row}, {who}" for row in rows for who in (GATEWAY, NGINX)}
    assert all(found and min(found) > 0 for runs in times.values() for found in runs)
    assert [len(found) for who in (GATEWAY, NGINX) for found in times[f"{carried_streams.EVENT}, {who}"]] == [5, 5]
    bars = FAN["carried_streams"].judged(carried_streams.values(weights, times))
    assert all(bar.value is not None for bar in bars)


@needs_nginx
def test_who_is_not_signed_in_has_no_stream_and_that_ends_the_measurement(ground: Ground) -> None:
    asked = ground.asked(carriers.STREAMS, "/socket")[0]._replace(cookie="")
    with pytest.raises(RuntimeError, match=r"no WebSocket, but b'HTTP/1.1 401"):
        asyncio.run(streams_sockets.opened(ground.gateway.port, [carriers.opening(asked)]))
    with pytest.raises(RuntimeError, match=r"no events, but b'HTTP/1.1 401"):
        asyncio.run(streams_events.opened(ground.gateway.port, [carriers.opening(asked)]))


@pytest.mark.parametrize(
    ("echo", "said"),
    [(b"\x82\x40" + bytes(64), "an echo was not what was said"), (b"", "a WebSocket was closed")],
    ids=["something else", "none"],
)
def test_an_echo_of_something_else_or_none_ends_the_measurement(echo: bytes, said: str) -> None:
    async def spoken() -> None:
        async with answering(OPENED, echo) as port:
            await streams_sockets.together(await streams_sockets.opened(port, [b"?"]), 1.0)

    with pytest.raises(RuntimeError, match=said):
        asyncio.run(spoken())


def test_an_event_stream_that_ends_early_ends_the_measurement() -> None:
    async def listened() -> None:
        async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + streams_app.event(), b"") as port:
            listener = (await streams_events.opened(port, [b"?"]))[0]
            listener.want(2)
            assert listener.heard is not None
            await listener.heard

    with pytest.raises(RuntimeError, match="an event stream ended"):
        asyncio.run(listened())


@asynccontextmanager
async def answering(first: bytes, then: bytes) -> AsyncIterator[int]:
    """A server that says one thing to whoever says anything, another to what comes next, and leaves; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(first)
        if then:
            await reader.read(4096)
            writer.write(then)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def masked(payload: bytes) -> bytes:
    return bytes((0x81, 0x80 | len(payload))) + MASK + bytes(b ^ MASK[at % 4] for at, b in enumerate(payload))


def test_the_app_echoes_whole_messages_and_keeps_what_is_left() -> None:
    two = masked(b"hello") + masked(b"")
    assert streams_app.echoes(two) == (b"\x81\x05hello\x81\x00", b"")
    for cut in range(1, len(masked(b"hello"))):
        assert streams_app.echoes(two[:cut]) == (b"", two[:cut])
    assert streams_app.echoes(two + two[:7]) == (b"\x81\x05hello\x81\x00", two[:7])


def test_bars_are_medians_of_what_each_round_says() -> None:
    milliseconds = {carried_streams.ECHOES: (3, 2), carried_streams.LONELY: (1, 2)}
    milliseconds |= {carried_streams.EVENT: (5, 2), carried_streams.OWN: (2, 3)}
    times = {}
    for row, (ours, theirs) in milliseconds.items():
        times[f"{row}, {GATEWAY}"] = [[1, ours * 10**6, 10**9]] * 3
        times[f"{row}, {NGINX}"] = [[1, theirs * 10**6, 10**9]] * 3
    found = carried_streams.values({GATEWAY: 2048.0, NGINX: 1.0}, times)
    assert [bar.value for bar in FAN["carried_streams"].judged(found)] == [2.0, 1.5, 0.5, 3.0, -1.0]
