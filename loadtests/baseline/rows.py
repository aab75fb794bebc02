"""What the endpoint has to know for one answer, and the two ways to know it: asked every time, or read at the start.

Here: statements, and who sends them when. Not here: what is made of the rows (``endpoint``).
"""

from __future__ import annotations

from typing import Any, Protocol

from psycopg_pool import AsyncConnectionPool

POOL_SIZE = 4
POOL_TIMEOUT = 30.0
"""Seconds that a question waits for a connection; psycopg_pool's own default."""

APPS = "SELECT name FROM baseline.apps"
IDENTITIES = "SELECT private_key FROM baseline.identities"
SECRETS = "SELECT value FROM baseline.settings WHERE key = 'secret'"
DEVICES = "SELECT id FROM baseline.devices"
PROFILES = "SELECT value FROM baseline.settings WHERE key = 'profile'"
SEEN = "UPDATE baseline.devices SET last_connection = now() WHERE id = %s"

Pool = AsyncConnectionPool[Any]


class Rows(Protocol):
    """Six things, in the order in which an answer needs them."""

    async def app(self, name: str) -> bool: ...
    async def identity(self) -> bytes: ...
    async def secret(self) -> bytes: ...
    async def device(self, number: int) -> bool: ...
    async def seen(self, number: int) -> None: ...
    async def profile(self) -> str: ...


class Asked:
    """Each of the six is a checkout and a transaction of its own, and one of them writes the device's row."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def app(self, name: str) -> bool:
        return bool(await self._rows(f"{APPS} WHERE name = %s", name))

    async def identity(self) -> bytes:
        return bytes((await self._rows(IDENTITIES))[0][0])

    async def secret(self) -> bytes:
        return bytes.fromhex((await self._rows(SECRETS))[0][0])

    async def device(self, number: int) -> bool:
        return bool(await self._rows(f"{DEVICES} WHERE id = %s", number))

    async def seen(self, number: int) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(SEEN, (number,))

    async def profile(self) -> str:
        return str((await self._rows(PROFILES))[0][0])

    async def _rows(self, statement: str, *values: object) -> list[Any]:
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()


class Remembered:
    """All of it read once; where a device was last seen is not written down."""

    def __init__(self, apps: set[str], identity: bytes, secret: bytes, devices: set[int], profile: str) -> None:
        self._apps, self._identity, self._secret = apps, identity, secret
        self._devices, self._profile = devices, profile

    async def app(self, name: str) -> bool:
        return name in self._apps

    async def identity(self) -> bytes:
        return self._identity

    async def secret(self) -> bytes:
        return self._secret

    async def device(self, number: int) -> bool:
        return number in self._devices

    async def seen(self, number: int) -> None:
        return None

    async def profile(self) -> str:
        return self._profile


async def remember(pool: Pool) -> Remembered:
    """Everything that there is."""
    asked = Asked(pool)
    async with pool.connection() as connection:
        apps = {name for (name,) in await (await connection.execute(APPS)).fetchall()}
        devices = {number for (number,) in await (await connection.execute(DEVICES)).fetchall()}
    return Remembered(apps, await asked.identity(), await asked.secret(), devices, await asked.profile())
