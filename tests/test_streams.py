"""What is open is judged again, and what may not go on ends: seen from a client whose app the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import serving
from asking import Line, request
from gateway import clocks
from gateway.cache import Bounds, Cache
from gateway.check import Moment
from gateway.errors import StoreBusy
from gateway.model import AccessRequest, Allow, Decision, Deny
from gateway.services import keyring, rights, sessions
from gateway.services.rights import Right
from gateway.streams import Streams
from relay import behind
from relay.behind import App, Met
from samples import RING
from serving import Served

APPS = """
apps:
  - name: photos
    hosts: [photos.example.com]
    upstream: {upstream}
    rules:
      - {{path: /share/, policy: bypass}}
      - {{policy: one_factor, groups: [family]}}
"""
REQUEST = AccessRequest("GET", "https", "photos.example.com", "photos.example.com", "/", "", "/", None, {})


@pytest.fixture
def app() -> Iterator[App]:
    with behind.listening() as listening:
        yield listening


@pytest.fixture
def carrying(database: str, tmp_path: Path, app: App) -> Iterator[Served]:
    with serving.serve(database, tmp_path, apps=APPS.format(upstream=app.upstream)) as served:
        served.user("alice", ["family"])
        served.user("bob", ["family"])
        yield served


@contextmanager
def asked(served: Served, app: App, cookie: str, target: str = "/poll") -> Iterator[tuple[Line, Met]]:
    """A request that has reached the app, which does not answer yet."""
    with Line(served.address) as line:
        line.send(request("GET", target, [("Host", "photos.example.com"), ("Cookie", cookie)]))
        met = app.met()
        met.head()
        yield line, met


def revoke(served: Served, number: int) -> None:
    assert served.call(sessions.revoke(served.gateway.ground, "test", number)) == ()


def test_a_long_poll_is_told_why_it_ends(carrying: Served, app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    number, cookie = carrying.session("alice")
    with asked(carrying, app, cookie) as (line, met):
        revoke(carrying, number)
        answer = line.answer()
        assert answer is not None
        assert (answer.status, answer["content-type"]) == (401, "application/problem+json")
        assert answer["x-request-id"] in [getattr(record, "request_id", "") for record in caplog.records]
        assert met.ended()
    assert carrying.gateway.streams.ended == 1
    assert carrying.gateway.streams.open == {}


def test_what_was_opened_by_a_token_of_a_withdrawn_key_ends(carrying: Served, app: App) -> None:
    _, cookie = carrying.session("alice")
    with asked(carrying, app, cookie) as (line, _):
        carrying.call(keyring.replace(carrying.gateway.ground, "test", carrying.gateway.settings.server.keys_file))
        answer = line.answer()
        assert answer is not None
        assert answer.status == 401


def test_what_has_begun_to_be_answered_is_cut_off(carrying: Served, app: App) -> None:
    number, cookie = carrying.session("alice")
    with asked(carrying, app, cookie) as (line, met):
        met.send(
            b"HTTP/1.1 200 OK\r\n\r\nsome"
        )  # an answer that ends with its connection: an end would look like its end
        while b"some" not in line.left:
            assert line._more()
        revoke(carrying, number)
        line.left = b""
        with pytest.raises(ConnectionResetError):
            line.socket.recv(1)
        assert met.ended()


def test_the_revocation_of_others_and_a_policy_that_still_allows_end_nothing(carrying: Served, app: App) -> None:
    _, cookie = carrying.session("alice")
    other, _ = carrying.session("bob")
    with asked(carrying, app, cookie) as (line, met):
        revoke(carrying, other)
        carrying.policy(APPS.format(upstream=app.upstream).replace("/share/", "/other/"))
        look(carrying)
        met.answer(b"after all")
        answer = line.answer()
        assert answer is not None
        assert answer.body == b"after all"
    assert carrying.gateway.streams.ended == 0


def test_being_judged_again_asks_nobody_and_is_no_use_of_a_session(carrying: Served, app: App) -> None:
    _, cookie = carrying.session("alice")
    with asked(carrying, app, cookie):
        carrying.gateway.cache.seen.clear()
        queries = carrying.queries()
        for _ in range(3):
            look(carrying)
        assert carrying.queries().get("recall") == queries.get("recall")
        assert carrying.gateway.cache.seen == {}
        (right,) = carrying.gateway.streams.open.values()
        assert rights.holds(right, carrying.gateway.cache, clocks.moment())


def test_who_needs_no_session_keeps_what_is_open(carrying: Served, app: App) -> None:
    number, cookie = carrying.session("alice")
    with asked(carrying, app, cookie, "/share/x") as (line, met):
        revoke(carrying, number)
        look(carrying)
        met.answer(b"public")
        answer = line.answer()
        assert answer is not None
        assert answer.body == b"public"


def test_no_token_is_kept_of_what_is_open(carrying: Served, app: App) -> None:
    _, cookie = carrying.session("alice")
    for target in ("/a", "/b"):  # read anew, and at a glance
        with asked(carrying, app, cookie, target):
            assert cookie.partition("=")[2] not in repr(list(map(tuple, carrying.gateway.streams.open.values())))


def look(served: Served) -> None:
    """Once more, and wait for what that does."""

    async def looked() -> None:
        streams = served.gateway.streams
        streams.look()
        await asyncio.gather(*streams._judging)

    served.call(looked())


# Judged by hand ---------------------------------------------------------------------------------------------------------


class Open:
    """Something open, that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Decision | None] = []

    def end(self, decision: Decision | None) -> None:
        self.told.append(decision)

    def leave(self) -> None:
        raise AssertionError("the gateway does not end here")


class Judgements:
    """Each waits until it is told what to say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.next = asyncio.Queue[asyncio.Future[Decision]]()
        monkeypatch.setattr(rights, "judge", self._judge)

    async def _judge(self, *unused: Any) -> Decision:
        said = asyncio.get_running_loop().create_future()
        self.next.put_nowait(said)
        return await said


ALLOW = Allow("photos", 1, None, None, [])
DENY = Deny("photos", 0, "G130", "no rule lets this request in")


@pytest.fixture
def judgements(monkeypatch: pytest.MonkeyPatch) -> Judgements:
    return Judgements(monkeypatch)


def streams(opened: Open) -> Streams:
    """Of one exchange, of which memory knows nothing."""
    made = Streams(Cache(RING, Bounds()), None, lambda: Moment(0.0, 0.0))  # type: ignore[arg-type]  # recall is not reached
    made.open[opened] = Right(1, REQUEST, b"/", (), None)
    return made


@pytest.mark.anyio
async def test_a_late_allow_does_not_outweigh_a_refusal_that_is_newer(judgements: Judgements) -> None:
    opened = Open()
    room = streams(opened)
    room.look()
    first = await judgements.next.get()
    room.look()
    second = await judgements.next.get()
    first.set_result(ALLOW)
    second.set_result(DENY)
    await asyncio.gather(*room._judging)
    assert opened.told == [DENY]


@pytest.mark.anyio
async def test_what_cannot_be_judged_ends(judgements: Judgements) -> None:
    opened = Open()
    room = streams(opened)
    room.look()
    said = await judgements.next.get()
    said.set_exception(StoreBusy("no connection is free"))
    await asyncio.gather(*room._judging)
    assert opened.told == [None]


@pytest.mark.anyio
async def test_what_is_over_meanwhile_is_not_told(judgements: Judgements) -> None:
    opened = Open()
    room = streams(opened)
    room.look()
    said = await judgements.next.get()
    room.open[opened] = Right(2, REQUEST, b"/", (), None)  # the same connection's next exchange
    said.set_result(DENY)
    await asyncio.gather(*room._judging)
    assert opened.told == []


@pytest.mark.anyio
async def test_what_takes_a_moment_to_end_is_told_and_counted_once(judgements: Judgements) -> None:
    opened = Open()
    room = streams(opened)
    for _ in range(2):
        room.look()
    for _ in range(2):
        (await judgements.next.get()).set_result(DENY)
    await asyncio.gather(*room._judging)
    room.look()
    assert (opened.told, room.ended, room._judging) == ([DENY], 1, set())


@pytest.mark.anyio
async def test_what_fails_while_judging_ends_what_was_judged(judgements: Judgements) -> None:
    opened = Open()
    room = streams(opened)
    room.look()
    said = await judgements.next.get()
    said.set_exception(RuntimeError("a bug"))
    await asyncio.gather(*room._judging)
    assert opened.told == [None]


@pytest.mark.anyio
async def test_one_that_cannot_be_ended_does_not_keep_others_open(judgements: Judgements) -> None:
    class Broken(Open):
        def end(self, decision: Decision | None) -> None:
            raise RuntimeError("a bug")

    broken, other = Broken(), Open()
    room = streams(broken)
    room.open[other] = Right(2, REQUEST, b"/", (), None)
    room.look()
    for _ in room.open:
        (await judgements.next.get()).set_result(DENY)
    await asyncio.gather(*room._judging)
    assert other.told == [DENY]


@pytest.mark.anyio
async def test_a_look_that_fails_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Open()
    room = streams(opened)
    ended = asyncio.Event()
    monkeypatch.setattr("gateway.streams.EVERY", 0.0)
    monkeypatch.setattr(opened, "end", lambda decision: ended.set())
    monkeypatch.setattr(room, "look", lambda: 1 / 0)
    watching = asyncio.create_task(room.watch())
    await asyncio.wait_for(ended.wait(), 10)
    watching.cancel()
