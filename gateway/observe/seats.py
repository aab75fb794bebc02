"""Where the workers of one replica leave their numbers for one another.

Whichever worker accepts a scrape asks all of them. Each has a *seat*: a directory below one that the supervisor made
(0700), locked as long as its worker lives, with a Unix socket that tells the worker's numbers and a file that holds them.
A worker writes the file before it tells, and once a second; who takes a dead one's seat counts on from the file. So no
count that was ever told is lost, however a worker ends, and there are never more seats than workers at one time.
The hot path knows nothing of it: it counts in plain integers, which a library's shared mapping would not be.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from gateway.errors import CannotStart
from gateway.observe.numbers import Numbers, counts, joined

logger = logging.getLogger("gateway.workers")
EVERY = 1.0
"""Seconds between two writings: as much as a killed worker can have counted that nobody hears of."""
PATIENCE = 1.0
"""Seconds in which a worker that lives tells its numbers, or is named as silent."""
MEMORY = Path("/dev/shm")  # noqa: S108  what is made in it is private
_FILE, _SOCKET = "numbers.json", "socket"


@contextmanager
def room() -> Iterator[Path]:
    """A private directory for the seats, while it is open. In memory where that can be had: a container's disk may be
    read-only."""
    try:
        made = tempfile.TemporaryDirectory(prefix="gateway-", dir=_place(), ignore_cleanup_errors=True)
    except OSError as error:
        raise CannotStart(f"several workers need a directory for temporary files: {error.strerror}") from None
    with made as name:
        yield Path(name)


def _place() -> Path | None:
    return MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None


class Alone:
    """The only worker: no file, no socket."""

    def __init__(self, numbers: Callable[[], Numbers]) -> None:
        self._numbers = numbers

    async def take(self) -> None:
        """Nothing to share."""

    async def leave(self) -> None:
        """Nothing to leave behind."""

    async def everybodys(self) -> Numbers:
        """Its own."""
        return self._numbers()


class Seat:
    """One worker's, among those in ``room``. ``numbers`` reads the worker's own."""

    def __init__(self, room: Path, numbers: Callable[[], Numbers]) -> None:
        self._room, self._numbers = room, numbers
        self._before: Numbers = {}
        self._task: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Sit down, once ready to answer: a worker that only starts is nobody's yet."""
        self._place, self._lock = _free(self._room)
        self._before = counts(_written(self._place)[1])
        self._write()
        (self._place / _SOCKET).unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._tell, self._place / _SOCKET)
        self._task = asyncio.create_task(self._keep_writing(), name="numbers")

    async def leave(self) -> None:
        """Write what is final, and get up."""
        if self._task is None:
            return
        self._task.cancel()
        self._task = None
        self._server.close()
        self._write()
        os.close(self._lock)

    async def everybodys(self) -> Numbers:
        """The numbers of the whole replica. A worker that does not tell them is counted and logged, never left out
        without a word; of the dead, what they counted."""
        seats = sorted(self._room.iterdir())
        return joined(await asyncio.gather(*map(_told, seats)))

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._write()

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._write())
        writer.close()

    def _write(self) -> bytes:
        """Atomically: a reader sees the old numbers or the new."""
        text = json.dumps([os.getpid(), joined((self._before, self._numbers()))]).encode()
        fresh = self._place / f"{_FILE}.new"
        try:
            fresh.write_bytes(text)
            fresh.replace(self._place / _FILE)
        except OSError as error:
            logger.warning("the numbers of this worker could not be written", extra={"problem": str(error)})
        return text


def _free(room: Path) -> tuple[Path, int]:
    """The first seat whose worker is gone, or a new one, and the lock by which it is ours until this process ends."""
    for number in count():
        place = room / str(number)
        place.mkdir(exist_ok=True)
        lock = os.open(place, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return place, lock
        except BlockingIOError:
            os.close(lock)
    raise AssertionError("there are always more numbers")


async def _told(place: Path) -> Numbers:
    """What the worker on this seat tells; else what was counted on it."""
    try:
        async with asyncio.timeout(PATIENCE):
            return _read(await _asked(place))[1]
    except (TimeoutError, BlockingIOError):  # it does not even accept
        pid, numbers = _written(place)
        logger.warning("a worker does not tell its numbers; older ones are shown", extra={"pid": pid})
        return {**counts(numbers), "workers_silent": {"": 1}}
    except (OSError, ValueError):  # nobody sits there, or died while speaking
        return counts(_written(place)[1])


async def _asked(place: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(place / _SOCKET)
    try:
        return await reader.read()
    finally:
        writer.close()


def _written(place: Path) -> tuple[int, Numbers]:
    """A seat that was made a moment ago has nothing written yet; what cannot be read counts as nothing, not as a fault."""
    with suppress(OSError, ValueError):
        return _read((place / _FILE).read_bytes())
    return 0, {}


def _read(text: bytes) -> tuple[int, Numbers]:
    told: Any = json.loads(text)
    return int(told[0]), told[1]
