"""Use cases of API keys."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import tokens
from gateway.errors import NotFound, Refused
from gateway.services.ground import Ground, Silent, readable, taking_away
from gateway.storage import api_keys, audit, users
from gateway.storage import apps as app_rows
from gateway.storage.api_keys import ApiKey

LONGEST_LABEL = 128
LONGEST_LIFE = 3650 * 86400.0
"""Seconds; what is to live longer may as well have no end."""


async def create(
    ground: Ground,
    actor: str,
    name: str,
    label: str = "",
    apps: Sequence[str] | None = None,
    seconds: float | None = None,
) -> tuple[int, str]:
    """A key for ``name``, for the named apps (None: all that its owner may open); its id and the key, shown once."""
    readable(label, LONGEST_LABEL, "label")
    if seconds is not None and not 0 < seconds <= LONGEST_LIFE:
        raise Refused("a key lives between a second and ten years, or without an end")
    ring = ground.ring()
    expires = tokens.NEVER if seconds is None else int(ground.wall() + seconds)
    key = tokens.sealed(tokens.mint(ring, "api_key", expires))
    async with ground.store.transaction("api_keys") as tx:
        user = await users.named(tx, name)
        if user is None:
            raise NotFound(f"there is no user called {name}")
        if unknown := await app_rows.unknown(tx, apps or ()):
            raise NotFound(f"there is no app called {unknown[0]}")
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
        if user is not None and await users.named(tx, user) is None:
            raise NotFound(f"there is no user called {user}")
        return await api_keys.listing(tx, user)


async def revoke(ground: Ground, actor: str, key: int) -> Silent:
    """End one key."""
    async with taking_away(ground, "api_keys") as taking:
        if not await api_keys.end(taking.tx, key):
            raise NotFound(f"there is no living key {key}")
        await audit.record(taking.tx, actor, "key.revoke", f"api_key:{key}")
    return taking.silent
