"""The first person of an installation: ``admin``, with a password made here, kept in a private file until it is changed."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from gateway.passwords import verify_password
from gateway.services import users
from gateway.services.ground import Ground
from gateway.storage import ringfile
from gateway.storage import users as rows
from gateway.storage.fence import Acks
from gateway.storage.migrate import connect
from gateway.storage.pool import Store

NAME = "admin"
FILE = "first-password"


class First(NamedTuple):
    """Who signs in first; no password where somebody has changed it since, or removed that person."""

    name: str
    password: str


async def person(url: str, keys: Path, data_dir: Path) -> First:
    """Make the first person if there is nobody yet."""
    with connect(url) as connection:
        ring = ringfile.open_ring(keys, connection)
    store = Store(url, 1)
    await store.open()
    try:
        ground = Ground(store, Acks(), lambda: ring, time.time)
        return First(NAME, await _password(ground, data_dir / FILE))
    finally:
        await store.close()


async def _password(ground: Ground, file: Path) -> str:
    if await users.listing(ground):
        return await _kept(ground, file)
    made = secrets.token_urlsafe(12)
    _keep(file, made)
    await users.add(ground, "up", NAME, made, ["admins"], "Administrator")
    return made


async def _kept(ground: Ground, file: Path) -> str:
    """What the file says, if it still opens the door; a password that was changed is nobody's to print."""
    text = _read(file)
    async with ground.store.transaction("users") as tx:
        stored = await rows.password(tx, NAME)
    if text and stored is not None and verify_password(stored[1], text):
        return text
    _forget(file)
    return ""


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except OSError:
        return ""


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)


def _keep(file: Path, password: str) -> None:
    """Private from the start: the mode is given at creation."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget(file)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as kept:
        kept.write(password + "\n")
