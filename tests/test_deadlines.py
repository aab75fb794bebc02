"""How long the server waits: for a first byte, for the end of a head, for more of a body, for a refused sender to leave.

No test waits: the sweep that would come later is asked to come now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import serving
from asking import Line, question, request
from databases import Cluster
from endpoints.person import FORM, HOST, ORIGIN
from gateway import tokens
from gateway.deadlines import Deadlines
from gateway.endpoints import express, front
from gateway.messages import heads
from segments import Segments, ahead, connection, connections, deadlines, later, turn, waiting
from serving import COOKIE, Served

ASKED = request("GET", "/auth/traefik", question(accept=None))
HALVES: dict[str, bytes] = {
    "one byte": b"G",
    "an empty line's half": b"\r",
    "a request line": b"GET /auth/traefik HTTP/1.1\r\n",
    "all but the last byte": ASKED[:-1],
}
FORM_HEAD = f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\nContent-Type: {FORM}\r\n".encode()
BODIES: dict[str, tuple[bytes, int]] = {
    "a form that does not begin": (FORM_HEAD + b"Content-Length: 100\r\n\r\n", 408),
    "a form of a stated length": (FORM_HEAD + b"Content-Length: 100\r\n\r\npassword=", 408),
    "a form without a length": (FORM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\npass", 408),
    "a trailer": (FORM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: b", 408),
    "a body that is answered already": (b"POST" + ASKED[3:-2] + b"Content-Length: 9\r\n\r\n", 401),
}
"""A body's beginning, and what is said in all, when the rest does not come."""


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with cluster.database() as url, serving.serve(url, tmp_path_factory.mktemp("deadlines")) as started:
        yield started


async def deliver(segments: Segments, data: bytes) -> None:
    """As much as has come, with no wait for an answer."""
    segments.protocol.data_received(data)
    await turn()


def due(served: Served) -> dict[Any, float]:
    return dict(deadlines(served)._due)


@pytest.mark.parametrize("what", HALVES)
@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
def test_a_head_has_ten_seconds(served: Served, what: str, before: int) -> None:
    with Segments(served) as segments:
        segments.give([*[ASKED] * before, HALVES[what]])
        later(served, heads.PATIENCE - 1)
        assert not segments.transport.is_closing()
        later(served, heads.PATIENCE + 1)
        *earlier, answer = segments.last_answers()
    assert [one.status for one in earlier] == [401] * before
    assert (answer.status, answer["connection"], answer["cache-control"]) == (408, "close", "no-store")


def test_a_head_has_ten_seconds_from_its_first_byte_however_many_follow(served: Served) -> None:
    """A byte now and then buys no time, nor does an empty line that begins nothing."""
    with Segments(served) as head, Segments(served) as empty:
        head.give([ASKED[:1]])
        empty.give([b"\r\n"])
        before = due(served)
        head.give([ASKED[1:9], ASKED[9:10]])
        empty.give([b"\r\n", b"\r\n\r"])
        assert due(served) == before


@pytest.mark.parametrize("what", BODIES)
def test_a_body_may_pause_as_long_as_a_connection(served: Served, what: str) -> None:
    beginning, status = BODIES[what]
    with Segments(served) as segments:
        segments.give([ASKED])
        served.call(deliver(segments, beginning))
        later(served, express.KEEP_ALIVE - 1)
        assert not segments.transport.is_closing()
        later(served, express.KEEP_ALIVE + 1)
        answers = segments.last_answers()
    assert [answer.status for answer in answers] == [401, status]


def test_a_connection_that_never_says_anything_is_closed_by_the_keep_alive_time(served: Served) -> None:
    """uvicorn starts its own clock behind the first answer only."""
    with Segments(served) as silent, Segments(served) as answered, Segments(served) as busy:
        answered.give([ASKED])
        with ahead(served, express.KEEP_ALIVE - 1):
            busy.give([ASKED])
        assert not silent.transport.is_closing()
        assert not answered.transport.is_closing()
        later(served, express.KEEP_ALIVE + 1)
        assert silent.last_answers() == []
        assert [answer.status for answer in answered.last_answers()] == [401]
        assert not busy.transport.is_closing()


def test_idle_connections_are_kept_longer_than_any_proxy_keeps_them(served: Served) -> None:  # C262
    assert served._server.config.timeout_keep_alive == express.KEEP_ALIVE > 120
    with Segments(served) as segments:
        segments.give([ASKED])
        assert served.gateway.settings.server.express
        assert segments.protocol._hall.keep_alive == express.KEEP_ALIVE


def test_a_head_behind_a_question_that_waits_has_its_time_once_that_is_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not its sender who is slow; and its refusal is never the answer to the question that waits."""
    token = tokens.mint(served.gateway.cache.ring, "session", 2**39)
    cold = request("GET", "/auth/traefik", question(cookie=f"{COOKIE}={token}", accept=None))
    with waiting(served, monkeypatch) as (waits, go), Segments(served) as segments:
        served.call(deliver(segments, cold + b"GET /auth"))
        assert waits.wait(10)
        later(served, 1000)
        assert not segments.transport.is_closing()
        assert segments.protocol.flow.read_paused
        go.set()
        segments.give([])
        later(served, heads.PATIENCE + 1)
        assert [answer.status for answer in segments.last_answers()] == [401, 408]


def test_who_was_refused_may_take_the_answer_and_not_stay(served: Served) -> None:
    """Bytes that nobody reads would make TCP throw the answer away; so they are read, for a moment."""
    with Line(served.address) as line:
        line.send(b"nonsense\r\n\r\n")
        answer = line.answer()
        assert answer is not None
        assert answer.status == 400
        assert line.ended()
        line.send(b"a" * 65536)
        served.check()
        line.send(b"a" * 65536)
        refused = connection(served, line)
        later(served, front.LINGER + 1)
        served.call(turn())
        assert refused.transport.is_closing()


def test_a_refusal_is_in_the_log_under_the_id_that_was_told(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with Segments(served) as segments:
        segments.give([b"GET /secret-path\x00?token=secret HTTP/1.1\r\n\r\n"])
        (answer,) = segments.answers()
    (record,) = [record for record in caplog.records if record.name == "gateway.door"]
    assert vars(record)["request_id"] == answer["x-request-id"]
    assert "secret" not in str(vars(record))
    assert b"secret" not in answer.raw


def test_there_is_a_sweep_only_while_somebody_is_waited_for(served: Served) -> None:
    found = deadlines(served)
    with Segments(served):
        assert found._timer is not None

    async def idle() -> None:
        while connections(served):
            await turn()
        assert found._timer is not None
        found._timer.cancel()
        found._tick()

    served.call(idle())
    assert found._timer is None
    with Segments(served):
        assert found._timer is not None


class Clock:
    """Stands for a loop: it is moved by hand, and counts how often it was looked at and asked to call back."""

    def __init__(self) -> None:
        self.now, self.looks, self.calls = 1000.0, 0, 0

    def time(self) -> float:
        self.looks += 1
        return self.now

    def call_later(self, *unused: object) -> Clock:
        self.calls += 1
        return self


class Waits:
    def __init__(self) -> None:
        self.times = 0

    def expired(self) -> None:
        self.times += 1


def test_who_waits_for_a_moment_only_is_told_about_then_without_a_look_at_the_clock() -> None:
    clock, waits = Clock(), Waits()
    found = Deadlines(clock)  # type: ignore[arg-type]  # as much of a loop as it needs
    found.roughly(waits, 10)  # nobody sweeps yet, so this one looks
    assert (found._due, clock.calls) == ({waits: 1010.0}, 1)
    looks = clock.looks
    clock.now += 0.9
    found.roughly(waits, 10)
    assert (found._due, clock.looks, clock.calls) == ({waits: 1010.0}, looks, 1)
    found.sweep(1005.0)
    found.roughly(waits, 10)
    assert (found._due, clock.looks) == ({waits: 1015.0}, looks)
    found.sweep(1014.9)
    assert waits.times == 0
    found.sweep(1015.0)
    found.sweep(1100.0)
    assert waits.times == 1


def test_behind_a_quiet_time_nobody_is_told_at_once() -> None:
    """Where nothing was swept for long, the last sweep says nothing of now."""
    clock, waits = Clock(), Waits()
    found = Deadlines(clock)  # type: ignore[arg-type]  # as much of a loop as it needs
    clock.now += 500
    found.roughly(waits, 10)
    found.sweep(clock.now + 9)
    assert waits.times == 0
    found.clear(waits)
    found.sweep(clock.now + 11)
    assert waits.times == 0
