"""Use cases of API keys."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import tokens
from gateway.errors import NotFound
from gateway.services.ground import Ground, Silent, taking_away
from gateway.storage import api_keys, audit, users
from gateway.storage.api_keys import ApiKey


async def create(
    ground: Ground,
    actor: str,
    name: str,
    label: str = "",
    apps: Sequence[str] | None = None,
    seconds: float | None = None,
) -> tuple[int, str]:
    """A key for ``name``, for the named apps (None: all that its owner may open); its id and the key, shown once."""
    ring = ground.ring()
    expires = tokens.NEVER if seconds is None else int(ground.wall() + seconds)
    key = tokens.sealed(tokens.mint(ring, "api_key", expires))
    async with ground.store.transaction("api_keys") as tx:
        user = await users.named(tx, name)
        if user is None:
            raise NotFound(f"there is no user called {name}")
        number = await api_keys.add(tx, user.id, tokens.digest(ring, key.encode()), label, apps, seconds)
        await audit.record(
            tx,
            actor,
            "key.create",
            f"api_key:{number}",
            name=name,
            label=label,
            apps=None if apps is None else list(apps),
        )
    return number, key


async def listing(ground: Ground, user: str | None = None) -> list[ApiKey]:
    """Living keys, of everybody or of one user."""
    async with ground.store.transaction("api_keys") as tx:
        return await api_keys.listing(tx, user)


async def revoke(ground: Ground, actor: str, key: int) -> Silent:
    """End one key."""
    async with taking_away(ground, "api_keys") as taking:
        if not await api_keys.end(taking.tx, key):
            raise NotFound(f"there is no living key {key}")
        await audit.record(taking.tx, actor, "key.revoke", f"api_key:{key}")
    return taking.silent
