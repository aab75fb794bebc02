"""One answer, whichever door gives it: the express door, the front alone, and the ASGI door on a stock uvicorn.

Every conformance row is sent to three gateways of one database and one ring of signing keys, and the bytes that come back
are the same, but for what is new in every answer: the time, the id of the request, and a token signed now.
"""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn

import serving
from asking import Line, ask, request
from conformance.gateways import TRUST, Gateway, furnish
from conformance.messages import DOORS as DOOR
from conformance.messages import asked, filled
from conformance.messages import cases as messages
from conformance.test_cases import ALL, DOORS
from conformance.test_messages import talk
from conformance.vectors import Case, Row, bytes_of, fill
from databases import Cluster
from gateway import clocks, target
from gateway.check import stand
from gateway.endpoints import express
from gateway.endpoints.express import ExpressProtocol
from gateway.endpoints.familiar import LONGEST_KEPT
from gateway.endpoints.forwardauth import Asked
from gateway.messages import plain
from gateway.model import Question
from gateway.settings import Settings
from serving import Served

STOCK = {"http": "httptools", "ws": "none", "lifespan": "on", "proxy_headers": False, "server_header": False}
NEW = [
    (re.compile(rb"(?<=\r\ndate: )[^\r]+"), b"now"),
    (re.compile(rb"gw[a-z]_[\w-]{40,}"), b"signed"),
]
"""What differs from one answer to the next, beside the id: the time, and tokens that are signed with it."""


class Trio(NamedTuple):
    """Three gateways that differ in nothing but their doors, and how often each gave an answer at the express door."""

    fast: Gateway
    front: Gateway
    stock: Gateway
    answered: Counter[tuple[str, object]]

    def again(self, one: Gateway) -> int:
        """How many questions were answered there by a head that was read before."""
        return self.answered["_answered_again", one.served.address]

    def at_once(self, one: Gateway) -> int:
        """How many questions were answered there before an ASGI scope existed."""
        return self.again(one) + self.answered["_answered_anew", one.served.address]


class Trios:
    """Each started when the first row wants it."""

    def __init__(self, cluster: Cluster, directory: Path, stack: ExitStack) -> None:
        self._cluster, self._directory, self._stack = cluster, directory, stack
        self._made: dict[str, Trio] = {}
        self.answered: Counter[tuple[str, object]] = Counter()

    def __getitem__(self, name: str) -> Trio:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Trio:
        directory = self._directory / name
        directory.mkdir()
        url = self._stack.enter_context(self._cluster.database())
        chosen = serving.settings(directory, **({"trust": TRUST[name]} if name in TRUST else {}))
        apps = "apps: []" if name == "empty" else serving.APPS
        fast = furnish(self._stack.enter_context(serving.serve(url, directory, chosen, apps=apps)), name)
        slow = replace(chosen, server=replace(chosen.server, express=False))
        front = self._stack.enter_context(another(fast, slow, express.options()))
        return Trio(fast, front, self._stack.enter_context(another(fast, slow, STOCK)), self.answered)


@contextmanager
def another(first: Gateway, chosen: Settings, options: dict[str, Any]) -> Iterator[Gateway]:
    """A gateway on the database and the ring of the first, which is run with these options."""
    served = Served(chosen, first.ring, first.served.url)
    quiet = {"access_log": False, "log_config": None, "timeout_keep_alive": express.KEEP_ALIVE}
    served._server = uvicorn.Server(uvicorn.Config(served.gateway, **options | quiet))
    served.start()
    try:
        yield Gateway(served, first.words)
    finally:
        served.stop()


@pytest.fixture(scope="module")
def trios(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trios]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        made = Trios(cluster, tmp_path_factory.mktemp("doors"), stack)
        for name in ("_answered_anew", "_answered_again"):
            patch.setattr(ExpressProtocol, name, counted(made.answered, name))
        yield made


def counted(answered: Counter[tuple[str, object]], name: str) -> Any:
    """That method, which notes where it gave an answer before anybody can have it."""
    method = getattr(ExpressProtocol, name)

    def attempt(self: ExpressProtocol, *given: Any) -> bool:
        key = (name, self.transport.get_extra_info("sockname"))
        answered[key] += 1
        done: bool = method(self, *given)
        answered[key] -= not done
        return done

    return attempt


def same(raw: bytes) -> bytes:
    """An answer without what is new in each."""
    found = re.search(rb"\r\nx-request-id: ([0-9a-f]{16})\r\n", raw)
    raw = raw.replace(found[1], b"id") if found else raw
    for new, word in NEW:
        raw = new.sub(word, raw)
    return raw


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
def test_a_question_is_answered_alike_by_every_door(trios: Trios, case: Case) -> None:
    """Twice at the express door: the second time, where that may be, by what was kept of the first."""
    trio = trios[case.at]
    sent = bytes_of(case.send, trio.fast.words)
    at_once = trio.at_once(trio.fast)
    first = ask(trio.fast.served.address, sent)
    again = trio.again(trio.fast)
    second, other = ask(trio.fast.served.address, sent), ask(trio.front.served.address, sent)
    assert same(first.raw) == same(second.raw) == same(other.raw)
    if first.get("connection") != "close":  # what the front refuses, a stock parser may let in
        assert same(ask(trio.stock.served.address, sent).raw) == same(first.raw)
    assert trio.at_once(trio.fast) - at_once == 2 * is_hot(trio.fast, sent), "another door than it should be"
    assert trio.again(trio.fast) - again == is_repeated(trio.fast, sent), "another head than it should be"
    assert trio.at_once(trio.front) == trio.at_once(trio.stock) == 0


def is_hot(gateway: Gateway, sent: bytes) -> bool:
    """Whether these bytes are a plain question at a hot door; everything that rows ask about is in memory."""
    message = plain.read(sent)
    return message is not None and gateway.served.gateway._doors.hot(message.target.partition(b"?")[0]) is not None


def is_repeated(gateway: Gateway, sent: bytes) -> bool:
    """Whether its sender has a standing there, and its path is read at a glance, so that it is answered like the first."""
    message = plain.read(sent)
    door = message and gateway.served.gateway._doors.hot(message.target.partition(b"?")[0])
    if message is None or door is None or not door.varies:
        return False
    head, uri = express._cut(sent, b"127.0.0.1")
    asked = door.read(Question(message.method, message.target, message.headers, "127.0.0.1"))
    stands = (
        isinstance(asked, Asked) and stand(asked.request, asked.shown, door.judge.cache, clocks.moment()) is not None
    )
    return stands and bool(uri and target.common(uri)) and len(head) <= LONGEST_KEPT


JOURNEYS: dict[str, Row] = {
    "a session": {"cookie": "{cookie}={alice}"},
    "an API key": {"headers": {"X-Api-Key": "{key}"}},
    "a bypass": {"host": "pub.example.com"},
    "a challenge": {},
    "a challenge to a program": {"accept": None},
    "a denial": {"host": "admin.example.com", "cookie": "{cookie}={alice}"},
    "an unknown host": {"host": "nowhere.example.com"},
}


@pytest.mark.parametrize("door", DOORS)
def test_what_repeats_is_answered_by_a_head_that_was_read_before(trios: Trios, door: str) -> None:
    trio = trios["usual"]
    for name, send in JOURNEYS.items():
        ask(trio.fast.served.address, bytes_of({**send, "uri": "/", "target": f"/auth/{door}"}, trio.fast.words))
        for uri in ("/elsewhere?a=b", "/public/"):
            sent = bytes_of({**send, "uri": uri, "target": f"/auth/{door}"}, trio.fast.words)
            before = trio.again(trio.fast)
            answers = [ask(one.served.address, sent).raw for one in (trio.fast, trio.front, trio.stock)]
            assert len({same(raw) for raw in answers}) == 1, name
            assert trio.again(trio.fast) - before == 1, name


@pytest.mark.parametrize("who", [None, "alice", "bob", "expired", "alice^7"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("door", ["nginx", "envoy"])
def test_a_door_that_is_asked_in_its_own_words_answers_alike(
    trios: Trios, door: str, method: str, who: str | None
) -> None:
    trio = trios["usual"]
    cookie = who and fill(f"{{cookie}}={{{who}}}", trio.fast.words)
    sent = request(method, DOOR[door].path, [("Host", DOOR[door].host), *asked(door, cookie)])
    before = trio.at_once(trio.fast), trio.again(trio.fast)
    answers = [ask(one.served.address, sent).raw for one in (trio.fast, trio.fast, trio.front, trio.stock)]
    assert len({same(raw) for raw in answers}) == 1
    assert (trio.at_once(trio.fast), trio.again(trio.fast)) == (before[0] + 2, before[1])


MESSAGES = list(messages())


@pytest.mark.parametrize(("row", "door"), [case[1:] for case in MESSAGES], ids=[case[0] for case in MESSAGES])
def test_a_message_is_answered_alike_by_the_front_and_by_who_stands_before_it(
    trios: Trios, row: Row, door: str
) -> None:
    trio = trios["usual"]
    segments = filled(trio.fast, door, row["segments"])
    one, other = (said(gateway, segments, row) for gateway in (trio.fast, trio.front))
    assert one == other
    assert len(one) == len(row["status"]) + row.get("closed", False)
    assert trio.at_once(trio.front) == 0


def said(gateway: Gateway, segments: list[bytes], row: Row) -> list[bytes]:
    """All that is answered to these, and an empty one for the end."""
    with Line(gateway.served.address) as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = talk(line, segments, len(row["status"]), head=row.get("head", False))
        ends = [b""] if row.get("closed") and line.ended() else []
    return [same(answer.raw) for answer in answers] + ends
