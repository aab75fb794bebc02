"""From what storage says of a credential to what memory keeps of it: who it proves, until when, and every row that it was
made from. A row left out here is a revocation that is not heard."""

from __future__ import annotations

import random
from dataclasses import dataclass

from gateway.cache import ANY, Entry
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
            return Entry(None, frozenset({(credential.kind_of_row, ANY)}), reason="unknown")
        idle_ends = max(sent + fact.idle_ends, used + fact.idle)
        refused = fact.refused or ("idle" if idle_ends <= sent else "")
        # Another replica may know of a use it has not written yet, so idleness is asked about again soon.
        age = min(IDLE_AGAIN, self.max_age) if refused == "idle" else self.max_age
        return Entry(
            None if refused else self._identity(fact),
            _made_from(fact),
            ends=sent + fact.ends,
            idle=fact.idle,
            idle_ends=idle_ends,
            stale=sent + age * random.uniform(0.9, 1.0),  # noqa: S311 - jitter, not a secret
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
            second=bool(self.second_factors & set(fact.factors)),
            apps=None if fact.apps is None else frozenset(fact.apps),
            audience=fact.audience,
        )


def _made_from(fact: Fact) -> frozenset[Key]:
    kind = fact.credential.kind_of_row
    keys = {(kind, str(fact.id)), ("user", str(fact.user_id)), ("tenant", str(fact.tenant))}
    if fact.parent is not None:
        keys.add(("session", str(fact.parent)))
    return frozenset(keys | {("group", str(group)) for group in fact.group_ids})
