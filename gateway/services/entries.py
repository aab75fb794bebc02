"""From what storage says of a credential to what memory keeps of it: who it proves, until when, and every row that it was
made from. A row left out here is a revocation that is not heard."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from functools import lru_cache

from gateway.cache import ANY, Entry, Origin
from gateway.lookups import Fact
from gateway.model import Credential, Identity, Key, Level

IDLE_AGAIN = 60.0
"""Seconds until idleness is asked about again."""


@dataclass(frozen=True, slots=True)
class Entries:
    """How entries are made: how long one may be used (seconds), and which factors can be shown as a second one."""

    max_age: float
    second_factors: frozenset[str]

    def entry(self, credential: Credential, fact: Fact | None, sent: float, used: float) -> Entry:
        """Deadlines are counted from when the question was sent, so they never end late. ``used`` is the last use that
        this process knows of (boot clock, minus infinity for none)."""
        if fact is None:
            return Entry(Origin(credential.kind, None, ((credential.kind_of_row, ANY),), reason="unknown"))
        idle_ends = max(sent + fact.idle_ends, used + fact.idle)
        refused = fact.refused or ("idle" if idle_ends <= sent else "")
        # Another replica may know of a use it has not written yet, so idleness is asked about again soon.
        age = min(IDLE_AGAIN, self.max_age) if refused == "idle" else self.max_age
        identity = None if refused else self._identity(fact)
        return Entry(
            Origin(sys.intern(credential.kind), identity, _rows(fact), _same(fact.idle), refused),
            fact.id,
            fact.parent,
            ends=sent + fact.ends,
            idle_ends=idle_ends,
            stale=_same(float(int(sent + age * random.uniform(0.9, 1.0)))),  # noqa: S311 - jitter, not a secret
        )

    def _identity(self, fact: Fact) -> Identity:
        return Identity(
            tenant=fact.tenant,
            user_id=fact.user_id,
            name=fact.name,
            display=fact.display,
            email=fact.email,
            groups=_names(fact.groups),
            level=Level(fact.level),
            second=bool(self.second_factors & set(fact.factors)),
            apps=None if fact.apps is None else _names(fact.apps),
            audience=sys.intern(fact.audience),
        )


def _rows(fact: Fact) -> tuple[Key, ...]:
    """The rows it was read from but its own."""
    shared = (_key("group", group) for group in sorted(fact.group_ids))
    return (("user", str(fact.user_id)), _key("tenant", fact.tenant), *shared)


# What is said of many people is kept once, as long as it is said often.
@lru_cache(10_000)
def _key(kind: str, row: int) -> Key:
    return kind, str(row)


@lru_cache(10_000)
def _names(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


@lru_cache(10_000)
def _same(seconds: float) -> float:
    return seconds
