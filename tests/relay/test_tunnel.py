"""Tunnels over real sockets: bytes pass as they are, as fast as they are taken, and end as they ended, or with their right.

Each test stands on both event loops. A gateway is here what is needed of one: it passes a head each way, then the tunnel.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode
from websockets.utils import apply_mask

from gateway.relay import tunnel
from gateway.relay.tunnel import Side, Tunnel

PATIENCE = 30.0
"""Seconds until what does not come fails a test."""
HEAD = b"head\r\n\r\n"
MEGABYTE = 1024 * 1024
RESET = struct.pack("ii", 1, 0)
Run = Callable[[Coroutine[Any, Any, None]], None]
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]

turn = partial(asyncio.sleep, 0)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Run:
    """Runs a test to its end, and fails it for whatever a loop would only have logged."""

    def until_done(work: Coroutine[Any, Any, None]) -> None:
        failed: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
            await asyncio.wait_for(work, PATIENCE)

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())
        assert failed == []
        assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []

    return until_done


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server on loopback, and of a client that trusts it."""
    directory = tmp_path_factory.mktemp("tls")
    _write_certificate(directory / "cert.pem", directory / "key.pem")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return server, ssl.create_default_context(cafile=directory / "cert.pem")


def _write_certificate(cert: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, none))


class Opening(asyncio.Protocol):
    """One connection before it is a tunnel's: reads a head, and no further, but for what has come with it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.come = b""
        self.is_there = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio says any transport
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.come += data
        if b"\r\n\r\n" in self.come:
            self.transport.pause_reading()
            self.is_there.set()

    async def head(self) -> tuple[bytes, bytes]:
        """The head, and what stands behind it."""
        await self.is_there.wait()
        head, mark, rest = self.come.partition(b"\r\n\r\n")
        return head + mark, rest


class Gate:
    """Where tunnels are made; ``address`` is for clients. ``before`` is given both connections, ahead of the tunnel."""

    def __init__(self, app: tuple[str, int], framed: bool, context: ssl.SSLContext | None) -> None:
        self._app, self._framed, self._context = app, framed, context
        self.made: asyncio.Queue[Tunnel] = asyncio.Queue()
        self.closed: asyncio.Queue[Tunnel | None] = asyncio.Queue()
        self.before: Callable[[asyncio.Transport, asyncio.Transport], None] = lambda client, app: None
        self.address = ("", 0)
        self._tasks: set[asyncio.Task[None]] = set()

    def arrive(self) -> Opening:
        client = Opening()
        self._tasks.add(asyncio.get_running_loop().create_task(self._open(client)))
        return client

    async def _open(self, client: Opening) -> None:
        head, from_client = await client.head()
        _, app = await asyncio.get_running_loop().create_connection(Opening, *self._app, ssl=self._context)
        app.transport.write(head)
        head, from_app = await app.head()
        client.transport.write(head)
        self.before(client.transport, app.transport)
        made = Tunnel(client.transport, app.transport, framed=self._framed, closed=self._gone)
        made.start(from_client, from_app)
        self.made.put_nowait(made)

    def _gone(self) -> None:
        self.closed.put_nowait(None)


@asynccontextmanager
async def gate(
    app: tuple[str, int], *, framed: bool = True, context: ssl.SSLContext | None = None
) -> AsyncIterator[Gate]:
    made = Gate(app, framed, context)
    server = await asyncio.get_running_loop().create_server(made.arrive, "127.0.0.1", 0)
    made.address = server.sockets[0].getsockname()
    try:
        yield made
    finally:
        server.close()
        for task in made._tasks:
            await task


class Line:
    """A raw client and a raw app, and the tunnel between them."""

    def __init__(self, client: Peer, app: Peer, made: Tunnel, at: Gate) -> None:
        (self.client, self.to_client), (self.app, self.to_app) = (client[0], app[1]), (app[0], client[1])
        self.client_writer, self.app_writer, self.tunnel, self._gate = client[1], app[1], made, at
        self.client_side, self.app_side = made._client, made._app

    async def over(self) -> None:
        """Both ends are gone, which is said once; and nothing is waited for."""
        await self._gate.closed.get()
        await turn()
        assert self._gate.closed.empty()
        assert self.tunnel._timer is None


Before = Callable[[asyncio.Transport, asyncio.Transport], None]


@asynccontextmanager
async def line(
    *, framed: bool = True, contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None, before: Before | None = None
) -> AsyncIterator[Line]:
    """Whatever the test leaves open is aborted at its end."""
    arrived: asyncio.Queue[Peer] = asyncio.Queue()
    of_app, of_gate = contexts or (None, None)
    server = await asyncio.start_server(lambda *peer: arrived.put_nowait(peer), "127.0.0.1", 0, ssl=of_app)
    async with server, gate(server.sockets[0].getsockname(), framed=framed, context=of_gate) as at:
        at.before = before or at.before
        client = await asyncio.open_connection(*at.address)
        client[1].write(HEAD)
        app = await arrived.get()
        await app[0].readuntil(b"\r\n\r\n")
        app[1].write(HEAD)
        await client[0].readuntil(b"\r\n\r\n")
        try:
            yield Line(client, app, await at.made.get(), at)
        finally:
            for _, writer in (client, app):
                if not writer.is_closing():
                    writer.transport.abort()
            await turn()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await turn()


def reset(writer: asyncio.StreamWriter) -> None:
    """Leave as a process that is killed leaves: without an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


def text(said: bytes, *, mask: bool) -> bytes:
    return Frame(Opcode.TEXT, said).serialize(mask=mask)


def closing(frame: bytes) -> Close:
    """The one Close frame that this is."""
    assert frame[0] == 0x88
    masked, size = frame[1] & 0x80, frame[1] & 0x7F
    assert len(frame) == size + (6 if masked else 2)
    return Close.parse(bytes(apply_mask(frame[6:], frame[2:6])) if masked else frame[2:])


# A WebSocket, as others speak it --------------------------------------------------------------------------------------


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        if message == "close":
            await connection.close(4001, "as you wish")
        await connection.send(message)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_websocket_passes_as_it_is(run: Run, tls: bool, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def scene() -> None:
        server_context, context = contexts if tls else (None, None)
        async with (
            serve(echo, "127.0.0.1", 0, subprotocols=["chat"], ssl=server_context, max_size=None) as app,  # type: ignore[list-item]  # a plain str is one
            gate(next(iter(app.sockets)).getsockname(), context=context) as at,
            connect(_url(at), subprotocols=["chat"], max_size=None) as client,  # type: ignore[list-item]  # the same
        ):
            assert client.subprotocol == "chat"
            for message in ("", "a", "é" * 70, b"\x00" * 200, b"abc" * MEGABYTE, bytes(range(256)) * 300):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "three ", "parts"])
            assert await client.recv() == "in three parts"
            await (await client.ping())
            await client.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd == Close(4001, "as you wish")
            await at.closed.get()
            assert at.closed.empty()

    run(scene())


def test_a_close_code_of_the_client_reaches_the_app(run: Run) -> None:
    async def scene() -> None:
        ended: asyncio.Queue[Close | None] = asyncio.Queue()

        async def app(connection: ServerConnection) -> None:
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            ended.put_nowait(closed.value.rcvd)

        async with (
            serve(app, "127.0.0.1", 0) as server,
            gate(next(iter(server.sockets)).getsockname()) as at,
            connect(_url(at)) as client,
        ):
            await client.close(3007, "bye")
            assert await ended.get() == Close(3007, "bye")
            await at.closed.get()
            assert at.closed.empty()

    run(scene())


def test_a_websocket_whose_right_is_over_is_closed_with_a_code_to_both(run: Run) -> None:
    async def scene() -> None:
        ended: asyncio.Queue[Close | None] = asyncio.Queue()

        async def app(connection: ServerConnection) -> None:
            await connection.send("hello")
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            ended.put_nowait(closed.value.rcvd)

        async with (
            serve(app, "127.0.0.1", 0) as server,
            gate(next(iter(server.sockets)).getsockname()) as at,
            connect(_url(at)) as client,
        ):
            assert await client.recv() == "hello"
            (await at.made.get()).end(1008, "the session was ended")
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd == Close(1008, "the session was ended")
            assert await ended.get() == Close(1001, "")
            await at.closed.get()
            assert at.closed.empty()

    run(scene())


def _url(at: Gate) -> str:
    return f"ws://127.0.0.1:{at.address[1]}/"


# Its right is over ----------------------------------------------------------------------------------------------------


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ends by a time that is over."""
    monkeypatch.setattr(tunnel, "GRACE", 3600.0)
    monkeypatch.setattr(tunnel, "SILENCE", 3600.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times are over at once."""
    monkeypatch.setattr(tunnel, "GRACE", 0.01)
    monkeypatch.setattr(tunnel, "SILENCE", 0.01)


@pytest.mark.usefixtures("patient")
def test_a_frame_under_way_is_passed_to_its_end_and_nothing_behind_it(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            down, up = text(b"d" * 300, mask=False), text(b"u" * 300, mask=True)
            between.to_client.write(down[:3])
            between.to_app.write(up[:7])
            assert await between.client.readexactly(3) == down[:3]
            assert await between.app.readexactly(7) == up[:7]
            between.tunnel.end(1008, "over")
            between.tunnel.end(1011, "twice")
            between.to_client.write(down[3:] + text(b"secret", mask=False))
            between.to_app.write(up[7:10])
            assert await between.client.readexactly(len(down) - 3) == down[3:]
            assert closing(await between.client.read()) == Close(1008, "over")
            between.to_app.write(up[10:] + text(b"not any more", mask=True))
            between.to_app.write(text(b"nor this", mask=True))
            assert await between.app.readexactly(len(up) - 7) == up[7:]
            assert closing(await between.app.read()) == Close(1001, "")
            between.to_client.close()
            between.to_app.close()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_what_comes_behind_a_close_frame_is_thrown_away_until_both_hang_up(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.tunnel.end(1008, "over")
            assert closing(await between.client.read()) == Close(1008, "over")
            assert closing(await between.app.read()) == Close(1001, "")
            for writer in (between.to_app, between.to_client):
                writer.write(b"x" * 5 * MEGABYTE)
                await writer.drain()
                writer.write_eof()
            await between.over()
            assert (between.client_side.passed, between.app_side.passed) == (0, 0)

    run(scene())


@pytest.mark.usefixtures("impatient")
def test_who_does_not_hang_up_behind_a_close_frame_is_left(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.tunnel.end(1008, "over")
            await between.over()
            assert closing(await between.client.read()) == Close(1008, "over")
            assert closing(await between.app.read()) == Close(1001, "")
            for writer in (between.client_writer, between.app_writer):  # by no reset, which could have overtaken that
                assert writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    run(scene())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("who", ["client", "app"])
def test_a_frame_that_does_not_end_is_cut_off_and_looks_cut_off(run: Run, who: str) -> None:
    async def scene() -> None:
        async with line() as between:
            writer, reader = (between.to_client, between.client) if who == "app" else (between.to_app, between.app)
            writer.write(text(b"x" * 300, mask=False)[:100])
            await reader.readexactly(100)
            between.tunnel.end(1008, "over")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("leave", [asyncio.StreamWriter.write_eof, asyncio.StreamWriter.close, reset])
def test_who_leaves_within_the_last_frame_takes_the_other_along(
    run: Run, leave: Callable[[asyncio.StreamWriter], None]
) -> None:
    async def scene() -> None:
        async with line() as between:
            between.to_client.write(text(b"x" * 300, mask=False)[:100])
            await between.client.readexactly(100)
            between.tunnel.end(1008, "over")
            leave(between.app_writer)
            with pytest.raises(ConnectionResetError):
                await between.client.read()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_a_tunnel_without_frames_is_cut_off_at_once(run: Run) -> None:
    async def scene() -> None:
        async with line(framed=False) as between:
            between.to_client.write(b"some")
            await between.client.readexactly(4)
            between.tunnel.end(1008, "over")
            for reader in (between.client, between.app):
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            await between.over()
            between.tunnel.end(1008, "over")
            assert between.tunnel._timer is None

    run(scene())


@pytest.mark.usefixtures("impatient")
def test_a_client_that_does_not_read_does_not_keep_its_tunnel(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.to_client.write(text(b"x" * 50 * MEGABYTE, mask=False))
            await until(lambda: between.client_side.waiting > tunnel.HIGH)
            between.tunnel.end(1008, "over")
            await between.over()
            with pytest.raises(ConnectionResetError):
                await _size(between.client)

    run(scene())


@pytest.mark.usefixtures("patient")
def test_a_tunnel_that_has_ended_by_itself_has_no_right_to_lose(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.to_app.close()
            between.to_client.close()
            await between.over()
            between.tunnel.end(1008, "over")
            assert between.tunnel._timer is None

    run(scene())


@pytest.mark.usefixtures("patient")
def test_a_side_that_has_ended_is_told_nothing_more(run: Run) -> None:
    """And the other is told, as ever."""

    async def scene() -> None:
        async with line() as between:
            between.to_app.write_eof()
            assert await between.app.read() == b""
            earlier = between.tunnel._timer
            assert earlier is not None
            between.tunnel.end(1008, "over")
            assert earlier.cancelled()
            assert closing(await between.client.read()) == Close(1008, "over")
            between.to_client.close()
            await between.over()

    run(scene())


# It ends by itself ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("framed", [True, False])
def test_an_end_is_passed_on_and_the_other_side_may_finish(run: Run, framed: bool) -> None:
    async def scene() -> None:
        async with line(framed=framed) as between:
            between.to_app.write(b"question")
            between.to_app.write_eof()
            assert await between.app.read() == b"question"
            between.to_client.write(b"a long " + b"a" * MEGABYTE)
            await between.client.readexactly(7)
            between.to_client.write(b" answer")
            between.to_client.write_eof()
            assert await between.client.read() == b"a" * MEGABYTE + b" answer"
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_so_is_an_end_of_the_app(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.to_client.write(b"goodbye")
            between.to_client.write_eof()
            assert await between.client.read() == b"goodbye"
            between.to_app.write(b"and to you")
            between.to_app.write_eof()
            assert await between.app.read() == b"and to you"
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_what_has_come_before_an_end_is_delivered_however_slowly_it_is_taken(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.to_client.write(b"x" * 20 * MEGABYTE)
            between.to_client.close()
            between.to_app.write_eof()
            await until(lambda: between.client_side.waiting > 0)
            assert await _size(between.client) == 20 * MEGABYTE
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_what_is_taken_slowly_moves(run: Run) -> None:
    async def scene() -> None:
        async with line(before=lambda client, _: client.write(b"x" * 20 * MEGABYTE)) as between:
            between.to_app.write_eof()
            assert await between.app.read() == b""
            before, left = between.tunnel._moved(), between.client_side.waiting
            while between.client_side.waiting == left:
                await between.client.readexactly(65536)
            _look(between.tunnel, before)
            assert between.tunnel._timer is not None

    run(scene())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("framed", [True, False])
def test_a_half_open_tunnel_in_which_nothing_moves_is_cut_off(run: Run, framed: bool) -> None:
    async def scene() -> None:
        async with line(framed=framed) as between:
            between.to_app.write_eof()
            assert await between.app.read() == b""
            with pytest.raises(ConnectionResetError):
                await between.client.read()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_a_half_open_tunnel_stays_while_something_moves(run: Run) -> None:
    async def scene() -> None:
        async with line(framed=False) as between:
            between.to_app.write_eof()
            assert await between.app.read() == b""
            for _ in range(3):
                before = between.tunnel._moved()
                between.to_client.write(b"more")
                assert await between.client.readexactly(4) == b"more"
                _look(between.tunnel, before)
                assert between.tunnel._timer is not None
            _look(between.tunnel, between.tunnel._moved())
            await between.over()

    run(scene())


def _look(looked_at: Tunnel, before: tuple[int, ...]) -> None:
    """What its timer does, now, if it has one."""
    if looked_at._timer is not None:
        looked_at._timer.cancel()
        looked_at._look(before)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("who", ["client", "app"])
def test_a_side_that_is_lost_takes_the_other_along(run: Run, framed: bool, who: str) -> None:
    async def scene() -> None:
        async with line(framed=framed) as between:
            writer, reader = (
                (between.client_writer, between.app) if who == "client" else (between.app_writer, between.client)
            )
            reset(writer)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_what_an_app_said_before_its_end_is_delivered_though_it_breaks_off_then(run: Run) -> None:
    """It closed its socket at once; what the client says to that is answered by a reset."""

    async def scene() -> None:
        async with line() as between:
            between.to_client.write(b"x" * 20 * MEGABYTE + b"goodbye")
            await until(lambda: between.client_side.waiting > 0)
            between.app_writer.close()
            read = await _size(between.client, 20 * MEGABYTE)
            between.to_app.write(b"are you there?")
            assert read + await _size(between.client) == 20 * MEGABYTE + 7
            between.to_app.close()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_an_app_that_breaks_off_behind_its_end_does_not_leave_the_client_unread(run: Run) -> None:
    """It had not taken what the client sends, so the client was not read."""

    async def scene() -> None:
        async with line() as between:
            between.to_client.write_eof()
            assert await between.client.read() == b""
            between.to_app.write(b"x" * 20 * MEGABYTE)
            await until(lambda: not between.client_side.transport.is_reading())
            reset(between.app_writer)
            await between.to_app.drain()
            between.to_app.close()
            await between.over()

    run(scene())


async def _size(reader: asyncio.StreamReader, at_most: int = 2**60) -> int:
    size = 0
    while size < at_most and (data := await reader.read(min(MEGABYTE, at_most - size))):
        size += len(data)
    return size


# TLS to the app -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_the_end_of_an_app_behind_tls_reaches_the_client(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with line(contexts=contexts) as between:
            between.to_app.write(b"to the app")
            assert await between.app.readexactly(10) == b"to the app"
            between.to_client.write(b"y" * MEGABYTE)
            between.to_client.close()
            assert await between.client.read() == b"y" * MEGABYTE
            between.to_app.write(b"nobody hears this")
            between.to_app.close()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_an_app_behind_tls_may_finish_behind_the_end_of_the_client(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with line(contexts=contexts) as between:
            between.to_app.write(b"question")
            between.to_app.write_eof()
            assert await between.app.readexactly(8) == b"question"
            await until(lambda: between.client_side.ended)
            between.to_client.write(b"y" * MEGABYTE)
            between.to_client.close()
            assert await between.client.read() == b"y" * MEGABYTE
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_an_app_behind_tls_is_closed_when_the_client_is_gone_behind_its_end(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with line(contexts=contexts) as between:
            between.to_app.write(b"question")
            between.client_writer.close()
            assert await between.app.readexactly(8) == b"question"
            await until(lambda: between.client_side.ended)
            while not between.client_side.lost:
                between.to_client.write(text(b"to nobody", mask=False))
                await turn()
            assert await between.app.read() == b""
            between.app_writer.close()
            await between.over()

    run(scene())


@pytest.mark.usefixtures("patient")
def test_the_right_to_an_app_behind_tls_ends_as_any_other(
    run: Run, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with line(contexts=contexts) as between:
            down = text(b"d" * 300, mask=False)
            between.to_client.write(down[:100])
            assert await between.client.readexactly(100) == down[:100]
            between.tunnel.end(1008, "over")
            assert closing(await between.app.readexactly(8)) == Close(1001, "")
            between.to_client.write(down[100:] + down)
            assert await between.client.readexactly(len(down) - 100) == down[100:]
            assert closing(await between.client.read()) == Close(1008, "over")
            between.to_client.close()
            between.to_app.close()
            await between.over()

    run(scene())


# How much is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("who", ["client", "app"])
def test_what_one_side_does_not_take_the_other_does_not_send(
    run: Run, tls: bool, who: str, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with line(contexts=contexts if tls else None) as between:
            to_client = who == "client"
            writer, reader = (between.to_client, between.client) if to_client else (between.to_app, between.app)
            slow, fast = between.client_side, between.app_side
            await _bounded(writer, reader, *((slow, fast) if to_client else (fast, slow)))

    run(scene())


async def _bounded(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, slow: Side, fast: Side) -> None:
    """50 MB are all there in the end, and at no time is much of it in between."""
    piece = bytes(range(256)) * 4096
    writer.write(piece * 50)
    await until(lambda: not fast.transport.is_reading())
    most, read = slow.waiting, hashlib.sha256()
    for _ in range(50):
        read.update(await reader.readexactly(len(piece)))
        most = max(most, slow.waiting)
    assert 0 < most < MEGABYTE
    assert read.digest() == hashlib.sha256(piece * 50).digest()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("piece", [0, 100, 30_000, 20 * MEGABYTE])
def test_a_client_that_already_takes_no_more_is_sent_no_more(run: Run, piece: int) -> None:
    """Its transport said so to whoever had it before, or did not because it was not that much."""
    sent = 0

    def fill(client: asyncio.Transport, _: asyncio.Transport) -> None:
        nonlocal sent
        while piece and not client.get_write_buffer_size():
            client.write(b"x" * piece)
            sent += piece

    async def scene() -> None:
        async with line(before=fill) as between:
            between.to_client.write(b"y" * 20 * MEGABYTE)
            assert await _size(between.client, sent) == sent
            if not piece:
                await until(lambda: between.client_side.waiting > 0)
            assert between.client_side.waiting < MEGABYTE
            assert await between.client.readexactly(20 * MEGABYTE) == b"y" * 20 * MEGABYTE

    run(scene())


@pytest.mark.usefixtures("patient")
def test_nothing_is_added_to_what_a_client_has_not_taken(run: Run) -> None:
    async def scene() -> None:
        async with line(before=lambda client, _: client.write(b"x" * 20 * MEGABYTE)) as between:
            between.to_client.write(b"y" * MEGABYTE)
            assert not between.app_side.transport.is_reading()
            assert between.client_side.waiting <= 20 * MEGABYTE
            assert await between.client.readexactly(21 * MEGABYTE) == b"x" * 20 * MEGABYTE + b"y" * MEGABYTE

    run(scene())


def test_what_came_with_the_heads_is_passed_first(run: Run) -> None:
    async def scene() -> None:
        arrived: asyncio.Queue[Peer] = asyncio.Queue()
        server = await asyncio.start_server(lambda *peer: arrived.put_nowait(peer), "127.0.0.1", 0)
        async with server, gate(server.sockets[0].getsockname()) as at:
            client = await asyncio.open_connection(*at.address)
            client[1].write(HEAD + b"early")
            app = await arrived.get()
            await app[0].readuntil(b"\r\n\r\n")
            app[1].write(HEAD + text(b"welcome", mask=False)[:4])
            assert await client[0].readexactly(len(HEAD) + 4) == HEAD + text(b"welcome", mask=False)[:4]
            assert await app[0].readexactly(5) == b"early"
            app[1].write(text(b"welcome", mask=False)[4:])
            assert await client[0].readexactly(5) == b"lcome"
            assert (await at.made.get())._app._frames.at_boundary  # type: ignore[union-attr]  # it is framed
            client[1].close()
            app[1].close()
            await at.closed.get()

    run(scene())


def test_an_idle_tunnel_waits_for_nothing_and_keeps_nothing(run: Run) -> None:
    async def scene() -> None:
        async with line() as between:
            between.to_client.write(text(b"hello", mask=False))
            await between.client.readexactly(7)
            assert between.tunnel._timer is None
            assert (between.client_side.waiting, between.app_side.waiting) == (0, 0)
            for kept in (between.tunnel, between.client_side, between.app_side, between.app_side._frames):
                assert not hasattr(kept, "__dict__")

    run(scene())
