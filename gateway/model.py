"""The words of the house, as values.

What lives here: the shapes every other room speaks in. What may not: anything that acts, reads a clock or imports
more than the standard library. Values made once a request are NamedTuples (cheap to build), values that are kept are
frozen dataclasses with slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Headers = list[tuple[bytes, bytes]]
Key = tuple[str, str]
"""A kind and a row id, as announced: ``("user", "42")``; ``"*"`` as the id means all of the kind."""


class Level(IntEnum):
    """How well a subject is known."""

    ANONYMOUS = 0
    ONE_FACTOR = 1
    TWO_FACTOR = 2


class Question(NamedTuple):
    """What arrived at a door, before anybody has read it. ``peer`` is the TCP peer, or None for a Unix socket."""

    method: str
    target: bytes
    headers: Headers
    peer: str | None

    def __repr__(self) -> str:
        return f"Question({self.method} from {self.peer})"


class AccessRequest(NamedTuple):
    """The original request, read once, as a proxy described it.

    ``host`` is in normal form (lower case, no port, no trailing dot). ``path`` is the decoded path for rules to match;
    ``unclear`` names why that path could be read in two ways, or is empty. ``uri`` is path and query exactly as sent.
    """

    method: str
    scheme: str
    host: str
    authority: str
    path: str
    unclear: str
    uri: str
    client: Address | None
    headers: Mapping[bytes, bytes]

    def __repr__(self) -> str:
        return f"AccessRequest({self.method} at {self.host})"


class Malformed(NamedTuple):
    """A question that is not answered: why, with its stable code and HTTP status (400 or 403)."""

    code: str
    reason: str
    status: int = 400


def kind_of_row(kind: str) -> str:
    """What is announced when the row of such a credential changes: both kinds of session are rows of one table."""
    return "api_key" if kind == "api_key" else "session"


class Credential(NamedTuple):
    """What a request presents, unproven. ``digest`` is all that memory and storage ever see of the token."""

    kind: str
    digest: bytes

    @property
    def kind_of_row(self) -> str:
        """What is announced when its row changes."""
        return kind_of_row(self.kind)

    def __repr__(self) -> str:
        return f"Credential({self.kind})"


@dataclass(frozen=True, slots=True)
class Identity:
    """A subject proven now. ``apps`` limits an API key to the named apps, ``audience`` a session to hosts of a domain.

    ``second`` tells whether this subject has a second factor that it could still show.
    """

    tenant: int
    user_id: int
    name: str
    display: str = ""
    email: str = ""
    groups: frozenset[str] = frozenset()
    level: Level = Level.ONE_FACTOR
    second: bool = False
    apps: frozenset[str] | None = None
    audience: str = ""
    blocks: dict[str, Headers | None] = field(default_factory=dict, compare=False, repr=False)
    """Identity headers, rendered once per header set. Derived from the other fields, so not part of what is compared."""


class Allow(NamedTuple):
    """Let in. ``identity`` is None for somebody unknown on a public path; ``key`` is the entry that proved it, and
    ``headers`` is the whole header block of the answer, rendered before."""

    app: str
    rule: int
    identity: Identity | None
    key: Credential | None
    headers: Headers


class Deny(NamedTuple):
    """Refused, whoever asks again. ``code`` is stable, ``reason`` is for people and logs."""

    app: str
    rule: int
    code: str
    reason: str
    identity: Identity | None = None


class Challenge(NamedTuple):
    """Not known well enough: sign in (or show a second factor)."""

    app: str
    rule: int
    reason: str
    level: Level = Level.ONE_FACTOR


class Missing(NamedTuple):
    """Memory does not know: the policy (no credentials), or the credentials to ask storage about."""

    policy: bool
    credentials: tuple[Credential, ...] = ()
    reason: str = "unknown"


Decision = Allow | Deny | Challenge


class Held(NamedTuple):
    """A condition is true of this request."""


class Failed(NamedTuple):
    """A condition is not true of this request."""

    reason: str


class Unknown(NamedTuple):
    """A condition is about a subject, and nobody is known yet."""

    reason: str


class Unclear(NamedTuple):
    """A condition would have to read a path that has two readings, so it is not judged."""

    reason: str


Holds = Held | Failed | Unknown | Unclear
HELD = Held()


class Reply(NamedTuple):
    """An HTTP answer, whatever the caller's dialect. ``raw`` is the headers as they stand in a message, where that was at
    hand."""

    status: int
    headers: Headers
    body: bytes = b""
    raw: bytes = b""


class Form(NamedTuple):
    """A refusal that is the same each time but for its request id, the last header and the last word of the body."""

    status: int
    headers: Headers
    raw: bytes
    body: bytes

    def fill(self, request_id: bytes) -> Reply:
        """The refusal with this id."""
        return Reply(
            self.status,
            [*self.headers, (b"x-request-id", request_id)],
            b'%b"%b"}' % (self.body, request_id),
            b"%bx-request-id: %b\r\n" % (self.raw, request_id),
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the policy, as written: which requests, which subjects, what effect. Empty means "any"."""

    policy: str
    path: str = ""
    path_exact: str = ""
    path_regex: str = ""
    methods: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    outage: bool = True


@dataclass(frozen=True, slots=True)
class App:
    """A protected service, as written in ``apps.yaml`` and stored."""

    name: str
    title: str
    hosts: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    upstream: str = ""
    authorization: str = "app"
    preflight: str = "check"
    origins: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    upgrades: tuple[str, ...] = ()


class Proof(NamedTuple):
    """A login step succeeded: who, and with which factor."""

    user_id: int
    factor: str


class Refusal(NamedTuple):
    """A login step failed: a stable code and a sentence that tells a person nothing an attacker wants."""

    code: str
    reason: str
