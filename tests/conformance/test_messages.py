"""One message, one reading: raw bytes in the segments that a row gives, and exactly the answers that it says.

What came to a door is counted there, whatever the socket shows; and every question, cut at every byte, is the same one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

from arrivals import Arrivals, arrivals
from asking import Answer, Line, ask, question, request
from conformance.gateways import Gateway, gateways
from conformance.messages import DOORS, REFUSED, asked, cases, filled, head, words
from conformance.test_cases import assert_same_head, assert_sound
from conformance.vectors import Row, fill
from databases import Cluster
from endpoints.person import HOST
from gateway import tokens
from gateway.endpoints.front import FrontProtocol
from gateway.messages import heads
from segments import Segments, connection
from serving import COOKIE

CASES = list(cases())
HOT = [name for name in DOORS if name != "portal"]
QUESTION = "GET {path} HTTP/1.1\r\n{question}\r\n"


@pytest.fixture(scope="module")
def gateway(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """On uvloop, as ``gateway serve`` runs; other tests have asyncio's own loop."""
    with gateways(cluster, tmp_path_factory.mktemp("messages")) as made:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "run", uvloop.run)
            usual = made["usual"]
        assert isinstance(usual.served.loop, uvloop.Loop)
        yield usual


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A message that cannot be read is no fault of the server: no traceback, no error."""
    yield
    assert not [record for record in caplog.get_records("call") if record.exc_info or record.levelno >= logging.ERROR]


@pytest.fixture
def visits(gateway: Gateway) -> Iterator[Arrivals]:
    with arrivals(gateway.served) as noted:
        yield noted


@pytest.mark.parametrize(("row", "door"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_message_is_read_in_one_way(gateway: Gateway, visits: Arrivals, row: Row, door: str) -> None:
    segments = filled(gateway, door, row["segments"])
    expected = [said if isinstance(said, int) else getattr(DOORS[door], said) for said in row["status"]]
    visits.requests.clear()
    with Line(gateway.served.address) as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = talk(line, segments, len(expected), head=row.get("head", False))
        assert [answer.status for answer in answers] == expected
        assert not row.get("closed") or line.ended()
    for answer in answers:
        assert_answered_well(answer, door, head=row.get("head", False))
    gateway.served.call(asyncio.sleep(0))  # a message that was let in has come to its door by now, refused or not
    assert len(visits.requests) == row.get("let_in", len([status for status in expected if status not in REFUSED]))


def talk(line: Line, segments: list[bytes], count: int, *, head: bool) -> list[Answer]:
    """Send the segments, each when the one before has been answered as far as it will be; the answers in order."""
    answers: list[Answer] = []
    for segment in segments:
        try:
            line.send(segment)
        except (BrokenPipeError, ConnectionResetError):
            break  # it was closed upon us, which the row expects or not
        whole = segment.endswith(b"\r\n\r\n") or segment is segments[-1]
        while whole and len(answers) < count and (answer := line.answer(head=head)):
            answers.append(answer)
            if segment is not segments[-1]:
                break
    return answers


def assert_answered_well(answer: Answer, door: str, *, head: bool = False) -> None:
    if answer.status in REFUSED:
        assert answer["connection"] == "close"
        assert answer["content-type"] == "application/problem+json"
        assert json.loads(answer.body)["request_id"] == answer["x-request-id"]
    if answer.status in REFUSED or door != "portal":
        assert_sound(answer, head=head)


@pytest.mark.parametrize("door", DOORS)
def test_a_question_cut_at_any_byte_is_the_same_question(gateway: Gateway, door: str) -> None:
    whole = filled(gateway, door, [QUESTION])[0]
    with Segments(gateway.served) as segments:
        segments.give(piece for cut in range(len(whole) + 1) for piece in (whole[:cut], whole[cut:]) if piece)
        answers = segments.answers()
    assert [answer.status for answer in answers] == [DOORS[door].known] * (len(whole) + 1)
    assert door == "portal" or {answer["remote-user"] for answer in answers} == {"alice"}


@pytest.mark.parametrize("door", DOORS)
def test_a_question_in_single_bytes_is_the_same_question(gateway: Gateway, door: str) -> None:
    whole = filled(gateway, door, [QUESTION])[0]
    with Segments(gateway.served) as segments:
        segments.give(whole[at : at + 1] for at in range(len(whole)))
        assert [answer.status for answer in segments.answers()] == [DOORS[door].known]


@pytest.mark.parametrize("door", HOT)
def test_pipelined_questions_are_answered_in_order_each_to_its_own(gateway: Gateway, door: str) -> None:  # C259
    people = ["alice", "bob", None, "bob", "alice"]
    with Line(gateway.served.address) as line:
        line.send(b"".join(ask_as(gateway, door, person) for person in people))
        answers = [line.answer() for _ in people]
    assert [answer and answer.get("remote-user") for answer in answers] == people


def ask_as(gateway: Gateway, door: str, person: str | None) -> bytes:
    cookie = person and fill(f"{{cookie}}={{{person}}}", gateway.words)
    return f"GET {DOORS[door].path} HTTP/1.1\r\n{head(asked(door, cookie), DOORS[door].host)}\r\n".encode()


@pytest.mark.parametrize("person", ["alice", None])
@pytest.mark.parametrize("door", HOT)
def test_a_door_answers_head_as_get_without_a_body(gateway: Gateway, door: str, person: str | None) -> None:  # C256
    got = ask_as(gateway, door, person)
    answer = ask(gateway.served.address, b"HEAD" + got.removeprefix(b"GET"))
    assert_sound(answer, head=True)
    assert_same_head(answer, ask(gateway.served.address, got))


TWICE = [
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Original-URL",
    "X-Original-Host",
    "Authorization",
]


@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("door", HOT)
def test_what_stood_before_the_proxy_is_told_once(gateway: Gateway, door: str, name: str) -> None:
    """Whichever of these a dialect reads: the one that it does not read may be the one that the app reads."""
    said = [(name, "203.0.113.9"), (name.lower(), "203.0.113.9")]
    sent = [pair for pair in asked(door, fill("{cookie}={alice}", gateway.words)) if pair[0] != name] + said
    answer = ask(gateway.served.address, request("GET", DOORS[door].path, [("Host", DOORS[door].host), *sent]))
    assert answer.status == (403 if door == "nginx" else 400)
    assert door == "nginx" or json.loads(answer.body)["code"] == "G102"


@pytest.mark.parametrize("door", DOORS)
def test_a_head_may_be_so_long_and_not_a_byte_longer(gateway: Gateway, door: str) -> None:
    sent = words(gateway, door)
    short = fill("GET {path} HTTP/1.1\r\n{question}X-A: \r\n\r\n", sent)
    fits = short.replace("X-A: ", "X-A: " + "a" * (heads.LONGEST - len(short))).encode()
    assert len(fits) == 16384
    assert ask(gateway.served.address, fits).status == DOORS[door].known
    assert ask(gateway.served.address, fits.replace(b"X-A: ", b"X-A: a")).status == 431
    with Segments(gateway.served) as segments:
        segments.give([fits[:-1], fits[-1:]])
        assert [answer.status for answer in segments.answers()] == [DOORS[door].known]


@pytest.mark.parametrize("door", DOORS)
def test_a_head_may_have_so_many_fields_and_not_one_more(gateway: Gateway, door: str) -> None:
    sent = words(gateway, door)
    left = heads.MOST - sent["question"].count("\r\n")
    fits = fill("GET {path} HTTP/1.1\r\n{question}" + "X-A: a\r\n" * left + "\r\n", sent).encode()
    assert ask(gateway.served.address, fits).status == DOORS[door].known
    assert ask(gateway.served.address, fits.replace(b"X-A: a\r\n", b"X-A: a\r\n" * 2, 1)).status == 431


def test_a_body_that_is_not_wanted_and_spells_questions_asks_nothing(gateway: Gateway, visits: Arrivals) -> None:
    """The answer comes before the body has; what is left of the body is read as that, however it is cut."""
    spelled, form = filled(gateway, "traefik", [QUESTION])[0], words(gateway, "portal")["form"]
    body = b"a" * 17_000 + spelled * 20
    sent = f"POST /login HTTP/1.1\r\n{form}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with Segments(gateway.served) as segments:
        segments.give([sent[:18_000], *(sent[at : at + 777] for at in range(18_000, len(sent), 777)), spelled])
        answers = segments.answers()
    assert [answer.status for answer in answers] == [413, 200]
    assert len(visits.requests) == 2


def test_a_body_in_chunks_is_the_form_that_it_spells(gateway: Gateway) -> None:
    """What the door counts reaches the page, without the trailer."""
    form = words(gateway, "portal")["form"]
    chunks = "5\r\nuser=\r\n8\r\na&csrf=b\r\n0\r\nCookie: x=y\r\n\r\n"
    whole = f"POST /login HTTP/1.1\r\n{form}Transfer-Encoding: chunked\r\n\r\n{chunks}".encode()
    with Segments(gateway.served) as segments:
        segments.give([whole, *(whole[at : at + 1] for at in range(len(whole))), whole])
        answers = segments.answers()
    assert [answer.status for answer in answers] == [403, 403, 403]  # a page of another browser: it was read to its end


def test_a_request_behind_an_upgrade_that_waits_for_the_database_is_not_read(
    gateway: Gateway, visits: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = gateway.served
    pool, waits, go = served.gateway.store.pool, threading.Event(), threading.Event()
    getconn = pool.getconn

    async def waiting(*args: Any) -> Any:
        waits.set()
        await asyncio.to_thread(go.wait, 30)
        return await getconn(*args)

    monkeypatch.setattr(pool, "getconn", waiting)
    cold = head(question(cookie=f"{COOKIE}={tokens.mint(gateway.ring, 'session', 2**39)}"), HOST)
    upgrade = f"GET /auth/traefik HTTP/1.1\r\n{cold}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    visits.requests.clear()
    with Line(served.address) as line:
        line.send(upgrade.encode())
        assert waits.wait(10)
        line.send(filled(gateway, "traefik", [QUESTION])[0])
        served.check()  # answered behind the bytes above: the server has read those by now
        behind = connection(served, line)
        assert isinstance(behind, FrontProtocol)
        assert not behind.flow.read_paused  # they do not wait for their turn
        go.set()
        answer = line.answer()
        assert answer is not None
        assert (answer.status, answer["connection"]) == (401, "close")
        assert line.ended()
    assert len(visits.requests) == 2
