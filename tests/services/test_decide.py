"""Where a cold check waits: it asks for what is missing, judges again, and in an outage believes memory as far as it may
and no further. On the dictionary; the last tests on a gateway that serves, with its statements counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import serving
from dictionary import Dictionary
from gateway.cache import Bounds, Cache, Trust
from gateway.check import NOBODY, Found, Moment
from gateway.errors import StoreBusy, StoreSilent, Unavailable
from gateway.lookups import Fact
from gateway.model import Allow, App, Challenge, Decision, Deny, Rule
from gateway.services.decide import ATTEMPTS, decide, known
from gateway.services.recall import Recall
from samples import NAMES, NOW, OFFSET, RING, WALL, api_key, cookies, credential, fact, request, session

pytestmark = pytest.mark.anyio

TOKEN = session()
ONE = credential(TOKEN)
SILENT, BUSY = StoreSilent("gone"), StoreBusy("the database answered 53300")


class House:
    """A replica whose last heartbeat is ``age`` old, in a world with these facts."""

    def __init__(self, *facts: Fact, age: float = 0.0) -> None:
        self.world = Dictionary(
            *facts, apps=(App("app", "", ("app.example.com",), (Rule("bypass", path="/public/"), Rule("one_factor"))),)
        )
        self.now = NOW
        self.cache = Cache(RING, Bounds())
        self.cache.heard(NOW - age, OFFSET)
        self.recall = Recall(self.cache, self.world, lambda: self.now)

    def moment(self) -> Moment:
        return Moment(self.now, WALL + self.now - NOW)

    async def decides(self, headers: dict[bytes, bytes] | None = None, **more: Any) -> Decision:
        sent = cookies(TOKEN) if headers is None else headers
        return await decide(request(sent, **more), self.cache, self.recall, NAMES, self.moment)

    async def knows(self, *headers: tuple[bytes, bytes]) -> Found:
        return await known(list(headers), self.cache, self.recall, NAMES, self.moment)


async def test_a_cold_check_asks_once_for_the_person_and_once_for_the_policy_and_then_never_again() -> None:
    house = House(fact(ONE))
    assert isinstance(await house.decides(), Allow)
    assert house.world.asked == ["lookup", "policy"]
    assert isinstance(await house.decides(), Allow)
    assert len(house.world.asked) == 2


async def test_a_session_and_a_key_of_one_request_are_asked_about_in_their_order() -> None:
    key = api_key()
    house = House(fact(ONE, refused="ended"), fact(credential(key, "api_key"), name="bob"))
    decision = await house.decides({**cookies(TOKEN), b"x-api-key": key.encode()})
    assert isinstance(decision, Allow)
    assert decision.identity is not None
    assert decision.identity.name == "bob"
    assert house.world.batches == [[ONE], [credential(key, "api_key")]]


async def test_a_dead_token_is_asked_about_once() -> None:
    house = House()
    for _ in range(3):
        assert isinstance(await house.decides(), Challenge)
    assert house.world.asked == ["lookup", "policy"]


async def test_whoever_is_idle_is_asked_to_sign_in_again_after_one_question() -> None:
    house = House(fact(ONE, idle=100.0, idle_ends=-5.0))
    assert isinstance(await house.decides(), Challenge)
    assert isinstance(await house.decides(), Challenge)
    assert house.world.asked == ["lookup", "policy"]


async def test_a_session_idle_in_memory_lives_on_where_the_store_knows_of_a_later_use() -> None:
    house = House(fact(ONE, idle=100.0, idle_ends=10.0))
    assert isinstance(await house.decides(), Allow)
    house.now += 11
    house.cache.heard(house.now, OFFSET)
    assert isinstance(await house.decides(), Allow)
    assert house.world.asked == ["lookup", "policy", "lookup"]


# Deaf, and the store down --------------------------------------------------------------------------------------------


async def test_a_deaf_replica_asks_about_every_request() -> None:
    house = House(fact(ONE), age=6.0)
    assert isinstance(await house.decides(), Allow)
    house.world.facts[ONE] = fact(ONE, refused="ended")
    assert isinstance(await house.decides(), Challenge)
    assert isinstance(await house.decides({}), Challenge)
    assert house.world.asked.count("lookup") == 3


async def test_a_deaf_replica_notices_a_policy_that_it_did_not_hear_of() -> None:
    house = House(fact(ONE), age=6.0)
    assert isinstance(await house.decides(), Allow)
    house.world.apps, house.world.revision = (App("app", "", ("app.example.com",), (Rule("deny"),)),), 2
    assert isinstance(await house.decides(), Deny)


@pytest.mark.parametrize("fails", [BUSY, ValueError("a row that nobody expected")])
async def test_a_deaf_replica_never_believes_memory_while_the_store_answers(fails: Exception) -> None:
    house = House(fact(ONE))
    await house.decides()
    house.now += 6
    house.world.fails = fails
    with pytest.raises(StoreBusy):
        await house.decides()


async def test_when_the_store_is_silent_a_deaf_replica_believes_memory_until_the_outage_is_too_long() -> None:
    house = House(fact(ONE))
    await house.decides()
    house.world.fails = SILENT
    for later, answer in ((6, Allow), (30, Allow), (60, Allow), (61, None)):
        house.now = NOW + later
        if answer is None:
            with pytest.raises(StoreSilent):
                await house.decides()
        else:
            assert isinstance(await house.decides(), answer)


async def test_in_an_outage_whoever_memory_does_not_know_is_told_to_come_again() -> None:
    house = House(fact(ONE))
    await house.decides({})
    house.world.fails = SILENT
    house.now += 6
    with pytest.raises(StoreSilent):
        await house.decides()
    assert isinstance(await house.decides({}, path="/public/x"), Allow)


async def test_a_hearing_replica_without_the_fact_does_not_guess_when_the_store_is_silent() -> None:
    house = House(fact(ONE))
    house.world.fails = SILENT
    with pytest.raises(StoreSilent):
        await house.decides()


async def test_trust_that_comes_and_goes_ends_in_no_after_a_bounded_number_of_questions() -> None:
    house = House(fact(ONE))
    turns = iter([Trust.MEMORY, Trust.ASK] * 50)

    def flapping(now: float, wall: float) -> Trust:
        return next(turns)

    house.cache.trust = flapping  # type: ignore[method-assign]
    house.cache.put = lambda *_: False  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="keep changing"):
        await house.decides()
    assert house.world.asked.count("lookup") <= ATTEMPTS


# The portal ----------------------------------------------------------------------------------------------------------

OWN = session("portal")
PORTAL = (b"cookie", b"__Host-gateway_portal=" + OWN.encode())


async def test_the_portal_knows_its_own_cookie() -> None:
    house = House(fact(credential(OWN, "portal")))
    found = await house.knows(PORTAL)
    assert found.identity is not None
    assert found.identity.name == "alice"


async def test_the_portal_knows_no_app_cookie_and_no_key() -> None:
    house = House(fact(ONE))
    assert await house.knows((b"cookie", cookies(TOKEN)[b"cookie"]), (b"x-api-key", api_key().encode())) == NOBODY
    assert await house.knows() == NOBODY
    assert await house.knows((b"host", b"a"), (b"host", b"b"), PORTAL) == NOBODY


async def test_the_portal_asks_whoever_is_idle_to_sign_in() -> None:
    house = House(fact(credential(OWN, "portal"), idle=100.0, idle_ends=-5.0))
    assert await house.knows(PORTAL) == NOBODY


async def test_the_portal_is_closed_in_an_outage_also_for_whom_memory_knows() -> None:
    house = House(fact(credential(OWN, "portal")))
    await house.knows(PORTAL)
    house.world.fails = SILENT
    house.now += 6
    house.cache.silent(house.now)
    with pytest.raises(StoreSilent):
        await house.knows(PORTAL)


async def test_the_portal_of_a_deaf_replica_asks_every_time() -> None:
    house = House(fact(credential(OWN, "portal")), age=6.0)
    assert (await house.knows(PORTAL)).identity is not None
    house.world.facts[credential(OWN, "portal")] = fact(credential(OWN, "portal"), refused="ended")
    assert await house.knows(PORTAL) == NOBODY


# Serving -------------------------------------------------------------------------------------------------------------


def test_the_first_request_after_a_start_finds_a_warm_memory(database: str, tmp_path: Path) -> None:
    with serving.serve(database, tmp_path) as before:
        before.user("alice", ["users"])
        _, cookie = before.session("alice")
        _, key = before.key("alice")
    with serving.serve(database, tmp_path, apps=None) as after:
        started = after.queries()
        assert after.check(cookie=cookie)["remote-user"] == "alice"
        assert after.check(key=key)["remote-user"] == "alice"
        assert after.check().status == 302
        assert after.queries().get("recall") == started.get("recall")


def test_two_hundred_checks_of_one_cold_session_send_one_statement(served: serving.Served) -> None:
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    started = served.queries()["recall"]
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: served.check(cookie=cookie), range(200)))
    assert {answer.status for answer in answers} == {200}
    assert served.queries()["recall"] == started + 1


def test_an_app_that_changes_its_headers_changes_them_for_people_who_are_warm(served: serving.Served) -> None:
    apps = "apps: [{{name: app, hosts: [app.example.com], headers: {{X-Id: '{}'}}, rules: [{{policy: one_factor}}]}}]"
    served.user("alice", ["users"])
    _, cookie = served.session("alice")
    for pattern, value in (("{user}", "alice"), ("{groups}", "users")):
        served.policy(apps.format(pattern))
        assert served.check(cookie=cookie)["x-id"] == value
