"""Use cases of sessions: list them, end them, make one for a probe."""

from __future__ import annotations

from gateway import tokens
from gateway.errors import NotFound, Refused
from gateway.services.ground import Ground, Silent, taking_away
from gateway.storage import audit, sessions, users
from gateway.storage.sessions import NewSession
from gateway.storage.sessions import Session as Session

LONGEST_PROBE = 86400.0
"""Seconds; a session that nobody signed in for is for probes."""


async def listing(ground: Ground, user: str | None = None) -> list[Session]:
    """Living sessions, of everybody or of one user."""
    async with ground.store.transaction("sessions") as tx:
        if user is not None and await users.named(tx, user) is None:
            raise NotFound(f"there is no user called {user}")
        return await sessions.listing(tx, user)


async def sign_ins(ground: Ground, user: int, own: bytes) -> tuple[list[Session], int | None]:
    """One person's sign-ins, and which of them has the digest ``own``."""
    async with ground.store.transaction("sessions") as tx:
        return await sessions.roots_of(tx, user), await sessions.number_of(tx, own)


async def revoke(ground: Ground, actor: str, session: int, owner: int | None = None) -> Silent:
    """End one session and its children; of ``owner`` only, where given."""
    async with taking_away(ground, "sessions") as taking:
        if not await sessions.end(taking.tx, session, owner):
            raise NotFound(f"there is no living session {session}")
        await audit.record(taking.tx, actor, "session.revoke", f"session:{session}")
    return taking.silent


async def revoke_user(ground: Ground, actor: str, name: str) -> tuple[int, Silent]:
    """End every session of one user; how many, and who stayed silent."""
    async with taking_away(ground, "sessions") as taking:
        user = await users.named(taking.tx, name)
        if user is None:
            raise NotFound(f"there is no user called {name}")
        ended = await sessions.end_user(taking.tx, user.id)
        await audit.record(taking.tx, actor, "session.revoke_user", f"user:{user.id}", name=name, ended=len(ended))
    return len(ended), taking.silent


async def create(ground: Ground, actor: str, name: str, seconds: float, audience: str) -> tuple[int, str]:
    """An app session without a sign-in, for load tests and probes: its id and its token, shown once."""
    if not 0 < seconds <= LONGEST_PROBE:
        raise Refused("a session without a sign-in lives a day at most")
    ring = ground.ring()
    token = tokens.mint(ring, "session", int(ground.wall() + seconds))
    async with ground.store.transaction("sessions") as tx:
        user = await users.named(tx, name)
        if user is None:
            raise NotFound(f"there is no user called {name}")
        new = NewSession(
            user=user.id,
            kind="session",
            digest=tokens.digest(ring, token.encode()),
            absolute=seconds,
            idle=seconds,
            audience=audience,
            label="made by an administrator",
        )
        number = await sessions.add(tx, new)
        await audit.record(tx, actor, "session.create", f"session:{number}", name=name, seconds=seconds)
    return number, token
