"""By what right something is open: enough is kept to judge it again, and nothing that anybody could use."""

from __future__ import annotations

from typing import Any

import pytest

from dictionary import Dictionary
from gateway import credentials
from gateway.cache import Bounds, Cache
from gateway.check import Moment, stand
from gateway.errors import GatewayError, StoreBusy
from gateway.lookups import Fact
from gateway.model import AccessRequest, Allow, App, Challenge, Decision, Deny, Rule
from gateway.services import rights
from gateway.services.recall import Recall
from gateway.services.rights import Right
from samples import NAMES, NOW, OFFSET, RING, WALL, cookies, credential, fact, request, session

pytestmark = pytest.mark.anyio

TOKEN = session()
ONE = credential(TOKEN)
FAMILY = App(
    "app",
    "",
    ("app.example.com",),
    (Rule("bypass", path="/public/"), Rule("deny", path="/closed/"), Rule("one_factor", groups=("users",))),
)


class House:
    """A replica in a world with these facts."""

    def __init__(self, *facts: Fact) -> None:
        self.world = Dictionary(*facts, apps=(FAMILY,))
        self.now = NOW
        self.cache = Cache(RING, Bounds())
        self.cache.heard(NOW, OFFSET)
        self.recall = Recall(self.cache, self.world, lambda: self.now)

    def moment(self) -> Moment:
        return Moment(self.now, WALL + self.now - NOW)

    def right(self, sent: dict[bytes, bytes] | None = None, **more: Any) -> Right:
        """As the door keeps it behind a cold check."""
        asked = request(cookies(TOKEN) if sent is None else sent, **more)
        shown = rights.without_tokens(credentials.show(asked.headers, NAMES, RING))
        return Right(1, asked, asked.uri.encode(), shown, None)

    async def judge(self, right: Right) -> Decision:
        return await rights.judge(right, self.cache, self.recall, self.moment)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.cache.heard(self.now, OFFSET)


async def test_it_is_judged_by_what_was_asked_and_shown() -> None:
    house = House(fact(ONE))
    assert isinstance(await house.judge(house.right()), Allow)
    assert isinstance(await house.judge(house.right({})), Challenge)
    assert isinstance(await house.judge(house.right({}, path="/public/a", uri="/public/a")), Allow)
    assert isinstance(await house.judge(house.right(path="/closed/a", uri="/closed/a")), Deny)


async def test_no_token_is_kept() -> None:
    house = House(fact(ONE))
    shown = credentials.show(cookies(TOKEN, session()), NAMES, RING)
    kept = rights.without_tokens(shown)
    assert [[found for found, _ in kind] for kind in kept] == [[found for found, _ in kind] for kind in shown]
    assert all(token is None for kind in kept for _, token in kind)
    assert TOKEN not in repr(house.right().credentials())


async def test_it_holds_as_long_as_nothing_changes() -> None:
    house = House(fact(ONE))
    right = house.right()
    assert not rights.holds(right, house.cache, house.moment())
    assert isinstance(await house.judge(right), Allow)
    good = rights.renewed(right, house.cache, house.moment())
    asked = len(house.world.asked)
    assert rights.holds(good, house.cache, house.moment())
    assert good[:2] == right[:2]
    assert good.credentials() == right.credentials()
    house.cache.forget_all()
    assert not rights.holds(good, house.cache, house.moment())
    assert len(house.world.asked) == asked


@pytest.mark.parametrize(
    "said", [{"refused": "ended"}, {"refused": "disabled"}, {"refused": "expired"}, {"groups": ()}]
)
async def test_it_ends_with_the_session_and_with_the_group(said: dict[str, Any]) -> None:
    house = House(fact(ONE))
    right = house.right()
    assert isinstance(await house.judge(right), Allow)
    good = rights.renewed(right, house.cache, house.moment())
    house.world.facts[ONE] = fact(ONE, **said)
    house.cache.forget_all()
    assert not rights.holds(good, house.cache, house.moment())
    assert not isinstance(await house.judge(good), Allow)


async def test_what_memory_would_refuse_now_is_judged_again_whatever_was_found_before() -> None:
    """A judgement on older facts may be the later one to arrive."""
    house = House(fact(ONE))
    right = house.right()
    assert isinstance(await house.judge(right), Allow)
    house.world.facts[ONE] = fact(ONE, groups=())
    house.cache.forget_all()
    assert not isinstance(await house.judge(right), Allow)
    late = rights.renewed(right, house.cache, house.moment())
    assert late.standing is None
    assert not rights.holds(late, house.cache, house.moment())


async def test_it_ends_with_time() -> None:
    house = House(fact(ONE, ends=100.0))
    right = house.right()
    assert isinstance(await house.judge(right), Allow)
    good = rights.renewed(right, house.cache, house.moment())
    house.later(99.0)
    assert rights.holds(good, house.cache, house.moment())
    house.later(2.0)
    assert not rights.holds(good, house.cache, house.moment())
    house.world.facts[ONE] = fact(ONE, refused="expired")
    assert not isinstance(await house.judge(good), Allow)


async def test_being_judged_again_is_no_use_of_a_session() -> None:
    house = House(fact(ONE, idle=100.0, idle_ends=100.0))
    right = house.right()
    assert isinstance(await house.judge(right), Allow)
    house.cache.take_seen()
    for _ in range(9):
        house.later(10.0)
        assert isinstance(await house.judge(right), Allow)
    assert house.cache.take_seen() == {}


async def test_a_head_that_was_read_before_is_judged_by_its_own_path() -> None:
    house = House(fact(ONE))
    first = house.right(path="/a", uri="/a")
    assert isinstance(await house.judge(first), Allow)
    standing = stand(first.request, first.credentials(), house.cache, house.moment())
    assert standing is not None
    pathless = first.request._replace(uri="", path="", unclear="")
    for target, kind in ((b"/a?b=c", Allow), (b"/closed/x", Deny), (b"/closed/%2f", Deny)):
        right = Right(2, pathless, target, None, standing)
        asked = right.asked()
        assert (asked.uri.encode(), asked.headers) == (target, pathless.headers)
        assert rights.holds(right, house.cache, house.moment())
        assert right.credentials() == first.credentials()
        assert isinstance(await house.judge(right), kind)


def test_nobody_shows_nothing() -> None:
    asked = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})
    assert Right(1, asked, b"/", (), None).credentials() == ()
    assert Right(1, asked, b"/", None, None).credentials() == ()


async def test_what_cannot_be_known_now_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(fact(ONE))

    async def busy(*_: object) -> None:
        raise StoreBusy("the database answered 53300")

    monkeypatch.setattr(house.recall, "recall", busy)
    with pytest.raises(GatewayError):
        await house.judge(house.right())
