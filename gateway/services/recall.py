"""Fill what memory misses: the only way from the hot path to storage.

One question per fact however many requests wait for it, and whatever waits for a connection is joined into one
statement. An answer is kept only if nothing it was made from changed since it was read; one that is not kept still
serves the requests that came before its read began, and later ones ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from typing import NamedTuple, cast

from gateway import policy
from gateway.cache import Cache, Entry, Trust
from gateway.errors import GatewayError, StoreBusy, StoreSilent, Unavailable
from gateway.lookups import Answer, Ask, Fact, Lookups
from gateway.model import App, Credential, Missing
from gateway.policy import Policy
from gateway.services.entries import Entries
from gateway.services.recalled import Recalled

PATIENCE = 3.0
"""Seconds a check waits for its facts, however often they have to be asked for. A store that uses up the time limits of
a checkout and of a statement takes longer, and is not waited for."""
MOST = 500
"""Credentials in one statement."""
SETTLE = 0.8
"""Seconds a fence waits for a changed policy: less than its writer waits for the acknowledgement."""


class Landing(NamedTuple):
    """What a flight brought: the entry, the policy's revision at that moment, and whether memory kept the entry."""

    entry: Entry | None
    revision: int
    kept: bool


class Flight:
    """One fact being asked for. ``began`` once its statement is sent: whoever joins after that may have to ask again."""

    def __init__(self) -> None:
        self.landed: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        self.began = False


Batch = dict[Credential | None, Flight]


class Recall:
    """The one instance of a process."""

    def __init__(
        self,
        cache: Cache,
        lookups: Lookups,
        clock: Callable[[], float],
        *,
        apps: Iterable[tuple[int, App]] = (),
        at_once: int = 2,
        max_age: float = 3600.0,
        second_factors: frozenset[str] = frozenset(),
        timed: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        self._cache, self._lookups, self._clock = cache, lookups, clock
        self._apps, self._at_once = tuple(apps), at_once
        self._entries = Entries(max_age, second_factors)
        self._waiting: Batch = {}
        self._flying: Batch = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._loading: asyncio.Task[Policy] | None = None
        self._timed = timed

    async def recall(self, missing: Missing, view: Recalled) -> None:
        """Learn the missing facts into ``view``, all at once; raises Unavailable where they cannot be known now."""
        wanted = tuple(dict.fromkeys(missing.credentials)) or (None,)
        hearing = view.basis is Trust.MEMORY
        facts = await asyncio.gather(*(self._fact(credential, hearing) for credential in wanted))
        newest = max((known for _, known in facts), key=lambda known: known.revision)
        for credential, (entry, _) in zip(wanted, facts, strict=True):
            view.learn(credential, entry, newest)

    async def settle(self) -> None:
        """Have a policy again, if it was forgotten; in vain is no harm, since a missing policy is asked for."""
        if self._cache.policy is None:
            try:
                async with asyncio.timeout(SETTLE):
                    await asyncio.shield(self._policy())
            except (GatewayError, TimeoutError):
                return

    async def refill(self, most: int) -> None:
        """After everything was forgotten: the policy, and the most recently used credentials, in two statements. Without
        the second memory is only cold, so a store too slow for it does not keep the ear from hearing."""
        epoch, sent = self._cache.epoch, self._clock()
        with suppress(StoreBusy):
            answer = await self._lookups.preload(min(most, self._cache.bounds.identities))
            for fact in answer.facts.values():
                self._cache.put(fact.credential, self._entry(fact.credential, fact, sent), epoch)
        await self._policy()

    async def close(self) -> None:
        """End what is still being asked, and tell whoever waits."""
        tasks = [*self._workers, *([self._loading] if self._loading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = {**self._flying, **self._waiting}
        self._waiting.clear()
        self._fail(left, Unavailable("this replica is shutting down"))

    async def _fact(self, credential: Credential | None, hearing: bool) -> tuple[Entry | None, Policy]:
        """An answer whose reading began after this request came, or one that memory kept: that nothing was announced
        since proves something only while announcements are heard."""
        try:
            async with asyncio.timeout(PATIENCE):
                flight, late = self._join(credential)
                landing = await asyncio.shield(flight.landed)
                if late and not (landing.kept and hearing):
                    flight, _ = self._join(credential)  # whatever flies now took off after this request came
                    landing = await asyncio.shield(flight.landed)
                return landing.entry, await self._at_least(landing.revision)
        except TimeoutError:
            raise StoreBusy("the database does not answer in time") from None

    def _join(self, credential: Credential | None) -> tuple[Flight, bool]:
        flight = self._waiting.get(credential) or self._flying.get(credential)
        if flight is not None:
            return flight, flight.began
        flight = self._waiting[credential] = Flight()
        if len(self._workers) < self._at_once:
            self._workers.add(asyncio.create_task(self._work(), name="recall"))
        return flight, False

    async def _work(self) -> None:
        """Until nothing waits. It is off the list in the same step in which it finds that, so nobody relies on it."""
        try:
            while self._waiting:
                await self._fly()
        finally:
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _fly(self) -> None:
        """Take what waits as soon as there is a connection, all of it in one statement."""
        batch: Batch = {}
        try:
            async with self._lookups.asking() as ask:
                batch = self._take()
                if batch:
                    await self._ask(ask, batch)
        except Exception as error:  # whatever went wrong, everybody who waits must be told
            self._fail(batch or self._take(), error)

    async def _ask(self, ask: Ask, batch: Batch) -> None:
        epoch, sent = self._cache.epoch, self._clock()
        answer = await ask([credential for credential in batch if credential is not None])
        self._timed(self._clock() - sent)
        self._cache.answering()
        self._land(batch, answer, epoch, sent)

    def _take(self) -> Batch:
        batch = dict(list(self._waiting.items())[:MOST])
        for credential, flight in batch.items():
            del self._waiting[credential]
            flight.began = True
        self._flying.update(batch)
        return batch

    def _land(self, batch: Batch, answer: Answer, epoch: int, sent: float) -> None:
        for credential, flight in batch.items():
            entry, kept = None, epoch == self._cache.epoch
            if credential is not None:
                entry = self._entry(credential, answer.facts.get(credential), sent)
                kept = self._cache.put(credential, entry, epoch)
            self._leave(credential, flight)
            if not flight.landed.done():
                flight.landed.set_result(Landing(entry, answer.revision, kept))

    def _fail(self, batch: Batch, error: Exception) -> None:
        if isinstance(error, StoreSilent):
            self._cache.silent(self._clock())
        known = error if isinstance(error, Unavailable) else StoreBusy(f"recall failed: {type(error).__name__}")
        known.__cause__ = None if known is error else error
        for credential, flight in batch.items():
            self._leave(credential, flight)
            if not flight.landed.done():
                flight.landed.set_exception(known)
                flight.landed.exception()  # retrieved here: a waiter may have left, and that is no fault of ours

    def _leave(self, credential: Credential | None, flight: Flight) -> None:
        """A flight that has landed takes nobody on board: its answer may be out of date a moment later."""
        if self._flying.get(credential) is flight:
            del self._flying[credential]

    async def _at_least(self, revision: int) -> Policy:
        """The policy in memory if it is not older than ``revision``, else a fresh one. One that was being read already
        may be too old as well."""
        known = self._cache.policy
        while known is None or known.revision < revision:
            known = await self._policy()
        return known

    async def _policy(self) -> Policy:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load(), name="policy")
        return await asyncio.shield(self._loading)

    async def _load(self) -> Policy:
        """Read until no announcement overtook the reading."""
        while True:
            epoch = self._cache.epoch
            fresh = await self._read()
            if self._cache.put_policy(fresh, epoch):
                return fresh

    async def _read(self) -> Policy:
        """Our own apps come last, so no row of the store can take the portal's host."""
        try:
            stored = await self._lookups.policy()
            fresh = policy.compile_policy(stored.revision, (*stored.apps, *self._apps))
        except StoreSilent:
            self._cache.silent(self._clock())
            raise
        except GatewayError:
            raise
        except Exception as error:
            raise StoreBusy(f"the policy cannot be read: {type(error).__name__}") from error
        self._cache.answering()
        return fresh

    def _entry(self, credential: Credential, fact: Fact | None, sent: float) -> Entry:
        return self._entries.entry(credential, fact, sent, self._cache.seen.get(credential, -inf))
