"""The connection's own bounds: whatever a stranger sends, without end or without sense, the server stays as it was."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import serving
from arrivals import Arrivals, arrivals
from asking import Answer, Line, question, request
from databases import Cluster
from endpoints.person import FORM, HOST, ORIGIN
from gateway.endpoints.express import ExpressProtocol
from segments import Segments, deadlines, later, turn
from serving import Served

ENDLESS = 64 * 1024 * 1024
PART = b"a" * 65536
ROOM = 16 * 1024
"""Kilobytes by which the whole process, this test in it too, may grow meanwhile."""

FORM_HEAD = f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\nContent-Type: {FORM}\r\n"
BEGINNINGS: dict[str, tuple[str, int]] = {
    "a cookie": (f"GET /auth/traefik HTTP/1.1\r\nHost: {HOST}\r\nCookie: a=", 431),
    "the name of a header": (f"GET /auth/traefik HTTP/1.1\r\nHost: {HOST}\r\nX-", 431),
    "a target": ("GET /", 431),
    "a form of a stated length": (f"{FORM_HEAD}Content-Length: {ENDLESS}\r\n\r\npassword=", 413),
    "a form without a length": (f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n{ENDLESS:x}\r\n", 413),
    "a trailer": (f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: ", 431),
    "the size of a chunk": (f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n1;", 400),
    "a body where none is read": (
        f"POST /auth/traefik HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {ENDLESS}\r\n\r\n",
        400,
    ),
}
"""What never ends, and how it is answered."""

ASKED = request("GET", "/auth/traefik", question(accept=None))


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with cluster.database() as url, serving.serve(url, tmp_path_factory.mktemp("express")) as started:
        yield started


def peak() -> int:
    """The most memory this process has had, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def pour(line: Line, beginning: str) -> Answer | None:
    """Send, and send more, until all is sent or the server has hung up; what it said."""
    line.send(beginning.encode())
    try:
        for _ in range(ENDLESS // len(PART)):
            line.send(PART)
    except (BrokenPipeError, ConnectionResetError):
        return None  # its answer may have gone with the connection
    return line.answer()


@pytest.mark.parametrize("what", BEGINNINGS)
def test_what_never_ends_takes_no_memory(served: Served, what: str) -> None:
    beginning, status = BEGINNINGS[what]
    assert served.check().status == 302
    before = peak()
    with Line(served.address) as line:
        answer = pour(line, beginning)
    assert peak() - before < ROOM
    assert answer is None or answer.status == status
    assert served.check().status == 302


@pytest.mark.parametrize("what", ["a cookie", "the name of a header", "a target", "a form of a stated length"])
def test_what_never_ends_is_refused_as_soon_as_it_is_too_long(served: Served, what: str) -> None:
    beginning, status = BEGINNINGS[what]
    with Line(served.address) as line:
        line.send(beginning.encode())
        line.send(PART[:17_000])
        answer = line.answer()
        assert answer is not None
        assert answer.status == status
        assert answer["cache-control"] == "no-store"


def test_many_questions_at_once_wait_for_their_turn_in_a_bounded_place(served: Served) -> None:
    """What waits behind an answer is what was read at once, and no more is read meanwhile."""
    with Segments(served) as segments:
        segments.give([ASKED * 500, ASKED * 500])
        assert isinstance(segments.protocol, ExpressProtocol)  # it has come back
        assert [answer.status for answer in segments.answers()] == [401] * 1000


def test_a_connection_that_was_given_back_keeps_nothing_of_what_was_asked(served: Served) -> None:
    """A proxy keeps its connections for days."""
    with Segments(served) as segments:
        segments.give([request("GET", "/auth/traefik", question(more=[("Cookie", "a=secret"), ("X-Tab", "a\tb")]))])
        assert isinstance(segments.protocol, ExpressProtocol)
        front = segments.protocol._front
        assert front is not None
        assert "secret" not in repr([vars(front), vars(front.cycle or front)])
        segments.give([ASKED, ASKED[:20], ASKED[20:]])
        assert [answer.status for answer in segments.answers()] == [302, 401, 401]


# Nothing is left -------------------------------------------------------------------------------------------------------


def test_a_thousand_connections_that_come_and_go_leave_nothing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:  # C264
    states = [
        b"",
        ASKED[:20],
        ASKED,
        ASKED + ASKED[:20],
        ASKED * 3,
        FORM_HEAD.encode() + b"Content-Length: 9\r\n\r\nuser",
        b"nonsense\r\n\r\n",
    ]
    for start in range(0, 1000, 100):
        lines = [Line(served.address) for _ in range(100)]
        for number, line in enumerate(lines, start):
            line.send(states[number % len(states)])
        for line in lines:
            line.close()
    state = served._server.server_state

    async def gone() -> None:
        while state.connections or state.tasks:
            await turn()

    served.call(asyncio.wait_for(gone(), 20))
    assert not deadlines(served)._due
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# Whatever is sent -----------------------------------------------------------------------------------------------------


class Refusals(logging.Handler):
    """Every log line that has a traceback, or says that something is wrong here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.wrong: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.wrong.append(record)


@pytest.fixture
def wrong() -> Iterator[list[logging.LogRecord]]:
    handler = Refusals()
    logging.getLogger().addHandler(handler)
    yield handler.wrong
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def alice(served: Served) -> str:
    served.user("alice", ["users"])
    cookie = served.session("alice")[1]
    assert served.check(cookie=cookie).status == 200
    return cookie


CUTS = st.lists(st.integers(0, 4000), max_size=12)
GOOD = st.lists(
    st.sampled_from(["known", "unknown", "forged", "head", "post", "chunked", "form", "elsewhere"]),
    min_size=1,
    max_size=8,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    return [data[start:stop] for start, stop in pairwise(at)]


def good(cookie: str) -> dict[str, tuple[bytes, int]]:
    """Messages that can be read, and how each is answered. No HEAD: its answer has no end that a test could see."""
    known = request("GET", "/auth/traefik", question(cookie=cookie))
    return {
        "known": (known, 200),
        "unknown": (ASKED, 401),
        "forged": (request("GET", "/auth/traefik", question(cookie=cookie[:-1] + "!", accept=None)), 401),
        "head": (known.replace(b"\r\n\r\n", b"\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n"), 200),
        "post": (
            ASKED.replace(b"GET", b"POST", 1).replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(known))
            + known,
            401,
        ),
        "chunked": (
            ASKED.replace(b"GET", b"POST", 1).replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
            + b"%x\r\n%b\r\n0\r\nCookie: %b\r\n\r\n" % (len(known), known, cookie.encode()),
            401,
        ),
        "form": (f"{FORM_HEAD}Content-Length: 9\r\n\r\nuser=a&b=".encode(), 403),
        "elsewhere": (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    }


@given(names=GOOD, cuts=CUTS)
@settings(max_examples=150, deadline=None)
def test_any_split_of_any_sequence_of_good_requests_is_answered_in_order(
    served: Served, alice: str, names: list[str], cuts: list[int]
) -> None:
    messages = good(alice)
    with Segments(served) as segments:
        segments.give(pieces(b"".join(messages[name][0] for name in names), cuts))
        answers = segments.answers()
    assert [answer.status for answer in answers] == [messages[name][1] for name in names]
    assert all(answer.get("remote-user") == ("alice" if answer.status == 200 else None) for answer in answers)


FRAGMENTS = [
    *(ASKED, ASKED[:-2], FORM_HEAD.encode(), b"GET /", b"GET /auth/traefik HTTP/1.1\r\n", b"POST /login HTTP/1.1\r\n"),
    *(b"CONNECT / HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n", b"PRI * HTTP/2.0", b" RTSP/1.0\r\n", b"//", b"/%", b"#", b"?"),
    *(b"Host: x\r\n", b"Host:", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\nUpgrade: x\r\n",
        b"Upgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"0\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"5;a\r\nhello\r\n", b"fffffff\r\n", b"X" * 9000, b"X-A: b\r\n" * 60),
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b": ", b";", b"\xff"),
]
"""What messages are made of, and what they should not be made of. Nothing here lets anybody in."""
PIECES = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=4).map(b"".join)
FIELDS = [
    *(b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\nUpgrade: x\r\n",
        b"Expect: 100-continue\r\n",
        b"X-A: b\r\n" * 60,
    ),
]
POSTED = b"POST" + ASKED[3:-2]
MESSAGES = st.tuples(
    st.sampled_from([ASKED[:-2], POSTED, FORM_HEAD.encode(), b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n"]),
    st.lists(st.sampled_from(FIELDS), max_size=2).map(b"".join),
    st.sampled_from([b"\r\n"] * 6 + [b"", b"\n"]),
    st.sampled_from([b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", b"0\r\n"]),
    st.just(b"") | PIECES,
).map(b"".join)
ANYTHING = st.binary(max_size=200) | PIECES | st.lists(MESSAGES, max_size=4).map(b"".join)


@pytest.fixture(scope="module")
def arrived(served: Served) -> Iterator[Arrivals]:
    with arrivals(served) as noted:
        yield noted


@given(data=ANYTHING, cuts=CUTS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_opens_nothing_and_is_read_in_one_way_however_it_is_cut(
    served: Served, arrived: Arrivals, wrong: list[logging.LogRecord], data: bytes, cuts: list[int]
) -> None:
    """Only the last answer may depend on the cut: a body can break off before or behind an answer that did not wait."""
    wrong.clear()
    whole, whole_arrived = said(served, arrived, [data])
    cut, cut_arrived = said(served, arrived, pieces(data, cuts))
    assert whole_arrived == cut_arrived
    assert (len(whole), whole[:-1]) == (len(cut), cut[:-1])
    assert 200 not in {*whole, *cut}
    assert served.check().status == 302
    assert not wrong, (wrong[0].getMessage(), repr(wrong[0].exc_info))


def said(served: Served, arrived: Arrivals, given: list[bytes]) -> tuple[list[int], list[tuple[Any, ...]]]:
    """The statuses of all answers, and what came to a door; what did not end is expired."""
    arrived.requests.clear()
    with Segments(served) as segments:
        segments.give(given)
        later(served, 1000)
        final = [answer.status for answer in segments.answers() if answer.status != 100]
        return final, list(arrived.requests)
