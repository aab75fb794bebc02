"""Connections to one app: which is given, how long one is kept, how many there may be, and why one cannot be had.

Each test stands on both event loops; the pool's clock is moved by the test.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway import addresses
from gateway.deadlines import Deadlines
from gateway.errors import Overloaded, Resting, SlowToConnect, Unreachable, Unverified, UpstreamFailed
from gateway.relay import breaker
from gateway.relay.pool import FRESH, Pool
from gateway.relay.relay import trusting
from gateway.settings import Upstream as Terms
from relay.behind import App, listening
from relay.certificates import LOCALHOST, Authority

pytestmark = pytest.mark.anyio
turn = partial(asyncio.sleep, 0)
TERMS = Terms(connect=30)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


class Clock:
    """Stands for the loop of ``Deadlines``: nothing is swept by itself."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def call_later(self, *unused: object) -> object:
        return self


class Stand:
    """A pool of an app at ``upstream``."""

    def __init__(self, upstream: str, terms: Terms = TERMS, authorities: Path | None = None) -> None:
        self.clock = Clock()
        self._deadlines = Deadlines(self.clock)  # type: ignore[arg-type]  # as much of a loop as it needs
        place = addresses.place(addresses.upstream(upstream))
        self.pool = Pool(place, terms, self._deadlines, lambda: trusting(authorities), ())

    def later(self, seconds: float) -> None:
        self.clock.now += seconds
        self._deadlines.sweep(self.clock.now)


@pytest.fixture
def app() -> Any:
    with listening() as found:
        yield found


@pytest.fixture
async def stand(app: App) -> AsyncIterator[Stand]:
    made = Stand(app.upstream)
    yield made
    made.pool.close()
    await turn()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await turn()


async def fails(pool: Pool) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as failed:
        await pool.open()
    return failed.value


# What is given ----------------------------------------------------------------------------------------------------


async def test_the_last_one_used_is_given_first(stand: Stand) -> None:
    first, second = await stand.pool.open(), await stand.pool.open()
    assert stand.pool.take(fresh=False) is None
    stand.pool.back(first)
    stand.pool.back(second)
    assert [stand.pool.take(fresh=False) for _ in range(3)] == [second, first, None]


async def test_what_nobody_uses_is_closed_when_it_is_old(stand: Stand, app: App) -> None:
    old, young = await stand.pool.open(), await stand.pool.open()
    met = app.met(), app.met()
    stand.pool.back(old)
    stand.later(TERMS.idle / 2)
    stand.pool.back(young)
    stand.later(TERMS.idle / 2)
    assert (old.transport.is_closing(), young.transport.is_closing()) == (True, False)
    await turn()
    assert met[0].ended()
    stand.later(TERMS.idle / 2)
    assert young.transport.is_closing()
    assert stand.pool.take(fresh=False) is None


async def test_what_is_used_again_does_not_grow_old(stand: Stand) -> None:
    used = await stand.pool.open()
    for _ in range(5):
        stand.pool.back(used)
        stand.later(TERMS.idle * 0.7)
        assert stand.pool.take(fresh=False) is used
    stand.later(TERMS.idle * 10)
    assert not used.transport.is_closing()


async def test_what_cannot_be_asked_twice_is_given_one_that_was_used_a_moment_ago(stand: Stand) -> None:
    used = await stand.pool.open()
    stand.pool.back(used)
    stand.later(FRESH - 0.1)
    assert stand.pool.take(fresh=True) is used
    stand.pool.back(used)
    stand.later(FRESH + 0.1)
    assert stand.pool.take(fresh=True) is None
    assert stand.pool.take(fresh=False) is used


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"x", b""], ids=["an answer", "a byte", "an end"]
)
async def test_one_that_the_app_speaks_on_while_nobody_uses_it_is_never_given(
    stand: Stand, app: App, said: bytes
) -> None:
    idle = await stand.pool.open()
    met = app.met()
    stand.pool.back(idle)
    met.send(said)
    if not said:
        met.close()
    await until(idle.transport.is_closing)
    assert stand.pool.take(fresh=False) is None


async def test_one_that_is_closing_is_never_given(stand: Stand) -> None:
    kept, closing = await stand.pool.open(), await stand.pool.open()
    stand.pool.back(kept)
    stand.pool.back(closing)
    closing.transport.abort()
    assert stand.pool.take(fresh=True) is kept


async def test_all_end_with_the_pool(stand: Stand) -> None:
    used, idle = await stand.pool.open(), await stand.pool.open()
    stand.pool.back(idle)
    stand.pool.close()
    assert used.transport.is_closing()
    assert idle.transport.is_closing()


# How many there are -----------------------------------------------------------------------------------------------


async def test_there_are_so_many_at_once_and_those_that_nobody_uses_give_way(app: App) -> None:
    pool = Stand(app.upstream, Terms(connections=2)).pool
    first, _ = await pool.open(), await pool.open()
    assert isinstance(await fails(pool), Overloaded)
    pool.back(first)
    third = await pool.open()
    assert first.transport.is_closing()
    assert len(pool._all) == 2
    assert isinstance(await fails(pool), Overloaded)
    third.abort()
    await turn()
    await until(lambda: len(pool._all) == 1)
    await pool.open()
    pool.close()
    await turn()


async def test_as_many_as_are_opened_at_once_give_way(app: App) -> None:
    pool = Stand(app.upstream, Terms(connections=4)).pool
    used, *idle = [await pool.open() for _ in range(4)]
    for upstream in idle:
        pool.back(upstream)
    outcomes = await asyncio.gather(*(pool.open() for _ in range(4)), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Upstream"] * 3 + ["Overloaded"]
    assert [upstream.transport.is_closing() for upstream in (used, *idle)] == [False, True, True, True]
    await turn()
    assert len(pool._all) == 4
    pool.close()
    await turn()


async def test_an_app_that_vanishes_is_noticed_in_time(stand: Stand) -> None:
    connection = (await stand.pool.open()).transport.get_extra_info("socket")
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if hasattr(socket, "TCP_KEEPIDLE"):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


async def test_a_tunnel_counts_until_it_is_over(app: App) -> None:
    pool = Stand(app.upstream, Terms(connections=1)).pool
    tunnel = await pool.open()
    transport = tunnel.release()
    assert isinstance(await fails(pool), Overloaded)
    transport.abort()
    tunnel.over()
    await pool.open()
    pool.close()
    await turn()


async def test_one_that_is_being_opened_counts(app: App) -> None:
    pool = Stand(app.upstream, Terms(connections=1)).pool
    outcomes = await asyncio.gather(pool.open(), pool.open(), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Upstream", "Overloaded"]
    pool.close()
    await turn()


async def test_who_leaves_while_one_is_opened_leaves_no_place_taken(app: App) -> None:
    pool = Stand(app.upstream, Terms(connections=1)).pool
    task = asyncio.ensure_future(pool.open())
    await turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await pool.open()
    pool.close()
    await turn()


# Why there is none ------------------------------------------------------------------------------------------------


def nobody_listens() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_an_app_that_does_not_listen_cannot_be_reached(tmp_path: Path) -> None:
    for upstream in (nobody_listens(), f"unix:{tmp_path}/missing.sock"):
        failed = await fails(Stand(upstream).pool)
        assert (type(failed), failed.status, failed.code) == (Unreachable, 502, "G401")
        assert failed.detail


async def test_an_app_may_listen_at_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        pool = Stand(f"unix:{path}").pool
        (await pool.open()).transport.write(b"hello")
        with listener.accept()[0] as met:
            assert met.recv(5) == b"hello"
        pool.close()
        await turn()


async def test_an_app_that_takes_no_connection_is_not_waited_for() -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        upstream = f"http://127.0.0.1:{full.getsockname()[1]}"
        failed = await fails(Stand(upstream, Terms(connect=0.05)).pool)
    assert (type(failed), failed.status, failed.detail) == (SlowToConnect, 504, "0.05 s")


async def test_nor_one_that_never_shakes_hands(app: App) -> None:
    upstream = app.upstream.replace("http:", "https:")
    assert isinstance(await fails(Stand(upstream, Terms(connect=0.05)).pool), SlowToConnect)


async def test_an_app_that_cannot_be_reached_rests_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "REST", 1000.0)
    upstream = nobody_listens()
    pool = Stand(upstream).pool
    assert [type(await fails(pool)) for _ in range(breaker.MOST + 2)] == [Unreachable] * breaker.MOST + [Resting] * 2
    with socket.create_server(("127.0.0.1", int(upstream.rpartition(":")[2]))):
        assert isinstance(await fails(pool), Resting)
        pool._breaker._until = 0.0  # its rest is over
        for _ in range(3):
            await pool.open()
        pool.close()
        await turn()


async def test_an_app_with_all_it_may_have_is_not_one_that_fails(app: App) -> None:
    pool = Stand(app.upstream, Terms(connections=1)).pool
    used = await pool.open()
    for _ in range(2 * breaker.MOST):
        assert isinstance(await fails(pool), Overloaded)
    used.abort()
    await until(lambda: not pool._all)
    await pool.open()
    pool.close()
    await turn()


# Certificates -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory, "ours")


@asynccontextmanager
async def secured(context: ssl.SSLContext, authorities: Path | None, host: str = "localhost") -> AsyncIterator[Stand]:
    """A pool of an app that speaks TLS so."""

    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as server:
        stand = Stand(f"https://{host}:{server.sockets[0].getsockname()[1]}", TERMS, authorities)
        yield stand
        stand.pool.close()
        await turn()


async def test_an_https_app_is_met_by_its_name_and_asked_for_http_1(authority: Authority) -> None:
    context, named = authority.server(LOCALHOST), list[str | None]()
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda _, name, __: named.append(name)
    async with secured(context, authority.file) as stand:
        upstream = await stand.pool.open()
    assert named == ["localhost"]
    assert upstream.transport.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_an_https_app_may_be_known_by_its_address(authority: Authority) -> None:
    context = authority.server(x509.IPAddress(ip_address("127.0.0.1")))
    async with secured(context, authority.file, "127.0.0.1") as stand:
        assert (await stand.pool.open()).transport.get_extra_info("ssl_object") is not None


@pytest.mark.parametrize(
    ("names", "days", "host"),
    [
        ([x509.DNSName("other.example.com")], 1, "localhost"),
        ([x509.DNSName("*.localhost")], 1, "localhost"),
        ([LOCALHOST], 1, "127.0.0.1"),
        ([LOCALHOST], -2, "localhost"),
    ],
    ids=["another name", "a wildcard", "an address", "too old"],
)
async def test_a_certificate_of_another_or_an_old_one_is_not_trusted(
    authority: Authority, names: list[x509.GeneralName], days: int, host: str
) -> None:
    async with secured(authority.server(*names, days=days), authority.file, host) as stand:
        failed = await fails(stand.pool)
    assert (type(failed), failed.status, failed.code) == (Unverified, 502, "G403")
    assert failed.detail


async def test_an_authority_that_nobody_named_is_not_trusted(authority: Authority, directory: Path) -> None:
    for authorities in (None, Authority(directory, "another").file):
        async with secured(authority.server(LOCALHOST), authorities) as stand:
            assert isinstance(await fails(stand.pool), Unverified)


async def test_an_app_that_speaks_no_tls_cannot_be_reached_by_it(app: App) -> None:
    pool = Stand(app.upstream.replace("http:", "https:")).pool
    task = asyncio.ensure_future(pool.open())
    met = await asyncio.to_thread(app.met)
    met.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(Unreachable):
        await task
