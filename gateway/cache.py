"""What is known: the only mutable state of the hot path.

Entries are kept under the digest of a credential, with every (kind, key) they were made from; ``forget`` walks that
index. ``put`` refuses an answer that was read before something it was made from changed: that closes the race "read
old, hear, store old". Trust is a comparison with the last heartbeat that came back, made at each check, never a flag.

Who may call: ``get``, ``policy``, ``trust`` check; ``put``, ``put_policy`` recall; ``forget``, ``heard``, ``forget_all``
receivers connected in ``app``; ``seen``, ``counters`` the doors; ``state`` health and metrics.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile

from gateway.model import Credential, Identity, Key
from gateway.policy import Policy
from gateway.tokens import Ring

ANY = "*"
RETAINED = 10_000
"""Announcements remembered for ``put``; a read older than all of them is refused."""


class Trust(Enum):
    """How far memory may be believed now (security of an outage: README, guarantees)."""

    MEMORY = "memory"
    OUTAGE = "outage"
    ASK = "ask"


@dataclass(slots=True)
class Entry:
    """What one credential proves, and until when (boot clock seconds). ``identity`` None: proven to be nobody."""

    identity: Identity | None
    made_from: frozenset[Key]
    ends: float = float("inf")
    idle: float = float("inf")
    idle_ends: float = float("inf")
    stale: float = float("inf")
    born: float = 0.0
    reason: str = ""


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
        self._known: dict[Credential, Entry] = {}
        self._nobody: dict[Credential, Entry] = {}
        self._index: dict[str, dict[str, set[Credential]]] = {}
        self._news: deque[tuple[int, Key]] = deque(maxlen=RETAINED)
        self._lease = float("-inf")
        self._offset = 0.0
        self._silent = float("-inf")

    def get(self, credential: Credential) -> Entry | None:
        """What is known of ``credential``, dead or alive; the caller compares its deadlines."""
        return self._known.get(credential) or self._nobody.get(credential)

    def trust(self, now: float, wall: float) -> Trust:
        """How far memory may be believed at ``now`` (boot clock) and ``wall`` (wall clock), in seconds."""
        if abs(wall - now - self._offset) > self.bounds.jump:
            return Trust.ASK
        age = now - self._lease
        if age <= self.bounds.grace:
            return Trust.MEMORY
        if age <= self.bounds.outage and self.store_is_silent(now):
            return Trust.OUTAGE
        return Trust.ASK

    def put(self, credential: Credential, entry: Entry, epoch: int) -> bool:
        """Keep ``entry``, read at ``epoch``; False if anything it was made from changed since."""
        if not self._current(entry.made_from, epoch):
            return False
        self._drop(credential)
        table, most = (self._known, self.bounds.identities) if entry.identity else (self._nobody, self.bounds.negatives)
        if len(table) >= most:
            self._drop(next(iter(table)))
        table[credential] = entry
        for kind, key in entry.made_from:
            self._index.setdefault(kind, {}).setdefault(key, set()).add(credential)
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
        for credential in self._touched(kind, key):
            self._drop(credential)

    def forget_all(self) -> None:
        """Assume that every notification was lost; also closes every read under way (their epoch overran)."""
        self.epoch += 1
        self._news.clear()
        self._news.append((self.epoch, (ANY, ANY)))
        self._known.clear()
        self._nobody.clear()
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
            entry = self._known.get(credential)
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

    def _touched(self, kind: str, key: str) -> list[Credential]:
        keys = self._index.get(kind, {})
        if key == ANY:
            return [credential for credentials in keys.values() for credential in credentials]
        return list(keys.get(key, ()))

    def _drop(self, credential: Credential) -> None:
        entry = self._known.pop(credential, None) or self._nobody.pop(credential, None)
        for kind, key in entry.made_from if entry else ():
            keys = self._index.get(kind, {})
            holders = keys.get(key, set())
            holders.discard(credential)
            if not holders:
                keys.pop(key, None)


def _touches(news: Key, made_from: set[Key]) -> bool:
    kind, key = news
    if kind == ANY:
        return True
    if key == ANY:
        return any(other == kind for other, _ in made_from)
    return news in made_from or (kind == "policy" and ("policy", ANY) in made_from)
