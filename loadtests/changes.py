"""What is changed while browsers are at it, and whether each change holds the moment it is made.

Sessions and keys are made and revoked, an account is closed and opened, and people who are just browsing change groups
(their browsers must not notice). A revocation has to be in force when it returns, whatever the load.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from accounts import ACTOR, cookie

from gateway.services import api_keys, sessions, users
from gateway.services.ground import Ground, Silent

EVERY = 1.0
"""Seconds between two rounds."""
RECALLS = 10
"""Questions to the database that a round may cause: each new or changed fact is asked for once."""
SUBJECT = "changes"

Ask = Callable[[dict[str, str]], Awaitable[object]]
"""Opens a private app's page with these headers; the status."""


class Changes:
    """The rounds so far, and what was not as it had to be."""

    def __init__(self, on: Ground, ask: Ask, people: int) -> None:
        self._on, self._ask, self._people = on, ask, people
        self.rounds = 0
        self.wrong: list[str] = []

    async def keep_on(self, most: int) -> None:
        """So many rounds at most, until cancelled; never in the middle of one."""
        await users.add(self._on, ACTOR, SUBJECT, secrets.token_urlsafe(12))
        while self.rounds < most:
            await asyncio.shield(self._round())
            await asyncio.sleep(EVERY)

    async def _round(self) -> None:
        self.rounds += 1
        await self._session()
        await self._key()
        await self._account()
        await users.set_groups(self._on, ACTOR, f"load{self.rounds % self._people}", [f"round {self.rounds}"])

    async def _session(self) -> None:
        number, token = await sessions.create(self._on, ACTOR, SUBJECT, 600.0, "gateway.localhost")
        sent = {"Cookie": f"gateway_session={token}"}
        await self._expect(sent, 200, "a session that was just made")
        self._heard(await sessions.revoke(self._on, ACTOR, number))
        await self._expect(sent, 401, "a session that was just revoked")

    async def _key(self) -> None:
        number, key = await api_keys.create(self._on, ACTOR, SUBJECT, "load test")
        sent = {"X-Api-Key": key}
        await self._expect(sent, 200, "a key that was just made")
        self._heard(await api_keys.revoke(self._on, ACTOR, number))
        await self._expect(sent, 401, "a key that was just revoked")

    async def _account(self) -> None:
        sent = {"Cookie": await cookie(self._on, SUBJECT)}
        await self._expect(sent, 200, "a session")
        self._heard(await users.disable(self._on, ACTOR, SUBJECT))
        await self._expect(sent, 401, "a session of an account that was just closed")
        await users.enable(self._on, ACTOR, SUBJECT)

    async def _expect(self, headers: dict[str, str], due: int, what: str) -> None:
        found = await self._ask(headers)
        if found != due:
            self.wrong.append(f"{what} was answered with {found}, where {due} was due")

    def _heard(self, silent: Silent) -> None:
        self.wrong += [f"{name} did not acknowledge within a second" for name in silent]
