"""The product on one page: request -> credential -> identity -> policy -> decision.

Pure and synchronous: it cannot query a database, because nothing it stands on may import one. What memory does not know
is a value, ``Missing``; the door that gets it asks ``services.recall`` and checks again. It never awaits and never
raises on anything that a request contains.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple, Protocol

from gateway import credentials, handshakes, policy, tokens
from gateway.cache import Entry, Trust
from gateway.credentials import CookieNames, Shown
from gateway.model import AccessRequest, Allow, Credential, Decision, Deny, Identity, Missing
from gateway.policy import CompiledApp, Outlook, Policy
from gateway.tokens import Ring


class Moment(NamedTuple):
    """When a check is made: boot clock for deadlines and trust, wall clock for what tokens say (seconds)."""

    now: float
    wall: float


class Memory(Protocol):
    """What a check reads: the cache, or what a recall has just proven on top of it."""

    @property
    def ring(self) -> Ring: ...
    @property
    def policy(self) -> Policy | None: ...
    @property
    def seen(self) -> dict[Credential, float]: ...
    def trust(self, now: float, wall: float) -> Trust: ...
    def get(self, credential: Credential) -> Entry | None: ...


class Found(NamedTuple):
    """Who the credentials prove, if anybody, and the entry's key. ``conflict``: two that prove different subjects."""

    identity: Identity | None
    key: Credential | None
    conflict: bool = False


NOBODY = Found(None, None)
HEADERS = frozenset({b"origin", b"access-control-request-method", b"sec-fetch-mode", *handshakes.MARKS})
"""All that is read here of a visitor's headers beside credentials."""
_BELIEVED = Trust.MEMORY
NOWHERE = Deny("", 0, "G137", "no app here owns this host")


def check(request: AccessRequest, memory: Memory, names: CookieNames, moment: Moment) -> Decision | Missing:
    """Decide ``request``, or say which facts are missing."""
    return weigh(request, credentials.show(request.headers, names, memory.ring), memory, moment)


def weigh(request: AccessRequest, shown: Shown, memory: Memory, moment: Moment) -> Decision | Missing:
    """Decide ``request``, whose credentials have been read, or say which facts are missing."""
    trust = memory.trust(moment.now, moment.wall)
    known = memory.policy
    found = prove(shown, memory, moment, trust)
    if isinstance(found, Missing):
        return found
    if known is None or trust is Trust.ASK:
        return Missing(policy=True, reason="policy")
    app = known.app(request.host)
    if app is None:
        return NOWHERE
    early = _before_the_rules(app, request, found)
    if early is not None:
        return early
    decision = policy.decide(app, request, found.identity, found.key, moment.now)
    if trust is Trust.OUTAGE and isinstance(decision, Allow) and not app.rules[decision.rule - 1].outage:
        return Missing(policy=True, reason="this rule is not answered from memory in an outage")
    return decision


def _before_the_rules(app: CompiledApp, request: AccessRequest, found: Found) -> Decision | None:
    """What no rule is asked about; nothing of it looks at the path."""
    if found.conflict:
        return Deny(app.name, 0, "G138", "two sessions of different people in one request")
    if handshakes.foreign(request, app.origins):
        return Deny(app.name, 0, "G139", "a page of another origin may not open WebSockets of this app", found.identity)
    if app.preflight and _is_preflight(request):
        return Allow(app.name, 0, None, None, app.nobody)
    return None


class Standing(NamedTuple):
    """What is decided for requests that differ in their path only, for as long as memory holds these very facts: the
    policy, and the entry that proved somebody (none: nothing was shown). ``early`` was decided before the rules."""

    policy: Policy
    key: Credential | None
    entry: Entry | None
    early: Decision | None
    outlook: Outlook | None


def stand(request: AccessRequest, shown: Shown, memory: Memory, moment: Moment) -> Standing | None:
    """The standing of whoever asks; None where memory does not know all of it, or two credentials would have to agree."""
    known, found = memory.policy, prove(shown, memory, moment, memory.trust(moment.now, moment.wall))
    if known is None or isinstance(found, Missing) or len(shown) > 1 or any(len(kind) > 1 for kind in shown):
        return None
    entry = memory.get(found.key) if found.key is not None else None
    if shown and entry is None:
        return None
    app = known.app(request.host)
    early = NOWHERE if app is None else _before_the_rules(app, request, found)
    if app is None or early is not None:
        return Standing(known, found.key, entry, early, None)
    view = policy.outlook(app, request, found.identity, found.key, moment.now)
    return Standing(known, found.key, entry, None, view)


def stands(standing: Standing, memory: Memory, moment: Moment) -> bool:
    """Whether memory still holds these facts, and may be believed now."""
    now, wall = moment
    known, key, entry, _, _ = standing
    if memory.policy is not known or memory.trust(now, wall) is not _BELIEVED:
        return False
    if key is None or entry is None:
        return True
    if now > entry.ends or memory.get(key) is not entry:
        return False
    return (now <= entry.idle_ends and now <= entry.stale) or _fresh(entry, key, memory, now, _BELIEVED)


def identify(
    headers: Mapping[bytes, bytes],
    memory: Memory,
    names: CookieNames,
    moment: Moment,
    trust: Trust,
    fan: tuple[ModuleType, ...] = credentials.FAN,
) -> Found | Missing:
    """Who presents these headers, by the kinds of credential in ``fan``."""
    return prove(credentials.show(headers, names, memory.ring, fan), memory, moment, trust)


def prove(shown: Shown, memory: Memory, moment: Moment, trust: Trust) -> Found | Missing:
    """Who shows this: the first kind of credential that proves somebody, in order of meaning."""
    for tokens_of_a_kind in shown:
        living, missing = [], []
        for credential, token in tokens_of_a_kind:
            entry = memory.get(credential) if trust is not Trust.ASK else None
            if entry is not None and _fresh(entry, credential, memory, moment.now, trust):
                living.append((credential, entry))
            elif token is None or tokens.admit(memory.ring, credential.kind, token, moment.wall):
                missing.append(credential)
        if missing:
            return Missing(policy=False, credentials=tuple(missing), reason="credential")
        if living and (found := _choose(living, moment.now)):
            return found
    return NOBODY


def _fresh(entry: Entry, credential: Credential, memory: Memory, now: float, trust: Trust) -> bool:
    """Whether memory may still speak for this entry. An idle deadline passed in memory is a question, not a denial; once
    storage has refused somebody as idle, it is an answer."""
    if now > entry.stale and trust is not Trust.OUTAGE:
        return False
    if entry.identity is None or now <= entry.idle_ends or now > entry.ends:
        return True
    seen = memory.seen.get(credential)
    return seen is not None and now <= seen + entry.idle


def _choose(entries: list[tuple[Credential, Entry]], now: float) -> Found | None:
    """Of several living entries the freshest, if they are of one subject; of none, nobody."""
    if len(entries) == 1:
        (key, entry) = entries[0]
        return Found(entry.identity, key) if entry.identity is not None and now <= entry.ends else None
    living = [(key, entry) for key, entry in entries if entry.identity is not None and now <= entry.ends]
    if not living:
        return None
    if len({entry.identity.user_id for _, entry in living if entry.identity}) > 1:
        return Found(None, None, conflict=True)
    key, entry = max(living, key=lambda pair: pair[1].row or 0)
    return Found(entry.identity, key)


def _is_preflight(request: AccessRequest) -> bool:
    """A CORS preflight as browsers send it (Fetch standard): it never carries credentials, and opens nothing."""
    sent = request.headers
    if request.method != "OPTIONS" or any(mark in sent for mark in handshakes.MARKS):
        return False
    return b"origin" in sent and b"access-control-request-method" in sent
