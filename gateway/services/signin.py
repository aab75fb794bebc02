"""Signing in and out: the one dispatcher of a login.

A sign-in makes two sessions: the portal's, and its child for the apps of one domain, because every app under that domain
can read the child's cookie. Both ids are new each time (fixation); what the browser had before ends. Sign-in waits for
no fence, sign-out does.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway import signals, tokens
from gateway.errors import StoreBusy
from gateway.logins import password
from gateway.model import Proof, Refusal
from gateway.services.ground import Ground, Silent, taking_away
from gateway.services.users import NAME
from gateway.storage import audit, sessions, users
from gateway.storage.sessions import NewSession

THREADS = 2
QUEUE = 32
"""Passwords being verified and waiting; one more is told to come again. 19 MiB each."""


class Attempt(NamedTuple):
    """A sign-in under way: what was typed, on which browser (its label), and the portal token it presented before."""

    name: str
    password: str
    label: str = ""
    before: bytes = b""


class Tokens(NamedTuple):
    """What a browser gets: the portal's token and the apps'."""

    portal: str
    session: str


@dataclass(slots=True)
class Limits:
    """Seconds a session lasts, and the domain its app cookie is for."""

    absolute: float
    idle: float
    audience: str


@dataclass(slots=True)
class SignIn:
    """The dispatcher, with its bounded thread pool."""

    ground: Ground
    limits: Limits
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "password"))
    busy: int = 0

    async def sign_in(self, attempt: Attempt) -> Tokens | Refusal:
        """The tokens of a fresh pair of sessions, or why not. StoreBusy where too many verify passwords already."""
        stored = await self._stored(attempt.name)
        outcome = await self._verify(stored, attempt.password)
        if stored is None or isinstance(outcome, Refusal):
            return password.REFUSED
        return await self._open(outcome, attempt, stored)

    async def sign_out(self, token: bytes) -> Silent:
        """End the portal session of ``token`` with its children; returns when every hearing replica has forgotten."""
        digest = tokens.digest(self.ground.ring(), token)
        async with taking_away(self.ground, "signin") as taking:
            ended = await sessions.end_digest(taking.tx, digest)
            if ended:
                await audit.record(taking.tx, "self", "session.sign_out", f"session:{min(ended)}")
        signals.signed_out.send(self, sessions=ended)
        return taking.silent

    def close(self) -> None:
        """Take no more passwords."""
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def _stored(self, name: str) -> tuple[int, str] | None:
        """Whose password to verify. What can be nobody's name (one with NUL in it) is asked of nobody."""
        if not NAME.fullmatch(name):
            return None
        async with self.ground.store.transaction("signin") as tx:
            return await users.password(tx, name)

    async def _verify(self, stored: tuple[int, str] | None, answer: str) -> Proof | Refusal:
        if self.busy >= QUEUE:
            raise StoreBusy("too many people are signing in at this moment")
        self.busy += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, password.finish, stored, answer)
        finally:
            self.busy -= 1

    async def _open(self, proof: Proof, attempt: Attempt, stored: tuple[int, str]) -> Tokens | Refusal:
        """Two sessions, if what was verified still holds: a password that was changed meanwhile opens nothing."""
        ring, wall = self.ground.ring(), self.ground.wall()
        expires = int(wall + self.limits.absolute)
        made = Tokens(tokens.mint(ring, "portal", expires), tokens.mint(ring, "session", expires))
        parent = NewSession(
            user=proof.user_id,
            kind="portal",
            digest=tokens.digest(ring, made.portal.encode()),
            absolute=self.limits.absolute,
            idle=self.limits.idle,
            label=attempt.label[:256],
        )
        async with self.ground.store.transaction("signin") as tx:
            if not await users.keeps_password(tx, *stored):
                return password.REFUSED
            if attempt.before:
                await sessions.end_digest(tx, tokens.digest(ring, attempt.before))
            number = await sessions.add(tx, parent)
            child = parent._replace(
                kind="session",
                digest=tokens.digest(ring, made.session.encode()),
                audience=self.limits.audience,
                parent=number,
            )
            await sessions.add(tx, child)
            await audit.record(tx, f"user:{proof.user_id}", "session.sign_in", f"session:{number}", factor=proof.factor)
        signals.signed_in.send(self, user=proof.user_id, session=number)
        return made
