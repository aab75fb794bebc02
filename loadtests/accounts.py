"""People for a run: made with the use cases that the command line stands on, while the gateway serves.

Here: sessions, keys, and sessions that are over. Not here: what is changed while a run is under way (``changes``).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gateway.services import api_keys, sessions, users
from gateway.services.ground import Ground
from gateway.storage import migrate, ringfile
from gateway.storage.fence import acknowledgements
from gateway.storage.pool import Store

ACTOR, DOMAIN = "loadtests", "gateway.localhost"
HOUR = 3600.0
KEYS = EXPIRED = 4
"""So many of each take turns."""


class Place(NamedTuple):
    """Where a gateway keeps things: its database and its signing keys."""

    url: str
    ring: Path


class Files(NamedTuple):
    """What locust is given, one of each a line."""

    cookies: Path
    expired: Path
    keys: Path


@asynccontextmanager
async def ground(place: Place, kind: type[Store] = Store) -> AsyncIterator[Ground]:
    """What use cases stand on, with an ear for acknowledgements."""
    with migrate.connect(place.url) as connection:
        ring = ringfile.open_ring(place.ring, connection)
    store = kind(place.url, 1)
    await store.open()
    try:
        async with acknowledgements(place.url) as acks:
            yield Ground(store, acks, lambda: ring, time.time)
    finally:
        await store.close()


async def people(on: Ground, number: int) -> None:
    """load0, load1 and so on."""
    for place in range(number):
        await users.add(on, ACTOR, f"load{place}", secrets.token_urlsafe(12))


async def sign_in(place: Place, number: int, directory: Path, *, new: bool = True) -> Files:
    """A fresh session for each of so many people (who are made where ``new``), and the rest that a run mixes in."""
    async with ground(place) as on:
        if new:
            await people(on, number)
        cookies = [await cookie(on, f"load{person}") for person in range(number)]
        earlier = replace(on, wall=lambda: time.time() - 2 * HOUR)
        over = [await cookie(earlier, f"load{turn % number}") for turn in range(EXPIRED)]
        keys = [(await api_keys.create(on, ACTOR, f"load{turn % number}", "load test"))[1] for turn in range(KEYS)]
    return Files(*(write_private(directory, lines) for lines in (cookies, over, keys)))


async def cookie(on: Ground, name: str) -> str:
    """A session of ``name`` as a browser sends it."""
    return f"gateway_session={(await sessions.create(on, ACTOR, name, HOUR, DOMAIN))[1]}"


def write_private(directory: Path, lines: Iterable[str]) -> Path:
    """A file of lines for ourselves alone."""
    file = directory / secrets.token_hex(8)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.writelines(f"{line}\n" for line in lines)
    return file
