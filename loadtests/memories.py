"""A gateway without a network: a memory of any size, filled as recall fills it, and questions to its hot door.

A session's token is made from its number, so that a million of them take no room beside what is measured: memory knows
them by digest, and a token that is known needs no proof. Nothing here is timed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any, NamedTuple, cast

from gateway import clocks, tokens
from gateway.cache import Bounds, Cache
from gateway.credentials.cookies import names
from gateway.dialects import traefik
from gateway.endpoints.forwardauth import ForwardAuth, Judge
from gateway.forwarded import Trust
from gateway.lookups import Fact
from gateway.model import App, Credential, Question, Reply, Rule
from gateway.policy import compile_policy
from gateway.replies import Speech
from gateway.services.entries import Entries
from gateway.services.recall import Recall
from gateway.tokens import Ring

EACH = 10
"""Sessions of one person, each with a sign-in of its own."""
EVERYBODY = 1
"""The group in which everybody is."""
WEEK, MONTH = 7 * 86_400.0, 30 * 86_400.0
COPIED = (
    Rule("deny", path="/internal/"),
    Rule("bypass", path="/public/"),
    Rule("one_factor", path_regex="^/api/v[0-9]+/admin", groups=("admins",)),
    Rule("one_factor", methods=("DELETE",), groups=("staff",)),
)
"""Most rules are copied from app to app."""
RULES = len(COPIED) + 1
RING = Ring("growth", b"key1", {b"key1": b"r" * 32}, b"d" * 32)


class Size(NamedTuple):
    """How much there is of what."""

    sessions: int = 1000
    apps: int = 2
    tenants: int = 1

    @property
    def rules(self) -> int:
        """Each app has the same."""
        return self.apps * RULES


def door(size: Size, made: Callable[[int], App]) -> ForwardAuth:
    """A hot door that knows its apps, as ``made``, before a memory that knows nobody."""
    cache = Cache(RING, Bounds(identities=2 * size.sessions))
    cache.policy = compile_policy(1, [(number % size.tenants + 1, made(number)) for number in range(size.apps)])
    recall = Recall(cache, cast(Any, None), clocks.boot)
    trust = Trust((ip_network("127.0.0.0/8"),))
    speech = Speech("https://auth.example.com", lambda url: url, lambda *_: ("", ""), lambda: "0")
    return ForwardAuth(traefik, Judge(cache, recall, trust, names(secure=True), clocks.moment, speech))


def app(number: int) -> App:
    """One of them. The last of its rules lets people in, and is its own."""
    own = Rule("one_factor", groups=("users", f"guests-{number}"))
    return App(f"app{number}", f"Application {number}", (host(number),), (*COPIED, own))


def unlike(number: int) -> App:
    """One with which no other has a rule in common."""
    own = (
        Rule("deny", path=f"/internal{number}/"),
        Rule("bypass", path=f"/public{number}/"),
        Rule("one_factor", path_regex=f"^/api/v{number}/admin", groups=("admins",)),
        Rule("one_factor", methods=("DELETE",), groups=(f"staff-{number}",)),
        Rule("one_factor", groups=("users", f"guests-{number}")),
    )
    return App(f"app{number}", f"Application {number}", (host(number),), own)


def host(number: int) -> str:
    """Of an app."""
    return f"app{number}.example.com"


def token(number: int) -> bytes:
    """Of a session, by its number."""
    return b"gws_%0*d" % (tokens.LENGTH - 4, number)


def fill(cache: Cache, size: Size) -> None:
    """Every session, put as recall puts it."""
    entries, sent = Entries(3600.0, frozenset({"totp"})), clocks.boot()
    for number in range(size.sessions):
        said = fact(number, size.tenants)
        assert cache.put(said.credential, entries.entry(said.credential, said, sent, float("-inf")), cache.epoch)


def hear(cache: Cache) -> None:
    """A heartbeat came back, so memory is believed."""
    now, wall = clocks.moment()
    cache.heard(now, wall - now)


def fact(number: int, tenants: int = 1) -> Fact:
    """What storage says of a session. Every value is a fresh one, as a driver makes them."""
    person, age = number // EACH, number * 0.37
    team = f"team-{person % 50:02}"
    return Fact(
        credential=Credential("session", tokens.digest(RING, token(number))),
        id=2 * number + 1,
        parent=2 * number,
        tenant=person % tenants + 1,
        user_id=person,
        name=f"person{person:06}",
        display=f"Person Number {person}",
        email=f"person{person:06}@example.com",
        groups=(team, "users"),
        group_ids=(EVERYBODY, 1000 + person % 50),
        factors=("password",),
        level=1,
        apps=None,
        audience="".join(("example", ".com")),
        ends=MONTH - age,
        idle=float(str(WEEK)),
        idle_ends=WEEK - age / 4,
        age=age,
        refused="",
    )


def questions(size: Size, number: int, chance: random.Random) -> list[Question]:
    """What Traefik asks for browsers whose sessions are drawn from all there are."""
    return [question(session, size, chance) for session in drawn(size, number, chance)]


def drawn(size: Size, number: int, chance: random.Random) -> Iterator[int]:
    """So many sessions by chance."""
    return (chance.randrange(size.sessions) for _ in range(number))


def question(session: int, size: Size, chance: random.Random) -> Question:
    """One session at an app of its tenant."""
    tenant = session // EACH % size.tenants
    place = tenant + size.tenants * chance.randrange(size.apps // size.tenants)
    headers = [
        (b"host", b"gateway:8000"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        (b"accept", b"*/*"),
        (b"cookie", b"theme=dark; __Secure-gateway_session=" + token(session)),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-forwarded-host", host(place).encode()),
        (b"x-forwarded-method", b"GET"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-uri", b"/api/assets/%d/thumbnail?size=preview" % chance.randrange(1_000_000)),
    ]
    return Question("GET", b"/auth/traefik", headers, "127.0.0.1")


def check(door: ForwardAuth, question: Question) -> Reply:
    """One warm check, read and answered from memory."""
    asked = door.read(question)
    reply = asked if isinstance(asked, Reply) else door.answer(asked)
    assert reply is not None, "memory does not know"
    return reply
