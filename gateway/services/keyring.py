"""Use cases of the signing keys. The ring is a file that all replicas share; the database only announces that it changed.

The file is written inside the transaction, before COMMIT: whoever hears the announcement reads the new file. If the
COMMIT fails after that, the next rotation tells the database what this one could not.

A withdrawal ends all sessions and API keys there as well: memory is filled from their rows, and what is open is judged
again by them, where nobody sees any more which key had signed a token.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from gateway.errors import CannotStart
from gateway.services.ground import Ground, Silent, taking_away
from gateway.storage import api_keys, audit, ringfile, sessions, signing_keys
from gateway.tokens import Ring


class Rotated(NamedTuple):
    """The new key's id, the ids of those withdrawn, and who stayed silent."""

    key: str
    withdrawn: tuple[str, ...]
    silent: Silent


async def rotate(ground: Ground, actor: str, path: Path) -> Rotated:
    """A new key signs from now on; what older ones signed stays valid."""
    return await _rotate(ground, actor, path, withdraw=False)


async def replace(ground: Ground, actor: str, path: Path) -> Rotated:
    """A new key signs from now on; whatever was signed before is refused, everywhere, when this returns."""
    return await _rotate(ground, actor, path, withdraw=True)


async def export(ground: Ground, actor: str, path: Path) -> str:
    """The ring as its file holds it: for another replica, never for a log."""
    ground.ring()
    text = await asyncio.to_thread(path.read_text, "utf-8")
    async with ground.store.transaction("keyring") as tx:
        await audit.record(tx, actor, "secret.export", "keyring")
    return text


async def _rotate(ground: Ground, actor: str, path: Path, *, withdraw: bool) -> Rotated:
    ground.ring()  # refuses a ring that is not this database's
    async with taking_away(ground, "keyring") as taking:
        await signing_keys.lock(taking.tx)
        ring = await asyncio.to_thread(_write, path, withdraw)
        key, withdrawn = ring.current.hex(), await signing_keys.match(taking.tx, [root.hex() for root in ring.roots])
        if withdrawn:
            await sessions.end_all(taking.tx)
            await api_keys.end_all(taking.tx)
        await audit.record(taking.tx, actor, "secret.rotate", f"key:{key}", withdrawn=withdrawn)
    return Rotated(key, tuple(withdrawn), taking.silent)


def _write(path: Path, withdraw: bool) -> Ring:
    try:
        return ringfile.rotate(path, withdraw=withdraw)[0]
    except OSError as error:
        raise CannotStart(f"cannot write the signing keys {path}: {error.strerror}") from None
