"""One check with patience: asks memory, recalls what is missing, and checks again. Where a cold check waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gateway import questions
from gateway.cache import Cache, Trust
from gateway.check import NOBODY, Found, Moment, check, identify
from gateway.credentials import CookieNames, portal
from gateway.errors import StoreSilent, Unavailable
from gateway.model import AccessRequest, Decision, Headers, Malformed, Missing
from gateway.services.recall import Recall
from gateway.services.recalled import Recalled

ATTEMPTS = 5
"""Facts come in at most three rounds; two more for a store that goes or comes back meanwhile."""

Clock = Callable[[], Moment]
T = TypeVar("T")


async def decide(request: AccessRequest, cache: Cache, recall: Recall, names: CookieNames, clock: Clock) -> Decision:
    """The decision, or Unavailable."""
    return await patiently(lambda view: check(request, view, names, clock()), cache, recall, clock)


async def known(headers: Headers, cache: Cache, recall: Recall, names: CookieNames, clock: Clock) -> Found:
    """Who presents the portal cookie. Never from memory in an outage: the portal changes things."""
    sent = questions.collect(headers, ())
    if isinstance(sent, Malformed):
        return NOBODY

    def ask(view: Recalled) -> Found | Missing:
        if view.basis is Trust.OUTAGE:
            return Missing(policy=True, reason="the portal is closed while the database is away")
        return identify(sent, view, names, clock(), Trust.MEMORY, (portal,))

    return await patiently(ask, cache, recall, clock)


async def patiently(ask: Callable[[Recalled], T | Missing], cache: Cache, recall: Recall, clock: Clock) -> T:
    """What ``ask`` says once it misses nothing; Unavailable where that cannot be known now."""
    view: Recalled | None = None
    for _ in range(ATTEMPTS):
        trust = cache.trust(*clock())
        if view is None or view.basis is not trust:
            view = Recalled(cache, trust)
        answer = ask(view)
        if not isinstance(answer, Missing):
            return answer
        try:
            await recall.recall(answer, view)
        except StoreSilent:
            if trust is Trust.OUTAGE or cache.trust(*clock()) is not Trust.OUTAGE:
                raise
    raise Unavailable("the facts keep changing while they are read")
