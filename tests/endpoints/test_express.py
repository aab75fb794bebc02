"""What uvicorn promises holds in the express door, too: over real sockets, with whoever has the connection looked at."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

import serving
from asking import Answer, Line, ask, question, request
from databases import Cluster
from endpoints.person import FORM, HOST, ORIGIN
from gateway import tokens
from gateway.endpoints import express
from gateway.endpoints.express import ExpressProtocol
from gateway.endpoints.front import FrontProtocol
from gateway.services import keyring, sessions, users
from gateway.settings import Trust
from gateway.storage import migrate, ringfile
from segments import Segments, ahead, connections, deadlines, later, turn, waiting
from serving import COOKIE, Served

ASKED = request("GET", "/auth/traefik", question(accept=None))
PAGE = request("GET", "/login", {"Host": HOST, "Accept": "text/html"})
FORM_HEAD = f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\nContent-Type: {FORM}\r\n"


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with cluster.database() as url, serving.serve(url, tmp_path_factory.mktemp("express")) as started:
        yield started


@pytest.fixture
def own(cluster: Cluster, tmp_path: Path) -> Iterator[Served]:
    """A gateway that a test may break or end."""
    with cluster.database() as url, serving.serve(url, tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def alice(served: Served) -> str:
    served.user("alice", ["users"])
    cookie = served.session("alice")[1]
    assert served.check(cookie=cookie).status == 200
    return cookie


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who answered, in order: "again" and "express" before an ASGI scope existed, "front" behind one."""
    noted: list[str] = []

    def noting(kind: type, name: str, word: str) -> None:
        method = getattr(kind, name)

        def noted_one(self: Any, *given: Any) -> Any:
            noted.append(word)
            done = method(self, *given)
            if done is False:
                noted.pop()
            return done

        monkeypatch.setattr(kind, name, noted_one)

    noting(ExpressProtocol, "_answered_again", "again")
    noting(ExpressProtocol, "_answered_anew", "express")
    noting(FrontProtocol, "on_response_complete", "front")
    return noted


def cold(served: Served, **how: Any) -> bytes:
    """A question that memory cannot answer: a token that was signed, and given to nobody."""
    token = tokens.mint(served.gateway.cache.ring, "session", 2**39)
    return request("GET", "/auth/traefik", question(cookie=f"{COOKIE}={token}", accept=None, **how))


def warm(cookie: str, uri: str = "/", **how: Any) -> bytes:
    """A question of somebody whom memory knows."""
    return request("GET", "/auth/traefik", question(uri=uri, cookie=cookie, **how))


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await turn()


# Handing over, and taking back ----------------------------------------------------------------------------------------


def test_a_connection_goes_over_and_comes_back_behind_each_message(
    served: Served, alice: str, by: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served.check(cookie=alice)
    by.clear()
    with Segments(served) as segments:
        mine = segments.protocol
        for message in (
            warm(alice),
            cold(served),
            warm(alice, "/x"),
            PAGE,
            warm(alice, "/y"),
            PAGE + PAGE,
            warm(alice),
        ):
            segments.give([message])
            assert segments.protocol is mine
            assert connections(served) >= {mine}
            assert mine._front not in connections(served)
            assert mine in deadlines(served)._due
            assert mine._front not in deadlines(served)._due
        answers = segments.answers()
    assert by == ["again", "front", "again", "front", "again", "front", "front", "again"]
    assert statuses(answers) == [200, 401, 200, 200, 200, 200, 200, 200]
    assert [answer.get("remote-user") for answer in answers] == [
        "alice",
        None,
        "alice",
        None,
        "alice",
        None,
        None,
        "alice",
    ]


@pytest.mark.parametrize("before", [[], [PAGE]], ids=["the first time", "the second time"])
def test_the_front_has_the_connection_while_its_answer_is_made(
    served: Served, alice: str, by: list[str], monkeypatch: pytest.MonkeyPatch, before: list[bytes]
) -> None:
    """A question behind one that waits is answered behind it, and in the same room."""
    with waiting(served, monkeypatch) as (waits, go), Segments(served) as segments:
        mine = segments.protocol
        segments.give(before)
        by.clear()
        segments.line.send(cold(served))
        assert waits.wait(10)
        assert isinstance(segments.protocol, FrontProtocol)
        assert segments.protocol in connections(served)
        assert mine not in connections(served)
        segments.line.send(warm(alice))
        served.call(asyncio.wait_for(until(lambda: segments.protocol.flow.read_paused), 10))  # it is read, and waits
        go.set()
        *_, first, second = (segments.line.answer() for _ in range(len(before) + 2))
        assert first is not None
        assert second is not None
        assert (first.status, second.status) == (401, 200)
        served.call(asyncio.wait_for(until(lambda: segments.protocol is mine), 10))
    assert by[:2] == ["front", "front"]


def test_half_a_message_behind_a_question_goes_with_it(served: Served, alice: str, by: list[str]) -> None:
    """They came in one piece, so they are read by one reader, until nothing of them is left."""
    with Segments(served) as segments:
        segments.give([warm(alice) + ASKED[:40]])
        assert isinstance(segments.protocol, FrontProtocol)
        segments.give([ASKED[40:]])
        assert isinstance(segments.protocol, ExpressProtocol)
        segments.give([ASKED])
        assert statuses(segments.answers()) == [200, 401, 401]
    assert by[:2] == ["front", "front"]
    assert "front" not in by[2:]


BODIES: dict[str, tuple[bytes, list[int]]] = {
    "a body that spells a question": (
        request("POST", "/auth/traefik", [*question(accept=None), ("Content-Length", str(len(ASKED)))]) + ASKED,
        [401],
    ),
    "a body in chunks": (
        request("POST", "/auth/traefik", [*question(accept=None), ("Transfer-Encoding", "chunked")]) + b"0\r\n\r\n",
        [401],
    ),
    "a body of one byte": (
        request("GET", "/auth/traefik", [*question(accept=None), ("Content-Length", "1")]) + b"x",
        [401],
    ),
    "a form": (f"{FORM_HEAD}Content-Length: 9\r\n\r\nuser=a&b=".encode(), [403]),
    "a form that is too large": (f"{FORM_HEAD}Content-Length: 20000\r\n\r\n".encode() + b"a" * 20_000, [413]),
    "what waits to be told to go on, and has nothing": (
        request("GET", "/auth/traefik", [*question(accept=None), ("Expect", "100-continue")]),
        [401],
    ),
}
"""What was read with a body, or might have been, and how it is answered."""


@pytest.mark.parametrize("what", BODIES)
def test_behind_a_body_a_connection_never_comes_back(served: Served, alice: str, by: list[str], what: str) -> None:
    message, status = BODIES[what]
    with Segments(served) as segments:
        segments.give([message, warm(alice), warm(alice), warm(alice)])
        assert isinstance(segments.protocol, FrontProtocol)
        assert statuses(segments.answers()) == [*status, 200, 200, 200]
    assert set(by) == {"front"}


@pytest.mark.parametrize("cut", [0, 1, 700])
def test_a_body_that_comes_behind_its_answer_is_no_question(
    served: Served, alice: str, by: list[str], cut: int
) -> None:
    """It is refused early, for its length; what it says then is a question with a living cookie, in segments of its own."""
    spelled = warm(alice)
    body = b"a" * 17_000 + spelled * 50
    head = f"{FORM_HEAD}Content-Length: {len(body)}\r\n\r\n".encode()
    with Segments(served) as segments:
        segments.give([head + body[:17_000]])
        first = segments.line.answer()
        assert first is not None
        assert first.status == 413
        rest = body[17_000 + cut :]
        segments.give([body[17_000 : 17_000 + cut]] if cut else [])
        segments.give(rest[at : at + len(spelled)] for at in range(0, len(rest), len(spelled)))
        assert isinstance(segments.protocol, FrontProtocol)
        segments.give([ASKED])
        assert statuses(segments.answers()) == [401]
    assert set(by) == {"front"}


# The end of a connection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [0, 2], ids=["anew", "again"])
def test_who_wants_it_closed_is_answered_and_closed(served: Served, alice: str, by: list[str], seen: int) -> None:
    sent = warm(alice, more=[("Connection", "close"), ("X-Seen", str(seen))])
    for _ in range(seen):
        ask(served.address, sent)
    by.clear()
    with Line(served.address) as line:
        line.send(sent)
        answer = line.answer()
        assert answer is not None
        assert (answer.status, answer["connection"]) == (200, "close")
        assert line.ended()
    assert by == ["again" if seen else "express"]


def test_http_1_0_is_answered_once(served: Served, alice: str, by: list[str]) -> None:
    with Line(served.address) as line:
        line.send(warm(alice, more=[("Connection", "keep-alive")]).replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = line.answer()
        assert answer is not None
        assert (answer.status, answer["connection"]) == (200, "close")
        assert line.ended()
    assert by == ["front"]


def test_behind_an_upgrade_nothing_is_read_by_anybody(served: Served, alice: str, by: list[str]) -> None:
    served.check(cookie=alice)
    by.clear()
    with Segments(served) as segments:
        upgrade = warm(alice, more=[("Connection", "Upgrade"), ("Upgrade", "websocket")])
        segments.give([warm(alice), upgrade, warm(alice)])
        assert statuses(segments.last_answers()) == [200, 200]
    assert by == ["again", "front"]


def test_every_answer_says_the_date_of_its_second(served: Served, by: list[str]) -> None:
    """uvicorn makes those headers anew each second, and adds them to every answer."""

    async def tick(second: bytes) -> None:
        served._server.server_state.default_headers = [(b"date", second)]
        segments.protocol.data_received(ASKED)

    with Segments(served) as segments:
        served.call(tick(b"one"))
        served.call(tick(b"two"))
        assert [answer["date"] for answer in segments.answers()] == ["one", "two"]
    assert "front" not in by


@pytest.mark.parametrize("seen", [0, 2], ids=["anew", "again"])
def test_head_is_answered_without_a_body_and_the_next_question_is_its_own(
    served: Served, by: list[str], seen: int
) -> None:
    got = request("GET", "/auth/traefik", question(accept=None, more=[("X-Seen", f"head{seen}")]))
    head = b"HEAD" + got[3:]
    for _ in range(seen):
        ask(served.address, head)
    by.clear()
    with Line(served.address) as line:
        line.send(head)
        first = line.answer(head=True)
        line.send(got)
        second = line.answer()
        assert first is not None
        assert second is not None
        assert (first.status, second.status) == (401, 401)
        assert first["content-length"] == second["content-length"] == str(len(second.body))
    assert by == ["again" if seen else "express", "express"]


def test_the_time_of_an_idle_connection_runs_from_its_last_answer(served: Served) -> None:
    with Segments(served) as segments:
        with ahead(served, 100):
            segments.give([ASKED])
        later(served, express.KEEP_ALIVE + 1)
        assert not segments.transport.is_closing()
        later(served, 100 + express.KEEP_ALIVE + 1)
        assert segments.transport.is_closing()
        assert statuses(segments.last_answers()) == [401]


def test_a_peer_that_has_no_more_to_say_is_answered(served: Served, alice: str, by: list[str]) -> None:
    """It closed its half behind its question, and still listens."""
    with Line(served.address) as line:
        line.send(warm(alice))
        line.socket.shutdown(socket.SHUT_WR)
        answer = line.answer()
        assert answer is not None
        assert answer.status == 200
        assert line.ended()
    assert by[0] != "front"


# A peer that does not read --------------------------------------------------------------------------------------------


def numbered(number: int) -> bytes:
    """A person's question, whose answer says where they wanted to go."""
    return request("GET", "/auth/traefik", question(uri=f"/{number}?{'a' * 600}"))


def wanted(served: Served, answer: Answer) -> int:
    token = answer["location"].partition("?rd=")[2]
    payload = tokens.verify(served.gateway.cache.ring, "return", token, served.gateway.ground.wall())
    assert payload is not None
    return int(payload.decode().partition("example.com/")[2].partition("?")[0])


async def fill(segments: Segments) -> int:
    """Ask until the server's end waits for the peer to read; how many questions that took."""
    protocol = segments.protocol
    assert isinstance(protocol, ExpressProtocol)
    for number in range(100_000):
        protocol.data_received(numbered(number))
        if protocol._paused:
            return number + 1
        await turn()  # what the kernel takes is taken now
    raise AssertionError("it was never made to wait")


def test_who_does_not_read_is_not_listened_to_and_gets_every_answer_in_order_when_it_reads(served: Served) -> None:
    with Segments(served) as segments:
        protocol, transport = segments.protocol, segments.transport
        asked = served.call(fill(segments))
        assert not transport.is_reading()
        assert transport.get_write_buffer_size() < 2 * transport.get_write_buffer_limits()[1] + 4096
        for number in range(asked, asked + 20):  # these wait in the kernel
            segments.line.send(numbered(number))
        size = transport.get_write_buffer_size()
        served.check()  # the server had its turn, and has taken none of them
        assert transport.get_write_buffer_size() <= size
        assert [
            wanted(served, answer) for answer in (segments.line.answer() for _ in range(asked + 20)) if answer
        ] == list(range(asked + 20))
        assert transport.is_reading()
        served.call(asyncio.wait_for(until(lambda: segments.protocol is protocol), 10))


def test_who_never_reads_is_cut_off_by_the_keep_alive_time(served: Served) -> None:
    with Segments(served) as segments:
        protocol = segments.protocol
        served.call(fill(segments))
        later(served, express.KEEP_ALIVE - 1)
        assert not segments.transport.is_closing()
        later(served, express.KEEP_ALIVE + 1)
        served.call(asyncio.wait_for(until(lambda: protocol not in connections(served)), 10))
        assert segments.transport.get_write_buffer_size() == 0


def test_who_never_reads_is_cut_off_by_the_keep_alive_time_at_the_front_too(served: Served) -> None:
    with Segments(served) as segments:
        pour(served, segments.line.socket, segments.transport)
        protocol = segments.protocol
        assert isinstance(protocol, FrontProtocol)
        later(served, express.KEEP_ALIVE - 1)
        assert not segments.transport.is_closing()
        later(served, express.KEEP_ALIVE + 1)
        served.call(asyncio.wait_for(until(lambda: protocol not in connections(served)), 10))


def test_who_did_not_read_for_a_moment_keeps_the_connection(served: Served) -> None:
    """The time runs from the last answer that was written, not from when the connection came."""
    with Segments(served) as segments:
        with ahead(served, 100):
            served.call(fill(segments))
        later(served, express.KEEP_ALIVE + 1)
        assert not segments.transport.is_closing()
        later(served, 100 + express.KEEP_ALIVE + 1)
        assert segments.transport.is_closing()


def test_thousands_of_questions_at_once_of_a_peer_that_does_not_read_take_no_memory(served: Served) -> None:
    """However they are cut into segments, whoever of the two answers them."""
    with Segments(served) as segments:
        pour(served, segments.line.socket, segments.transport)
        assert segments.transport.get_write_buffer_size() < 512 * 1024


def pour(served: Served, peer: socket.socket, transport: asyncio.Transport) -> None:
    """Send until the server reads no more because its answers are not taken; a hundred megabytes at most."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setblocking(False)
    left = bytearray()
    for number in range(150_000):
        left += numbered(number)
        try:
            del left[: peer.send(left)]
        except BlockingIOError:
            if (
                not transport.is_reading()
                and transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]
            ):
                return
            served.call(turn())
    raise AssertionError("it read on and on")


# The end of the server ------------------------------------------------------------------------------------------------


def test_a_server_that_ends_closes_who_is_idle_and_answers_who_waits(
    own: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with waiting(own, monkeypatch) as (waits, go), Line(own.address) as idle, Line(own.address) as asking:
        idle.send(ASKED)
        answer = idle.answer()
        assert answer is not None
        asking.send(cold(own))
        assert waits.wait(10)
        own._server.should_exit = True
        assert idle.ended()
        go.set()
        last = asking.answer()
        assert last is not None
        assert (last.status, last["connection"]) == (401, "close")
        assert asking.ended()
    own.stop()
    assert not connections(own)


# Sockets, settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trusted", "status"), [(True, 401), (False, 403)])
def test_a_unix_socket_is_answered_at_once_and_believed_if_it_is_trusted(
    cluster: Cluster, tmp_path: Path, by: list[str], trusted: bool, status: int
) -> None:
    chosen = serving.settings(tmp_path, trust=Trust(proxies=(ip_network("127.0.0.1"),), unix=trusted))
    with cluster.database() as url, on_unix_socket(url, tmp_path, chosen):
        path = str(tmp_path / "g.sock")
        assert [ask(path, ASKED).status for _ in range(2)] == [status] * 2
        assert by == (["express", "again"] if trusted else ["express", "express"])


@contextmanager
def on_unix_socket(url: str, directory: Path, chosen: Any) -> Iterator[Served]:
    with migrate.connect(url) as connected:
        ring = ringfile.open_ring(chosen.server.keys_file, connected)
    served = Served(chosen, ring, url)
    served._listener.close()
    served._listener = socket.socket(socket.AF_UNIX)
    served._listener.bind(str(directory / "g.sock"))
    served.start()
    try:
        served.policy(serving.APPS)
        served.heard()
        yield served
    finally:
        served.stop()


def test_the_internal_socket_has_no_hot_door(served: Served, alice: str, by: list[str]) -> None:
    """Not even for a head that was read before on the other socket."""
    sent = warm(alice)
    assert [ask(served.address, sent).status for _ in range(2)] == [200, 200]
    by.clear()
    with Line(served.internal) as line:
        for _ in range(3):
            line.send(sent)
            answer = line.answer()
            assert answer is not None
            assert answer.status == 404
    served.call(turn())
    assert by == ["front"] * 3


def test_the_express_door_can_be_turned_off(cluster: Cluster, tmp_path: Path, by: list[str]) -> None:
    usual = serving.settings(tmp_path)
    chosen = replace(usual, server=replace(usual.server, express=False))
    with cluster.database() as url, serving.serve(url, tmp_path, chosen) as own, Segments(own) as segments:
        by.clear()
        segments.give([ASKED, ASKED])
        assert isinstance(segments.protocol, FrontProtocol)
        assert segments.protocol.give_back is None
        assert statuses(segments.answers()) == [401, 401]
    assert by == ["front", "front"]


# Counting -------------------------------------------------------------------------------------------------------------


def test_answers_are_counted_alike_by_either_door(served: Served, alice: str, by: list[str]) -> None:
    """The same questions, in segments of their own and two at once, which is not for the express door."""
    malformed = request("GET", "/auth/traefik", [("X-Forwarded-Method", "get")])
    asked = [
        warm(alice),
        ASKED,
        request("GET", "/auth/traefik", question("admin.example.com", cookie=alice)),
        malformed,
    ]
    for message in asked:
        ask(served.address, message)
    with Segments(served) as segments:
        before = counts(served)
        segments.give(asked)
        between = counts(served)
        assert "front" not in by
        by.clear()
        segments.give([b"".join(asked)])
        after = counts(served)
        assert by == ["front"] * 4
    assert growth(before, between) == growth(between, after)
    assert growth(before, between) == {
        "requests": 4,
        "hits": 3,
        **{(outcome, "traefik"): 1 for outcome in ("allow", "challenge", "deny", "malformed")},
    }


def test_a_cold_question_is_one_miss_and_no_hit(served: Served) -> None:
    message, before = cold(served), counts(served)
    assert ask(served.address, message).status == 401
    assert growth(before, counts(served)) == {"requests": 1, "misses": 1, ("challenge", "traefik"): 1}


def counts(served: Served) -> dict[Any, int]:
    """Once whoever answered has had the end of its turn, which may come behind the last byte of its answer."""
    served.call(turn())
    cache = served.gateway.cache
    own = {"requests": served._server.server_state.total_requests, "hits": cache.hits, "misses": cache.misses}
    return own | cache.counters


def growth(before: dict[Any, int], after: dict[Any, int]) -> dict[Any, int]:
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


# A head that was read before, of somebody who may not any more ---------------------------------------------------------


@dataclass
class Known:
    """Alice, whose head was read before on a connection that is still open."""

    own: Served
    number: int
    cookie: str
    key: str


def revoke(known: Known) -> None:
    known.own.call(sessions.revoke(known.own.gateway.ground, "test", known.number))


def disable(known: Known) -> None:
    known.own.call(users.disable(known.own.gateway.ground, "test", "alice"))


def regroup(known: Known) -> None:
    known.own.call(users.set_groups(known.own.gateway.ground, "test", "alice", []))


def deny(known: Known) -> None:
    known.own.policy(serving.APPS.replace("- {policy: one_factor}", "- {policy: deny}"))


def withdraw(known: Known) -> None:
    file = known.own.gateway.settings.server.keys_file
    known.own.call(keyring.replace(known.own.gateway.ground, "test", file))


CHANGES: dict[str, tuple[Callable[[Known], None], int]] = {
    "the session was revoked": (revoke, 401),
    "the user was disabled": (disable, 401),
    "the user left the group": (regroup, 403),
    "the policy changed": (deny, 403),
    "the key that signed it was withdrawn": (withdraw, 401),
}
GROUPED = serving.APPS.replace("- {policy: one_factor}", "- {policy: one_factor, groups: [users]}")


@pytest.mark.parametrize("change", CHANGES)
def test_a_head_that_was_read_before_lets_nobody_in_any_more_once(own: Served, by: list[str], change: str) -> None:
    known, (make, status) = acquainted(own), CHANGES[change]
    own.policy(GROUPED)
    own.heard()
    sent = warm(known.cookie, accept=None)
    with Segments(own) as segments:
        for _ in range(3):
            segments.give([sent])
        assert by[-1] == "again"
        by.clear()
        make(known)
        segments.give([sent])
        assert "again" not in by
        assert statuses(segments.answers()) == [200, 200, 200, status]


def acquainted(own: Served) -> Known:
    own.user("alice", ["users"])
    number, cookie = own.session("alice")
    return Known(own, number, cookie, own.key("alice")[1])


def test_a_head_that_was_read_before_is_asked_about_when_memory_is_not_believed(own: Served, by: list[str]) -> None:
    """Deaf, and with a store that answers: it is asked, at each question."""
    known = acquainted(own)
    sent = warm(known.cookie)
    with Segments(own) as segments:
        for _ in range(3):
            segments.give([sent])
        assert by[-1] == "again"
        by.clear()
        before = own.queries()["recall"]

        async def deaf() -> None:
            own.gateway.cache._lease = float("-inf")  # the next heartbeat comes when this has had its turn
            segments.protocol.data_received(sent)

        own.call(deaf())
        segments.give([])
        assert by == ["front"]
        assert own.queries()["recall"] == before + 1
        assert statuses(segments.answers()) == [200] * 4
