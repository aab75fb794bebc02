"""Fill what memory misses: the only way from the hot path to storage.

One question per fact however many requests wait for it, and whatever waits for a connection is joined into one
statement. An answer is kept only if nothing it was made from changed since it was read; one that is not kept still
serves the requests that came before its read began, and later ones ask again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from gateway import policy
from gateway.cache import ANY, Cache, Entry, Trust
from gateway.errors import GatewayError, StoreBusy, StoreSilent, Unavailable
from gateway.lookups import Answer, Ask, Fact, Lookups
from gateway.model import App, Credential, Identity, Key, Level, Missing
from gateway.policy import Policy
from gateway.tokens import Ring

PATIENCE = 3.0
"""Seconds a check waits for one answer: longer than a checkout and a statement may take together."""
MOST = 500
"""Credentials in one statement."""
SETTLE = 0.8
IDLE_AGAIN = 60.0


class Recalled:
    """What has just been proven, on top of what memory knows: the view a check is repeated on. ``basis`` is how far
    memory was believed when it was made."""

    def __init__(self, cache: Cache, basis: Trust) -> None:
        self._cache = cache
        self.basis = basis
        self._entries: dict[Credential, Entry] = {}
        self.policy: Policy | None = cache.policy if basis is not Trust.ASK else None

    @property
    def ring(self) -> Ring:
        """As memory's."""
        return self._cache.ring

    @property
    def seen(self) -> dict[Credential, float]:
        """As memory's."""
        return self._cache.seen

    def trust(self, now: float, wall: float) -> Trust:
        """Proven now, so it may be believed, as long as it takes to answer."""
        return Trust.OUTAGE if self.basis is Trust.OUTAGE else Trust.MEMORY

    def get(self, credential: Credential) -> Entry | None:
        """What was proven, else what memory knows where memory may be believed."""
        found = self._entries.get(credential)
        return found if found is not None or self.basis is Trust.ASK else self._cache.get(credential)

    def learn(self, credential: Credential | None, entry: Entry | None, policy: Policy) -> None:
        """One answer."""
        self.policy = policy
        if credential is not None and entry is not None:
            self._entries[credential] = entry


class Landing(NamedTuple):
    """What a flight brought: the entry, the policy's revision at that moment, and whether memory kept the entry."""

    entry: Entry | None
    revision: int
    kept: bool


class Flight:
    """One fact being asked for. ``began`` once its statement was sent; then whoever joins may have to ask again."""

    def __init__(self) -> None:
        self.landed: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        self.began = False


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
        self._apps, self._max_age, self._second = tuple(apps), max_age, second_factors
        self._at_once = at_once
        self._waiting: dict[Credential | None, Flight] = {}
        self._flying: dict[Credential | None, Flight] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._loading: asyncio.Task[Policy] | None = None
        self._timed = timed

    async def recall(self, missing: Missing, view: Recalled) -> None:
        """Learn the missing facts into ``view``; raises Unavailable where they cannot be known now."""
        for credential in missing.credentials or (None,):
            view.learn(credential, *await self._fact(credential))

    async def settle(self) -> None:
        """Have a policy again, if it was forgotten; in vain is no harm, since a missing policy is asked for."""
        if self._cache.policy is None:
            try:
                async with asyncio.timeout(SETTLE):
                    await asyncio.shield(self._policy())
            except (GatewayError, TimeoutError):
                return

    async def refill(self, most: int) -> None:
        """After everything was forgotten: the policy, and the most recently used credentials, in two statements."""
        epoch, sent = self._cache.epoch, self._clock()
        answer = await self._lookups.preload(most)
        for fact in answer.facts.values():
            self._cache.put(fact.credential, self._entry(fact.credential, fact, sent), epoch)
        await self._policy()

    async def close(self) -> None:
        """End what is still being asked."""
        tasks = [*self._workers, *([self._loading] if self._loading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fact(self, credential: Credential | None) -> tuple[Entry | None, Policy]:
        while True:
            flight, late = self._join(credential)
            try:
                async with asyncio.timeout(PATIENCE):
                    landing = await asyncio.shield(flight.landed)
                    known = await self._at_least(landing.revision)
            except TimeoutError:
                raise StoreBusy("the database does not answer in time") from None
            if landing.kept or not late:
                return landing.entry, known

    def _join(self, credential: Credential | None) -> tuple[Flight, bool]:
        flight = self._waiting.get(credential) or self._flying.get(credential)
        if flight is not None:
            return flight, flight.began
        flight = self._waiting[credential] = Flight()
        if len(self._workers) < self._at_once:
            worker = asyncio.create_task(self._work(), name="recall")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return flight, False

    async def _work(self) -> None:
        """Take what waits as soon as there is a connection, all of it in one statement, until nothing waits."""
        while self._waiting:
            batch: dict[Credential | None, Flight] = {}
            try:
                async with self._lookups.asking() as ask:
                    batch = self._take()
                    if batch:
                        await self._ask(ask, batch)
            except Exception as error:  # whatever went wrong, everybody who waits must be told
                batch = batch or self._take()
                self._fail(batch, error)
            finally:
                for credential in batch:
                    self._flying.pop(credential, None)

    async def _ask(self, ask: Ask, batch: dict[Credential | None, Flight]) -> None:
        epoch, sent = self._cache.epoch, self._clock()
        answer = await ask([credential for credential in batch if credential is not None])
        self._timed(self._clock() - sent)
        self._cache.answering()
        self._land(batch, answer, epoch, sent)

    def _take(self) -> dict[Credential | None, Flight]:
        batch = dict(list(self._waiting.items())[:MOST])
        for credential, flight in batch.items():
            del self._waiting[credential]
            flight.began = True
        self._flying.update(batch)
        return batch

    def _land(self, batch: dict[Credential | None, Flight], answer: Answer, epoch: int, sent: float) -> None:
        for credential, flight in batch.items():
            entry, kept = None, epoch == self._cache.epoch
            if credential is not None:
                entry = self._entry(credential, answer.facts.get(credential), sent)
                kept = self._cache.put(credential, entry, epoch)
            if not flight.landed.done():
                flight.landed.set_result(Landing(entry, answer.revision, kept))

    def _fail(self, batch: dict[Credential | None, Flight], error: Exception) -> None:
        if isinstance(error, StoreSilent):
            self._cache.silent(self._clock())
        known = error if isinstance(error, Unavailable) else StoreBusy(f"recall failed: {type(error).__name__}")
        known.__cause__ = None if known is error else error
        for flight in batch.values():
            if not flight.landed.done():
                flight.landed.set_exception(known)
                flight.landed.exception()  # retrieved here: a waiter may have left, and that is no fault of ours

    async def _at_least(self, revision: int) -> Policy:
        """The policy in memory if it is not older than ``revision``, else a fresh one."""
        known = self._cache.policy
        return known if known is not None and known.revision >= revision else await self._policy()

    async def _policy(self) -> Policy:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load(), name="policy")
        return await asyncio.shield(self._loading)

    async def _load(self) -> Policy:
        """Read until no announcement overtook the reading."""
        while True:
            epoch = self._cache.epoch
            stored = await self._lookups.policy()
            fresh = policy.compile_policy(stored.revision, (*self._apps, *stored.apps))
            if self._cache.put_policy(fresh, epoch):
                return fresh

    def _entry(self, credential: Credential, fact: Fact | None, sent: float) -> Entry:
        """Deadlines are counted from when the question was sent, so they never end late."""
        if fact is None:
            return Entry(None, frozenset({(credential.kind_of_row, ANY)}), reason="unknown")
        idle_ends = max(sent + fact.idle_ends, self._cache.seen.get(credential, -inf) + fact.idle)
        refused = fact.refused or ("idle" if idle_ends <= sent else "")
        # Another replica may know of a use it has not written yet, so idleness is asked about again soon.
        age = IDLE_AGAIN if refused == "idle" else self._max_age
        stale = sent + age * random.uniform(0.9, 1.0)  # noqa: S311 - jitter, not a secret
        identity = None if refused else self._identity(fact)
        return Entry(
            identity,
            _made_from(fact),
            ends=sent + fact.ends,
            idle=fact.idle,
            idle_ends=idle_ends,
            stale=stale,
            born=sent - fact.age,
            reason=refused,
        )

    def _identity(self, fact: Fact) -> Identity:
        return Identity(
            tenant=fact.tenant,
            user_id=fact.user_id,
            name=fact.name,
            display=fact.display,
            email=fact.email,
            groups=frozenset(fact.groups),
            level=Level(fact.level),
            second=bool(self._second & set(fact.factors)),
            apps=None if fact.apps is None else frozenset(fact.apps),
            audience=fact.audience,
        )


def _made_from(fact: Fact) -> frozenset[Key]:
    kind = fact.credential.kind_of_row
    keys = {(kind, str(fact.id)), ("user", str(fact.user_id)), ("tenant", str(fact.tenant))}
    if fact.parent is not None:
        keys.add(("session", str(fact.parent)))
    return frozenset(keys | {("group", str(group)) for group in fact.group_ids})
