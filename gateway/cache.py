"""What is known: the only mutable state of the hot path.

Entries are kept under the digest of a credential, and found by every (kind, key) they were made from (``remembered``);
``forget`` walks that index. ``put`` refuses an answer that was read before something it was made from changed: that closes
the race "read old, hear, store old". Trust is a comparison with the last heartbeat that came back, made at each check,
never a flag.

Who may call: ``get``, ``policy``, ``trust`` check; ``put``, ``put_policy`` recall; ``forget``, ``heard``, ``forget_all``
receivers connected in ``app``; ``seen``, ``counters`` the doors; ``state`` health and metrics.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import takewhile

from gateway.model import Credential, Key
from gateway.policy import Policy
from gateway.remembered import ANY, Entry, Index, Origin
from gateway.tokens import Ring

__all__ = ["ANY", "RETAINED", "Bounds", "Cache", "Entry", "Origin", "Trust"]

RETAINED = 10_000
"""Announcements remembered for ``put``; a read older than all of them is refused."""


class Trust(Enum):
    """How far memory may be believed now (security of an outage: README, guarantees)."""

    MEMORY = "memory"
    OUTAGE = "outage"
    ASK = "ask"


_MEMORY = Trust.MEMORY  # an enumeration looks its members up


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of memory and of trust in it; times in seconds."""

    identities: int = 100_000
    negatives: int = 10_000
    grace: float = 5.0
    outage: float = 60.0
    verdict: float = 3.0
    jump: float = 2.0


class Cache:
    """One process's memory."""

    def __init__(self, ring: Ring, bounds: Bounds) -> None:
        self.ring = ring
        self.bounds = bounds
        self.policy: Policy | None = None
        self.seen: dict[Credential, float] = {}
        self.accessed: dict[str, float] = {}
        self.counters: dict[tuple[str, str], int] = {}
        self.hits = 0
        self.misses = 0
        self.epoch = 0
        self._known: dict[bytes, Entry] = {}
        self._nobody: dict[bytes, Entry] = {}
        self._origins: dict[Origin, Origin] = {}
        self._index = Index()
        self._news: deque[tuple[int, Key]] = deque(maxlen=RETAINED)
        self._lease = float("-inf")
        self._offset = 0.0
        self._silent = float("-inf")

    def get(self, credential: Credential) -> Entry | None:
        """What is known of ``credential``, dead or alive; the caller compares its deadlines."""
        kind, digest = credential
        entry = self._known.get(digest) or self._nobody.get(digest)
        return entry if entry is not None and entry.kind == kind else None

    def trust(self, now: float, wall: float) -> Trust:
        """How far memory may be believed at ``now`` (boot clock) and ``wall`` (wall clock), in seconds."""
        bounds, age = self.bounds, now - self._lease
        if abs(wall - now - self._offset) > bounds.jump:
            return Trust.ASK
        if age <= bounds.grace:
            return _MEMORY
        if age <= bounds.outage and self.store_is_silent(now):
            return Trust.OUTAGE
        return Trust.ASK

    def put(self, credential: Credential, entry: Entry, epoch: int) -> bool:
        """Keep ``entry``, read at ``epoch``; False if anything it was made from changed since."""
        if not self._current(entry.made_from, epoch):
            return False
        digest = credential.digest
        self._drop(digest)
        table, most = (self._known, self.bounds.identities) if entry.identity else (self._nobody, self.bounds.negatives)
        if len(table) >= most:
            self._drop(next(iter(table)))
        table[digest] = entry
        entry.come_from(self._shared(entry.origin))
        entry.origin.hold(digest)
        for kind, row in entry.own():
            self._index.add(kind, row, digest)
        return True

    def put_policy(self, policy: Policy, epoch: int) -> bool:
        """Swap the policy in whole; False if a policy row changed since ``epoch``."""
        if not self._current({("policy", ANY)}, epoch):
            return False
        self.policy = policy
        return True

    def forget(self, kind: str, key: str) -> None:
        """Something changed: drop whatever was made from it, and remember that it changed."""
        self.epoch += 1
        self._news.append((self.epoch, (kind, key)))
        if kind == "policy":
            self.policy = None
            return
        for holder in self._index.find(kind, key):
            if isinstance(holder, Origin):
                self._drop_all(holder)
            else:
                self._drop(holder)

    def forget_all(self) -> None:
        """Assume that every notification was lost; also closes every read under way (their epoch overran)."""
        self.epoch += 1
        self._news.clear()
        self._news.append((self.epoch, (ANY, ANY)))
        self._known.clear()
        self._nobody.clear()
        self._origins.clear()
        self._index.clear()
        self.policy = None

    def heard(self, sent: float, offset: float) -> None:
        """A heartbeat sent at ``sent`` came back; ``offset`` is wall clock minus boot clock at that moment."""
        self._lease = max(self._lease, sent)
        self._offset = offset

    def silent(self, at: float) -> None:
        """The store was found refusing or silent at ``at`` (boot clock): no answer at all, not even an error."""
        self._silent = at

    def answering(self) -> None:
        """The store answered something, so memory is no substitute for asking it."""
        self._silent = float("-inf")

    def store_is_silent(self, now: float) -> bool:
        """Whether the last verdict, if it is fresh, was silence."""
        return now - self._silent <= self.bounds.verdict

    def take_seen(self) -> dict[Credential, float]:
        """The uses collected since the last call; moves the idle deadlines of what memory holds."""
        taken, self.seen = self.seen, {}
        for credential, at in taken.items():
            entry = self.get(credential)
            if entry is not None:
                entry.idle_ends = max(entry.idle_ends, at + entry.idle)
        return taken

    def take_accessed(self) -> dict[str, float]:
        """The last accesses of apps collected since the last call."""
        taken, self.accessed = self.accessed, {}
        return taken

    def state(self, now: float) -> dict[str, float]:
        """Numbers only."""
        return {
            "identities": len(self._known),
            "negatives": len(self._nobody),
            "epoch": self.epoch,
            "lease_age": now - self._lease,
            "policy": -1 if self.policy is None else self.policy.revision,
        }

    def _current(self, made_from: Iterable[Key], epoch: int) -> bool:
        """Whether nothing announced after ``epoch`` touches ``made_from`` (or too much was announced to know)."""
        if epoch == self.epoch:
            return True
        if not self._news or self._news[0][0] > epoch + 1:
            return False
        made = set(made_from)
        later = takewhile(lambda item: item[0] > epoch, reversed(self._news))
        return not any(_touches(news, made) for _, news in later)

    def _shared(self, origin: Origin) -> Origin:
        """The one of this memory that is equal to ``origin``, so that what many entries have in common is kept once."""
        kept = self._origins.get(origin)
        if kept is None:
            kept = replace(origin)
            self._origins[kept] = kept
            for kind, row in kept.rows:
                self._index.add(kind, row, kept)
        return kept

    def _drop(self, digest: bytes) -> None:
        entry = self._take(digest)
        if entry is not None:
            entry.origin.holders.remove(digest)
            if not entry.origin.holders:
                self._leave(entry.origin)

    def _drop_all(self, origin: Origin) -> None:
        for digest in origin.holders:
            self._take(digest)
        self._leave(origin)

    def _take(self, digest: bytes) -> Entry | None:
        """Out of the tables, and no longer found by its own rows."""
        entry = self._known.pop(digest, None) or self._nobody.pop(digest, None)
        for kind, row in entry.own() if entry else ():
            self._index.discard(kind, row, digest)
        return entry

    def _leave(self, origin: Origin) -> None:
        """Nothing in memory came from here any more."""
        self._origins.pop(origin, None)
        for kind, row in origin.rows:
            self._index.discard(kind, row, origin)


def _touches(news: Key, made_from: set[Key]) -> bool:
    kind, key = news
    if kind == ANY:
        return True
    if key == ANY:
        return any(other == kind for other, _ in made_from)
    return news in made_from or (kind == "policy" and ("policy", ANY) in made_from)
