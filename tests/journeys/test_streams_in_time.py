"""What is open ends when the time of its right is over, or nobody can say any more whether it has one; and not before."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg

from journeys.carrying import Replicas, carrying
from journeys.open_streams import WITHIN, Poll, Stream, WebSocket, everything, have_ended
from relay.autobahn import TEXT, frame
from wires import wire

LOOK = 0.5
"""Seconds that a look at all that is open may come too late, upon those that it comes within: machines are busy."""
TTL, IDLE = 4, 3
GRACE, OUTAGE = 1, 4


def test_a_session_that_expires_ends_what_is_open_then(database: str, tmp_path: Path) -> None:
    with carrying(database, tmp_path, {}, {}) as replicas, ExitStack() as stack:
        living = replicas.cookie(replicas.somebody())
        name, before = replicas.somebody(), time.monotonic()
        cookie = replicas.cookie(name, f"{TTL}s")
        made = time.monotonic()
        hers, others = (_opened(replicas, one, stack) for one in (cookie, living))
        hers[0].app_is_left(made + TTL + LOOK + WITHIN)
        assert time.monotonic() > before + TTL
        have_ended(hers, made + TTL + LOOK, 401)
        for stream in others:
            stream.goes_on()


def test_frames_do_not_keep_a_session_alive(database: str, tmp_path: Path) -> None:
    with carrying(database, tmp_path, {}, GATEWAY_SESSION_IDLE=f"{IDLE}s") as replicas:
        person = replicas.signed_in(replicas.somebody())
        with closing(WebSocket(replicas.running[0].address, replicas.app, person.app_cookie)) as stream:
            opened = time.monotonic()
            last = _talk(stream, opened + IDLE + LOOK + WITHIN)
            assert last[:2] == b"\x88" + bytes((len(last) - 2,))
            assert last[2:4] == (1008).to_bytes(2)


def test_requests_keep_what_is_open_alive(database: str, tmp_path: Path) -> None:
    with carrying(database, tmp_path, {}, GATEWAY_SESSION_IDLE=f"{IDLE}s") as replicas:
        person, (server,) = replicas.signed_in(replicas.somebody()), replicas.running
        with closing(WebSocket(server.address, replicas.app, person.app_cookie)) as stream:
            until = time.monotonic() + 2 * IDLE
            while time.monotonic() < until:
                assert server.check(cookie=person.app_cookie).status == 200
                stream.goes_on()


def test_a_replica_that_is_cut_off_ends_what_is_open_within_its_bound(database: str, tmp_path: Path) -> None:
    bounds = {"GATEWAY_CACHE_GRACE": f"{GRACE}s", "GATEWAY_CACHE_OUTAGE": f"{OUTAGE}s"}
    with wire(database) as line, ExitStack() as stack:
        cut_off = {"GATEWAY_DATABASE_URL": line.url}
        with carrying(database, tmp_path, {}, cut_off, **bounds) as replicas:
            near, far = replicas.running
            name = replicas.somebody()
            cookies = [replicas.cookie(name), replicas.cookie(replicas.somebody())]
            nears, fars = (
                [stack.enter_context(everything(at.address, replicas.app, cookie)) for cookie in cookies]
                for at in (near, far)
            )
            line.cut()
            cut = time.monotonic()
            told = replicas.type("session", "revoke", "--user", name)
            assert f"{far.name} did not acknowledge" in told.stderr
            have_ended(nears[0], time.monotonic(), 401)
            have_ended([*fars[0], *fars[1]], cut + OUTAGE + LOOK, 503)
            for stream in nears[1]:
                stream.goes_on()
            line.mend()  # it stops sooner then


def test_an_ear_that_is_lost_for_a_moment_ends_nothing(database: str, tmp_path: Path, psql: psycopg.Connection) -> None:
    with carrying(database, tmp_path, {}) as replicas, ExitStack() as stack:
        (server,) = replicas.running
        name = replicas.somebody()
        streams = _opened(replicas, replicas.cookie(name), stack)
        again = server.said.count(b'"hearing"') + 1
        psql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gateway ear'")
        while server.said.count(b'"hearing"') < again:
            assert server.check("other.example.com", cookie=None).status in (302, 503)
        for stream in streams:
            if not isinstance(stream, Poll):
                stream.goes_on()
        replicas.type("session", "revoke", "--user", name)
        have_ended(streams, time.monotonic(), 401)


def test_a_replica_that_cannot_hear_asks_for_what_is_open(database: str, tmp_path: Path) -> None:
    with wire(database) as line, ExitStack() as stack:
        deaf = {"GATEWAY_DATABASE_LISTEN_URL": line.url}
        with carrying(database, tmp_path, deaf, GATEWAY_CACHE_GRACE=f"{GRACE}s") as replicas:
            (server,), name = replicas.running, replicas.somebody()
            hers = _opened(replicas, replicas.cookie(name), stack)
            others = _opened(replicas, replicas.cookie(replicas.somebody()), stack)
            line.cut()
            server.wait_for('"deaf"')
            told = replicas.type("session", "revoke", "--user", name)
            assert f"{server.name} did not acknowledge" in told.stderr
            have_ended(hers, time.monotonic() + LOOK, 401)
            for stream in others:
                stream.goes_on()
            line.mend()  # it stops sooner then


def _opened(replicas: Replicas, cookie: str, stack: ExitStack) -> list[Stream]:
    opened = [everything(server.address, replicas.app, cookie) for server in replicas.running]
    return [stream for one in opened for stream in stack.enter_context(one)]


def _talk(stream: Stream, until: float) -> bytes:
    """Send and echo frames until something else comes to the client: that."""
    sent, echo = frame(TEXT, b"hello"), b"\x81\x05hello"
    while True:
        assert time.monotonic() < until, "it goes on"
        stream.line.send(sent)
        if not stream.app.socket.recv(len(sent)).startswith(sent[:1]):
            return stream.rest(until)[0]
        stream.app.send(echo)
        stream.line.socket.settimeout(10)
        heard = stream.line.socket.recv(len(echo))
        if heard != echo:
            return heard + stream.rest(until)[0]
