"""Seats: real sockets and files; each test's workers are seats of this process, or a process that is really stopped."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.observe import seats
from gateway.observe.numbers import Numbers
from gateway.observe.seats import Alone, Seat

pytestmark = pytest.mark.anyio
Sit = Callable[..., Awaitable[Seat]]
Start = Callable[[], subprocess.Popen[str]]
WORKER = """
import asyncio, sys
from pathlib import Path
from gateway.observe.seats import Seat

async def sit():
    await Seat(Path(sys.argv[1]), lambda: {"cache_hits": {"": 10}, "hearing": {"": 0}, "workers": {"": 1}}).take()
    print("seated", flush=True)
    await asyncio.Event().wait()

asyncio.run(sit())
"""


@pytest.fixture
def room() -> Iterator[Path]:
    with seats.room() as made:
        yield made


@pytest.fixture
def worker(room: Path) -> Iterator[Start]:
    """Starts a process that has a seat: 10 hits, and it does not hear."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        one = subprocess.Popen([sys.executable, "-c", WORKER, str(room)], stdout=subprocess.PIPE, text=True)
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "seated\n"
        return one

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
async def sit(room: Path) -> AsyncIterator[Sit]:
    """Has a seat taken whose worker's numbers are these, until the test is over."""
    taken: list[Seat] = []

    async def take(numbers: Callable[[], Numbers], at: Path = room) -> Seat:
        seat = Seat(at, numbers)
        taken.append(seat)
        await seat.take()
        return seat

    yield take
    for one in taken:
        await one.leave()


def worth(hits: int) -> Callable[[], Numbers]:
    return lambda: {"cache_hits": {"": hits}, "hearing": {"": 1}, "workers": {"": 1}}


async def test_a_room_is_private_and_gone_afterwards(sit: Sit) -> None:
    with seats.room() as made:
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        await (await sit(worth(1), made)).leave()
    assert not made.exists()


async def test_no_place_for_a_room_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "MEMORY", Path("/no/such/directory"))
    monkeypatch.setattr("tempfile.tempdir", "/no/such/directory")
    with pytest.raises(CannotStart, match="several workers need a directory for temporary files"), seats.room():
        pass


async def test_whoever_is_asked_tells_of_everybody(sit: Sit) -> None:
    for one in [await sit(worth(hits)) for hits in (1, 2, 4)]:
        assert await one.everybodys() == {"cache_hits": {"": 7}, "hearing": {"": 1}, "workers": {"": 3}}


async def test_the_only_worker_tells_of_itself() -> None:
    alone = Alone(worth(3))
    await alone.take()
    assert await alone.everybodys() == worth(3)()
    await alone.leave()


async def test_a_worker_that_left_is_still_counted_and_who_takes_its_seat_counts_on(room: Path, sit: Sit) -> None:
    hits = {"": 0.0}
    stays, leaves = await sit(worth(1)), await sit(lambda: {"cache_hits": hits})
    hits[""] = 2
    await leaves.leave()
    assert await stays.everybodys() == {"cache_hits": {"": 3}, "hearing": {"": 1}, "workers": {"": 1}}
    await sit(worth(4))
    assert await stays.everybodys() == {"cache_hits": {"": 7}, "hearing": {"": 1}, "workers": {"": 2}}
    assert sorted(os.listdir(room)) == ["0", "1"]


async def test_a_killed_worker_is_still_counted_as_it_was_last_told(sit: Sit, worker: Start) -> None:
    one, seat = worker(), await sit(worth(1))
    assert await seat.everybodys() == {"cache_hits": {"": 11}, "hearing": {"": 0}, "workers": {"": 2}}
    one.kill()
    one.wait()
    assert await seat.everybodys() == {"cache_hits": {"": 11}, "hearing": {"": 1}, "workers": {"": 1}}
    worker()
    assert await seat.everybodys() == {"cache_hits": {"": 21}, "hearing": {"": 0}, "workers": {"": 2}}


async def test_what_was_told_was_written_before(room: Path, sit: Sit) -> None:
    """So that nothing that was told once can be lost with the worker."""
    hits = {"": 0.0}
    other = await sit(worth(0))
    await sit(lambda: {"cache_hits": hits})
    hits[""] = 5
    assert (await other.everybodys())["cache_hits"] == {"": 5}
    hits[""] = 0
    (room / "1" / "socket").unlink()  # as if it had died without another word
    assert (await other.everybodys())["cache_hits"] == {"": 5}


async def test_a_worker_that_does_not_answer_is_named_and_its_old_counts_are_shown(
    sit: Sit, worker: Start, caplog: pytest.LogCaptureFixture
) -> None:
    one, seat = worker(), await sit(worth(1))
    os.kill(one.pid, signal.SIGSTOP)
    told = await seat.everybodys()
    assert told == {"cache_hits": {"": 11}, "hearing": {"": 1}, "workers": {"": 1}, "workers_silent": {"": 1}}
    (record,) = caplog.records
    assert vars(record)["pid"] == one.pid


async def test_a_seat_that_cannot_be_written_still_tells(
    room: Path, sit: Sit, caplog: pytest.LogCaptureFixture
) -> None:
    seat = await sit(worth(2))
    (room / "0" / "numbers.json.new").mkdir()
    assert await seat.everybodys() == worth(2)()
    assert "could not be written" in caplog.text
