"""The connection's own bounds: whatever a stranger sends without end, memory stays as it was (C232, C252)."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

import serving
from asking import Answer, Line
from databases import Cluster
from endpoints.person import FORM, HOST, ORIGIN
from serving import Served

ENDLESS = 64 * 1024 * 1024
PART = b"a" * 65536
ROOM = 16 * 1024
"""Kilobytes by which the whole process, this test in it too, may grow meanwhile."""

FORM_HEAD = f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\nContent-Type: {FORM}\r\n"
BEGINNINGS: dict[str, tuple[str, int]] = {
    "a cookie": (f"GET /auth/traefik HTTP/1.1\r\nHost: {HOST}\r\nCookie: a=", 400),
    "the name of a header": (f"GET /auth/traefik HTTP/1.1\r\nHost: {HOST}\r\nX-", 400),
    "a target": ("GET /", 400),
    "a form of a stated length": (f"{FORM_HEAD}Content-Length: {ENDLESS}\r\n\r\npassword=", 413),
    "a form without a length": (f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n{ENDLESS:x}\r\n", 413),
    "a trailer": (f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: ", 400),
    "the size of a chunk": (f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n1;", 400),
    "a body where none is read": (
        f"POST /auth/traefik HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {ENDLESS}\r\n\r\n",
        400,
    ),
}
"""What never ends, and how it is answered."""


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
        line.send(PART + PART[:8192])
        answer = line.answer()
        assert answer is not None
        assert answer.status == status
        assert answer["cache-control"] == "no-store"
