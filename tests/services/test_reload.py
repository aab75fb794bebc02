"""``apps.yaml`` under a running server: what is saved is in force, and what is wrong changes nothing and says why."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.errors import ConfigurationInvalid
from gateway.services import apply, reload
from gateway.services.ground import Ground
from gateway.services.reload import Reload

pytestmark = pytest.mark.anyio
ONE = "apps: [{name: one, hosts: [one.example.com]}]\n"
TWO = "apps: [{name: two, hosts: [two.example.com]}]\n"


class Log(logging.Handler):
    """What was said, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[logging.LogRecord] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record)
        self._news.set()

    async def next(self) -> logging.LogRecord:
        """The oldest line that was not taken yet."""
        async with asyncio.timeout(30):
            while not self.lines:
                self._news.clear()
                await self._news.wait()
        return self.lines.pop(0)

    def taken(self) -> list[str]:
        said = [record.getMessage() for record in self.lines]
        self.lines.clear()
        return said


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    handler = Log()
    level = reload.logger.level
    reload.logger.addHandler(handler)
    reload.logger.setLevel(logging.INFO)
    yield handler
    reload.logger.removeHandler(handler)
    reload.logger.setLevel(level)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "apps.yaml"


@pytest.fixture
def room(ground: Ground, file: Path) -> Reload:
    return Reload(ground, file.parent, "auth.example.com")


def save(file: Path, content: str | bytes) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)


async def names(ground: Ground) -> list[str]:
    return [app.name for app in await apply.stored(ground)]


@asynccontextmanager
async def watching(room: Reload) -> AsyncIterator[None]:
    task = asyncio.create_task(room.watch())
    await asyncio.sleep(0)  # until it stands at its first wait: it watches from there on
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def extra(record: logging.LogRecord, name: str) -> Any:
    return record.__dict__[name]


# At start ------------------------------------------------------------------------------------------------------------


async def test_at_start_the_file_is_applied(ground: Ground, room: Reload, file: Path, log: Log) -> None:
    save(file, ONE)
    await room.at_start()
    assert await names(ground) == ["one"]
    line = await log.next()
    assert line.getMessage() == "apps.yaml was applied"
    assert extra(line, "difference") == ["+ app one (0 rules)"]
    await room.at_start()
    assert log.taken() == []


async def test_at_start_an_earlier_file_is_not_applied_and_that_is_said_once(
    ground: Ground, room: Reload, file: Path, log: Log
) -> None:
    for text in (ONE, TWO):
        save(file, text)
        await room.at_start()
    log.taken()
    save(file, ONE)
    await room.at_start()
    assert await names(ground) == ["two"]
    assert len(log.lines) == 1
    line = await log.next()
    assert line.levelno == logging.WARNING
    assert "earlier revision and was not applied; to go back: gateway apply" in line.getMessage()
    assert extra(line, "difference") == ["- app two", "+ app one (0 rules)"]


async def test_a_look_at_a_file_that_was_not_applied_does_not_apply_it(
    ground: Ground, room: Reload, file: Path, log: Log
) -> None:
    """Whoever touches an old file, or mounts it anew, does not mean to go back; whoever changes it does."""
    for text in (ONE, TWO, ONE):
        save(file, text)
        await room.at_start()
    os.utime(file)
    await room.notice()
    assert await names(ground) == ["two"]
    save(file, f"{ONE}# and I mean it\n")
    await room.notice()
    assert await names(ground) == ["one"]


async def test_without_a_file_the_database_says_everything(ground: Ground, room: Reload, file: Path, log: Log) -> None:
    await apply.apply(ground, "me", "x", [])
    await room.at_start()
    await room.notice()
    assert log.taken() == []
    save(file, ONE)
    await room.notice()
    assert await names(ground) == ["one"]


@pytest.mark.parametrize("content", [b"apps: [{name: one}]", b"\xff", b"apps: ["])
async def test_an_invalid_file_stops_a_start(room: Reload, file: Path, content: bytes) -> None:
    save(file, content)
    with pytest.raises(ConfigurationInvalid):
        await room.at_start()


async def test_a_file_that_cannot_be_read_stops_a_start(room: Reload, file: Path) -> None:
    os.mkdir(file)
    with pytest.raises(ConfigurationInvalid, match="cannot be read: Is a directory"):
        await room.at_start()


# While it runs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def watch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking now and then would hide that nothing is heard."""
    monkeypatch.setattr(reload, "EVERY", 100_000)


@pytest.mark.usefixtures("watch_alone")
async def test_what_is_saved_is_applied(ground: Ground, room: Reload, file: Path, log: Log) -> None:
    save(file, ONE)
    await room.at_start()
    log.taken()
    async with watching(room):
        for text, app in ((TWO, "two"), (f"{ONE}#\n", "one"), (TWO, "two")):
            save(file, text)
            assert (await log.next()).getMessage() == "apps.yaml was applied"
            assert await names(ground) == [app]


@pytest.mark.usefixtures("watch_alone")
async def test_a_file_that_is_put_in_its_place_is_applied(ground: Ground, room: Reload, file: Path, log: Log) -> None:
    """As editors save, and as orchestrators mount: ``apps.yaml`` -> ``..data/apps.yaml``, ``..data`` -> a directory."""
    for name, text in (("..1", ONE), ("..2", TWO)):
        (file.parent / name).mkdir()
        (file.parent / name / "apps.yaml").write_text(text)
    (file.parent / "..data").symlink_to("..1")
    os.symlink("..data/apps.yaml", file)
    await room.at_start()
    log.taken()
    async with watching(room):
        (file.parent / "..data_tmp").symlink_to("..2")
        (file.parent / "..data_tmp").replace(file.parent / "..data")
        assert extra(await log.next(), "difference") == ["- app one", "+ app two (0 rules)"]
        fresh = file.parent / "apps.yaml.new"
        fresh.write_text(f"{ONE}#\n")
        fresh.replace(file)
        assert extra(await log.next(), "difference") == ["- app two", "+ app one (0 rules)"]


async def test_a_change_between_the_start_and_the_watch_is_not_lost(
    ground: Ground, room: Reload, file: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 100)
    save(file, ONE)
    await room.at_start()
    log.taken()
    save(file, TWO)
    async with watching(room):
        await log.next()
    assert await names(ground) == ["two"]


async def test_a_directory_that_comes_later_is_looked_into(
    ground: Ground, file: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 20)
    room = Reload(ground, file.parent / "later", "auth.example.com")
    await room.at_start()
    async with watching(room):
        await asyncio.sleep(0)
        (file.parent / "later").mkdir()
        (file.parent / "later" / "apps.yaml").write_text(ONE)
        while (line := await log.next()).getMessage() != "apps.yaml was applied":
            assert line.levelno >= logging.INFO  # it may be seen empty first, as a file that is being written is
    assert await names(ground) == ["one"]


@pytest.mark.parametrize(
    ("content", "message", "why"),
    [
        (b"apps: [{name: one, hots: [x.example.com]}]", "it is invalid", 'no key "hots" (did you mean "hosts"?)'),
        (b"apps: [", "it is invalid", "apps.yaml:1"),
        (b"apps: [{name: p, hosts: [auth.example.com]}]", "it is invalid", "covers the portal"),
        (b"\xff\xfe", "was not applied", "can't decode"),
        (None, "was not applied", "cannot be read: No such file or directory"),
    ],
)
async def test_an_invalid_file_changes_nothing_and_says_why_once(
    ground: Ground, room: Reload, file: Path, log: Log, content: bytes | None, message: str, why: str
) -> None:
    save(file, ONE)
    await room.at_start()
    log.taken()
    os.unlink(file) if content is None else save(file, content)
    for _ in range(3):
        await room.notice()
    assert len(log.lines) == 1
    line = await log.next()
    assert line.levelno == logging.ERROR
    assert message in line.getMessage()
    assert why in str(line.__dict__.get("problems") or line.__dict__.get("problem"))
    assert await names(ground) == ["one"]
    save(file, TWO)
    await room.notice()
    assert await names(ground) == ["two"]


async def test_what_the_database_refused_is_said_once(
    ground: Ground, room: Reload, file: Path, log: Log, psql: psycopg.Connection
) -> None:
    psql.execute("INSERT INTO tenants (id, name) VALUES (7, 'theirs')")
    psql.execute("INSERT INTO apps (id, tenant_id, name) VALUES (7, 7, 'theirs')")
    psql.execute("INSERT INTO app_hosts (host, tenant_id, app_id) VALUES ('one.example.com', 7, 7)")
    save(file, ONE)
    for _ in range(2):
        await room.notice()
    assert [extra(line, "problem") for line in log.lines] == ["a host of this file belongs to another tenant"]


async def test_what_an_outage_kept_from_being_applied_is_tried_again(
    ground: Ground, room: Reload, file: Path, log: Log, psql: psycopg.Connection
) -> None:
    save(file, ONE)
    psql.execute("ALTER TABLE applied RENAME TO away")
    await room.notice()
    line = await log.next()
    assert line.getMessage() == "apps.yaml was not applied; it will be tried again"
    psql.execute("ALTER TABLE away RENAME TO applied")
    await room.notice()
    assert await names(ground) == ["one"]


async def test_whoever_asks_gets_the_file_as_it_is_now(ground: Ground, room: Reload, file: Path, log: Log) -> None:
    """SIGHUP: even where it was an earlier revision, because somebody means it."""
    for text in (ONE, TWO, ONE):
        save(file, text)
        await room.at_start()
    await room.again("SIGHUP")
    assert await names(ground) == ["one"]
    actors = [record.getMessage() for record in log.lines]
    assert actors[-1] == "apps.yaml was applied"


async def test_replicas_that_read_one_file_make_one_revision(
    ground: Ground, file: Path, log: Log, psql: psycopg.Connection
) -> None:
    rooms = [Reload(ground, file.parent, "auth.example.com") for _ in range(4)]
    save(file, ONE)
    await asyncio.gather(*(room.notice() for room in rooms[:2]))
    await asyncio.gather(*(room.notice() for room in rooms[2:]))
    assert psql.execute("SELECT count(*) FROM applied").fetchone() == (1,)
    assert log.taken() == ["apps.yaml was applied"]
