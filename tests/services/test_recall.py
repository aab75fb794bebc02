"""Filling memory: one question however many wait, nothing old is kept, everybody is told. On the dictionary, where a test
can stop an answer between its reading and its coming back; and on PostgreSQL, where statements are counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from dictionary import Dictionary
from gateway.cache import Bounds, Cache, Trust
from gateway.errors import StoreBusy, StoreSilent, Unavailable
from gateway.lookups import Fact
from gateway.model import App, Credential, Missing, Rule
from gateway.services import recall as room
from gateway.services.entries import Entries
from gateway.services.recall import Recall
from gateway.services.recalled import Recalled
from gateway.storage.answers import Answers
from gateway.storage.pool import Store
from samples import NOW, OFFSET, RING, credential, fact, session
from worlds import InPostgres

pytestmark = pytest.mark.anyio

ONE = credential(session())
TWO = credential(session())


class House:
    """A memory that hears, and a recall over the double."""

    def __init__(self, *facts: Fact, connections: int = 4, at_once: int = 2, **more: Any) -> None:
        self.world = Dictionary(*facts, connections=connections)
        self.cache = Cache(RING, Bounds(identities=more.pop("identities", 100)))
        self.cache.heard(NOW, OFFSET)
        self.now = NOW
        self.recall = Recall(self.cache, self.world, lambda: self.now, at_once=at_once, **more)

    def asks(self, *credentials: Credential, basis: Trust = Trust.MEMORY) -> asyncio.Task[Recalled]:
        """One request that waits for these facts; its view of them."""

        async def one() -> Recalled:
            view = Recalled(self.cache, basis)
            await self.recall.recall(Missing(False, credentials), view)
            return view

        return asyncio.create_task(one())

    def changes(self, given: Fact, kind: str = "session", key: str = "11") -> None:
        """The row changes, and that is heard."""
        self.world.facts[given.credential] = given
        self.cache.forget(kind, key)


def name(view: Recalled, of: Credential = ONE) -> str | None:
    entry = view.get(of)
    return entry.identity.name if entry and entry.identity else None


# One question --------------------------------------------------------------------------------------------------------


async def test_two_hundred_requests_for_one_fact_ask_once() -> None:
    house = House(fact(ONE))
    views = await asyncio.gather(*(house.asks(ONE) for _ in range(200)))
    assert {name(view) for view in views} == {"alice"}
    assert house.world.asked == ["lookup", "policy"]


async def test_what_waits_for_a_connection_is_joined_into_one_statement() -> None:
    house = House(*(fact(credential(str(number))) for number in range(50)), at_once=1)
    house.world.busy.shut()
    waiting = [house.asks(credential(str(number))) for number in range(50)]
    await house.world.busy.stopped.wait()
    waiting += [house.asks(credential(str(number))) for number in range(50)]
    await asyncio.sleep(0)
    house.world.busy.open()
    await asyncio.gather(*waiting)
    assert [len(batch) for batch in house.world.batches] == [50]


async def test_one_statement_asks_about_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 20)
    house = House(at_once=1)
    await asyncio.gather(*(house.asks(credential(str(number))) for number in range(50)))
    assert [len(batch) for batch in house.world.batches] == [20, 20, 10]


async def test_several_cookies_of_one_request_are_one_question() -> None:
    house = House(fact(ONE), fact(TWO, id=12))
    view = await house.asks(ONE, TWO, ONE)
    assert (name(view), name(view, TWO)) == ("alice", "alice")
    assert house.world.asked.count("lookup") == 1


async def test_no_more_questions_fly_at_once_than_connections_are_ours() -> None:
    house = House(at_once=2)
    house.world.gate.shut()
    waiting = []
    for number in range(10):
        waiting.append(house.asks(credential(str(number))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await house.world.gate.stopped.wait()
    assert house.world.asked == ["lookup", "lookup"]
    house.world.gate.open()
    await asyncio.gather(*waiting)


async def test_a_request_that_comes_as_the_last_question_ends_is_not_overlooked() -> None:
    """For every step of the loop in which it can come; once nobody took it up before its patience ended."""
    for steps in range(12):
        house = House(fact(ONE), fact(TWO), at_once=1)
        first = house.asks(ONE)
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await asyncio.gather(first, house.asks(TWO))


# Read old, hear, store old -------------------------------------------------------------------------------------------


async def test_an_answer_read_before_a_change_is_not_kept_and_later_requests_ask_again() -> None:
    house = House(fact(ONE))
    house.world.gate.shut()
    early = house.asks(ONE)
    await house.world.gate.stopped.wait()
    house.changes(fact(ONE, name="renamed"))
    late = [house.asks(ONE) for _ in range(20)]
    await asyncio.sleep(0)
    house.world.gate.open()
    assert name(await early) == "alice"
    assert {name(await one) for one in late} == {"renamed"}
    kept = house.cache.get(ONE)
    assert kept is not None
    assert kept.identity is not None
    assert kept.identity.name == "renamed"
    assert house.world.asked.count("lookup") == 2


async def test_a_request_that_came_while_it_was_read_uses_an_answer_that_nothing_overtook() -> None:
    house = House(fact(ONE))
    house.world.gate.shut()
    early = house.asks(ONE)
    await house.world.gate.stopped.wait()
    late = house.asks(ONE)
    house.cache.forget("user", "somebody else")
    await asyncio.sleep(0)
    house.world.gate.open()
    assert name(await early) == name(await late) == "alice"
    assert house.world.asked.count("lookup") == 1


async def test_while_nothing_is_heard_a_late_request_asks_again_whatever_was_kept() -> None:
    house = House(fact(ONE))
    house.world.gate.shut()
    early = house.asks(ONE, basis=Trust.ASK)
    await house.world.gate.stopped.wait()
    house.world.facts[ONE] = fact(ONE, refused="ended")
    late = house.asks(ONE, basis=Trust.ASK)
    await asyncio.sleep(0)
    house.world.gate.open()
    assert name(await early) == "alice"
    assert name(await late) is None


async def test_a_request_that_comes_when_the_answer_has_landed_does_not_board_it() -> None:
    """In whichever step after the landing it comes, while the connection is still being given back."""
    for steps in range(12):
        house = House(fact(ONE))
        house.world.gate.shut()
        early = house.asks(ONE)
        await house.world.gate.stopped.wait()
        house.world.gate.open()
        for _ in range(steps):
            await asyncio.sleep(0)
        house.changes(fact(ONE, refused="ended"))
        async with asyncio.timeout(1):
            assert name(await house.asks(ONE)) is None
        await early


async def test_changes_without_end_do_not_keep_a_request_waiting() -> None:
    house = House(fact(ONE))
    house.world.gate.shut()
    early = house.asks(ONE)
    await house.world.gate.stopped.wait()
    late = house.asks(ONE)
    await asyncio.sleep(0)
    house.changes(fact(ONE, name="first"))
    house.world.gate.open()
    house.world.gate.shut()
    await house.world.gate.stopped.wait()
    house.changes(fact(ONE, name="second"))
    house.world.gate.open()
    assert name(await early) == "alice"
    assert name(await late) == "first"
    assert house.cache.get(ONE) is None


# The policy ----------------------------------------------------------------------------------------------------------


async def test_a_newer_revision_than_memorys_is_fetched_although_nothing_was_heard() -> None:
    house = House(fact(ONE))
    await house.asks(ONE)
    house.cache.forget("session", "11")
    house.world.revision = 2
    view = await house.asks(ONE)
    assert view.policy is not None
    assert view.policy.revision == 2


async def test_a_policy_that_was_being_read_before_it_changed_is_not_good_enough() -> None:
    house = House(fact(ONE))
    house.world.policy_gate.shut()
    loading = asyncio.create_task(house.recall.settle())
    await house.world.policy_gate.stopped.wait()
    house.world.revision = 2
    view = house.asks(ONE)
    while house.cache.get(ONE) is None:  # noqa: ASYNC110 - memory tells nobody what it learns
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    house.world.policy_gate.open()
    known = (await view).policy
    assert known is not None
    assert known.revision == 2
    await loading


async def test_a_policy_that_changes_while_it_is_read_is_read_again() -> None:
    house = House()
    house.world.policy_gate.shut()
    loading = asyncio.create_task(house.recall.settle())
    await house.world.policy_gate.stopped.wait()
    house.world.revision = 2
    house.cache.forget("policy", "1")
    house.world.policy_gate.open()
    await loading
    assert house.cache.policy is not None
    assert house.cache.policy.revision == 2


async def test_no_row_of_the_store_takes_the_portals_host() -> None:
    own = App("portal", "", ("auth.example.com",), (Rule("bypass"),))
    house = House(apps=[(0, own)])
    house.world.apps = (App("thief", "", ("auth.example.com", "*.example.com"), (Rule("deny"),)),)
    await house.recall.settle()
    assert house.cache.policy is not None
    found = house.cache.policy.app("auth.example.com")
    assert found is not None
    assert (found.name, found.tenant) == ("portal", 0)


async def test_settling_in_vain_raises_nothing() -> None:
    for fails in (StoreBusy("full"), StoreSilent("gone"), KeyError("a row that nobody expected")):
        house = House()
        house.world.fails = fails
        await house.recall.settle()
        assert house.cache.policy is None


# Failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fails", "raised"),
    [
        (StoreBusy("full"), StoreBusy),
        (StoreSilent("gone"), StoreSilent),
        (ValueError("a row that nobody expected"), StoreBusy),
        (TimeoutError(), StoreBusy),
    ],
)
async def test_a_failure_reaches_everybody_who_waits(fails: Exception, raised: type[Exception]) -> None:
    house = House(fact(ONE), fact(TWO))
    house.world.fails = fails
    outcomes = await asyncio.gather(*(house.asks(one) for one in (ONE, TWO) * 20), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {raised}
    assert house.cache.store_is_silent(NOW) == (raised is StoreSilent)
    house.world.fails = None
    assert name(await house.asks(ONE)) == "alice"


async def test_a_failure_to_get_a_connection_reaches_everybody_who_waits() -> None:
    class Full(Dictionary):
        @asynccontextmanager
        async def asking(self) -> AsyncIterator[Any]:
            raise StoreBusy("every database connection is in use")
            yield

    house = House()
    recall = Recall(house.cache, Full(), lambda: NOW, at_once=1)
    waiting = [recall.recall(Missing(False, (one,)), Recalled(house.cache, Trust.MEMORY)) for one in (ONE, TWO)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreBusy, StoreBusy]


async def test_a_silent_store_is_noticed_by_the_policys_question_too() -> None:
    house = House()
    house.world.fails = StoreSilent("gone")
    await house.recall.settle()
    assert house.cache.store_is_silent(NOW)


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PATIENCE", 0.01)
    house = House(fact(ONE))
    house.world.gate.shut()
    with pytest.raises(StoreBusy, match="in time"):
        await house.asks(ONE)
    house.world.gate.open()
    await house.recall.close()


async def test_a_request_that_gives_up_takes_the_answer_from_nobody() -> None:
    house = House(fact(ONE))
    house.world.gate.shut()
    gone, stays = house.asks(ONE), house.asks(ONE)
    await house.world.gate.stopped.wait()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    house.world.gate.open()
    assert name(await stays) == "alice"


async def test_closing_tells_everybody_who_waits() -> None:
    house = House(fact(ONE), at_once=1)
    house.world.gate.shut()
    flying = house.asks(ONE)
    await house.world.gate.stopped.wait()
    waiting = [house.asks(credential(str(number))) for number in range(3)]
    await asyncio.sleep(0)
    await house.recall.close()
    outcomes = await asyncio.gather(flying, *waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}


# Entries -------------------------------------------------------------------------------------------------------------

ENTRIES = Entries(3600.0, frozenset({"totp"}))
LONG_AGO = float("-inf")


def test_deadlines_are_counted_from_when_the_question_was_sent() -> None:
    entry = ENTRIES.entry(ONE, fact(ONE, ends=50.0, idle=100.0, idle_ends=20.0, age=5.0), NOW, LONG_AGO)
    assert (entry.ends, entry.idle_ends, entry.row) == (NOW + 50, NOW + 20, 11)


def test_no_entry_is_used_longer_than_the_greatest_age_and_they_do_not_all_end_at_once() -> None:
    stale = {ENTRIES.entry(ONE, fact(ONE), NOW, LONG_AGO).stale for _ in range(50)}
    assert len(stale) > 1
    assert all(NOW + 3240 <= one <= NOW + 3600 for one in stale)


@pytest.mark.parametrize(
    ("given", "made_from"),
    [
        (fact(ONE), {("session", "11"), ("user", "7"), ("tenant", "1"), ("group", "3")}),
        (
            fact(ONE, parent=10, group_ids=(3, 4)),
            {("session", "11"), ("session", "10"), ("user", "7"), ("tenant", "1"), ("group", "3"), ("group", "4")},
        ),
        (fact(ONE, refused="disabled", group_ids=()), {("session", "11"), ("user", "7"), ("tenant", "1")}),
        (fact(Credential("portal", b"p"), group_ids=()), {("session", "11"), ("user", "7"), ("tenant", "1")}),
        (fact(Credential("api_key", b"k"), group_ids=()), {("api_key", "11"), ("user", "7"), ("tenant", "1")}),
    ],
)
def test_an_entry_knows_every_row_that_it_was_made_from(given: Fact, made_from: set[tuple[str, str]]) -> None:
    assert ENTRIES.entry(given.credential, given, NOW, LONG_AGO).made_from == made_from


def test_what_has_no_row_is_nobody_until_all_of_its_kind_changes() -> None:
    entry = ENTRIES.entry(Credential("portal", b"p"), None, NOW, LONG_AGO)
    assert (entry.identity, entry.made_from, entry.reason) == (None, {("session", "*")}, "unknown")


def test_who_is_idle_is_nobody_and_asked_about_again_within_a_minute() -> None:
    entry = ENTRIES.entry(ONE, fact(ONE, idle=100.0, idle_ends=-1.0), NOW, LONG_AGO)
    assert (entry.identity, entry.reason) == (None, "idle")
    assert entry.stale <= NOW + 60


def test_a_use_that_this_process_has_not_written_yet_counts() -> None:
    entry = ENTRIES.entry(ONE, fact(ONE, idle=100.0, idle_ends=-1.0), NOW, NOW - 30)
    assert entry.identity is not None
    assert entry.idle_ends == NOW + 70


def test_a_second_factor_is_one_that_can_be_shown_here() -> None:
    second = [
        entry.identity.second
        for factors in (("password",), ("password", "totp"), ("passkey",))
        if (entry := ENTRIES.entry(ONE, fact(ONE, factors=factors), NOW, LONG_AGO)).identity
    ]
    assert second == [False, True, False]


# After everything was forgotten --------------------------------------------------------------------------------------


async def test_a_refilled_memory_knows_the_policy_and_the_preloaded_without_asking_again() -> None:
    house = House(fact(ONE), fact(TWO, id=12))
    house.cache.forget_all()
    await house.recall.refill(10)
    assert house.world.asked == ["preload", "policy"]
    assert house.cache.get(ONE) is not None
    assert house.cache.get(TWO) is not None
    assert house.cache.policy is not None


async def test_refilling_asks_for_no_more_than_memory_may_hold() -> None:
    house = House(fact(ONE), fact(TWO, id=12), identities=1)
    await house.recall.refill(10)
    assert house.cache.get(ONE) is not None
    assert house.cache.get(TWO) is None


async def test_a_store_too_slow_to_preload_leaves_memory_cold_but_hearing() -> None:
    class Slow(Dictionary):
        async def preload(self, most: int) -> Any:
            raise StoreBusy("the database answered 57014")

    house = House()
    recall = Recall(house.cache, Slow(), lambda: NOW)
    await recall.refill(10)
    assert house.cache.policy is not None


async def test_a_refill_that_cannot_read_the_policy_fails_so_that_the_ear_tries_again() -> None:
    house = House()
    house.world.fails = ValueError("a row that nobody expected")
    with pytest.raises(ValueError, match="nobody expected"):
        await house.recall.refill(10)
    house.world.fails = StoreBusy("full")
    with pytest.raises(StoreBusy):
        await house.recall.refill(10)


async def test_what_changes_while_it_is_preloaded_is_not_kept() -> None:
    class Changing(Dictionary):
        async def preload(self, most: int) -> Any:
            answer = await super().preload(most)
            house.cache.forget("session", "11")
            return answer

    house = House()
    recall = Recall(house.cache, Changing(fact(ONE), fact(TWO, id=12)), lambda: NOW)
    await recall.refill(10)
    assert house.cache.get(ONE) is None
    assert house.cache.get(TWO) is not None


# On PostgreSQL -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def on_postgres(url: str, size: int = 4) -> AsyncIterator[tuple[Store, Cache, Recall]]:
    store = Store(url, size=size)
    await store.open()
    cache = Cache(RING, Bounds())
    cache.heard(NOW, OFFSET)
    recall = Recall(cache, Answers(store), lambda: NOW, at_once=max(1, size // 2))
    try:
        yield store, cache, recall
    finally:
        await recall.close()
        await store.close()


def calls(psql: psycopg.Connection, function: str) -> int:
    """How often PostgreSQL itself says that a function of ours was called; exact once its callers are gone."""
    while psql.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gateway pool'").fetchone() != (
        0,
    ):
        pass
    found = psql.execute("SELECT calls FROM pg_stat_user_functions WHERE funcname = %s", (function,)).fetchone()
    return found[0] if found else 0


async def test_two_hundred_requests_for_one_cold_session_cost_one_query(
    database: str, psql: psycopg.Connection
) -> None:
    psql.execute(f"ALTER DATABASE {psql.info.dbname} SET track_functions = 'all'".encode())
    async with on_postgres(database) as (store, cache, recall):
        InPostgres(store, psql).knows(fact(ONE))
        await recall.settle()
        before = dict(store.queries)
        views = [Recalled(cache, Trust.MEMORY) for _ in range(200)]
        await asyncio.gather(*(recall.recall(Missing(False, (ONE,)), view) for view in views))
        assert {name(view) for view in views} == {"alice"}
        assert store.queries == {**before, "recall": before["recall"] + 1}
    assert (calls(psql, "lookup"), calls(psql, "policy")) == (1, 1)


async def test_distinct_sessions_that_wait_for_a_busy_pool_are_asked_about_in_one_statement(
    database: str, psql: psycopg.Connection
) -> None:
    several = [credential(str(number)) for number in range(30)]
    async with on_postgres(database, size=2) as (store, cache, recall):
        for number, one in enumerate(several):
            InPostgres(store, psql).knows(fact(one, name=f"user{number}"))
        await recall.settle()
        before = store.queries["recall"]
        busy, done = [asyncio.Event() for _ in range(2)], asyncio.Event()

        async def hold(ready: asyncio.Event) -> None:
            async with store.connection("test"):
                ready.set()
                await done.wait()

        holding = [asyncio.create_task(hold(ready)) for ready in busy]
        await asyncio.gather(*(ready.wait() for ready in busy))
        views = {one: Recalled(cache, Trust.MEMORY) for one in several}
        waiting = [asyncio.create_task(recall.recall(Missing(False, (one,)), view)) for one, view in views.items()]
        while not store.waiting():  # noqa: ASYNC110 - the pool tells nobody who waits
            await asyncio.sleep(0)
        done.set()
        await asyncio.gather(*holding, *waiting)
        assert [name(view, one) for one, view in views.items()] == [f"user{number}" for number in range(30)]
        assert store.queries["recall"] == before + 1


async def test_a_statement_that_began_before_a_commit_and_ended_after_it_was_heard_leaves_nothing_old(
    database: str, psql: psycopg.Connection
) -> None:
    async with on_postgres(database) as (store, cache, recall):
        InPostgres(store, psql).knows(fact(ONE))
        await recall.settle()
        async with (
            await psycopg.AsyncConnection.connect(database, autocommit=True) as ear,
            await psycopg.AsyncConnection.connect(database) as barrier,
        ):
            await ear.execute("LISTEN gateway")
            await barrier.execute("LOCK TABLE gateway.sessions IN ACCESS EXCLUSIVE MODE")
            early, late = Recalled(cache, Trust.MEMORY), Recalled(cache, Trust.MEMORY)
            first = asyncio.create_task(recall.recall(Missing(False, (ONE,)), early))
            stopped = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'sessions'::regclass"
            while not psql.execute(stopped).fetchall():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            psql.execute("UPDATE users SET disabled_at = now()")
            async for notice in ear.notifies(stop_after=1):
                kind, _, key = notice.payload.partition(":")
                cache.forget(kind, key)
            second = asyncio.create_task(recall.recall(Missing(False, (ONE,)), late))
            await asyncio.sleep(0)
            await barrier.rollback()
            await asyncio.gather(first, second)
        assert name(early) == "alice"
        assert name(late) is None
        kept = cache.get(ONE)
        assert kept is not None
        assert (kept.identity, kept.reason) == (None, "disabled")
