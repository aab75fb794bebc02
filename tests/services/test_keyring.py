"""Rotating the signing keys: the file first, then the announcement, in one transaction that is fenced."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from fake_ears import silent_ear
from gateway import tokens
from gateway.errors import CannotStart, GatewayError
from gateway.services import api_keys, keyring, sessions, users
from gateway.services.ground import Ground
from gateway.storage import ringfile

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def content(file: Path) -> str:
    return file.read_text()


def keys(psql: psycopg.Connection) -> dict[str, bool]:
    """Which keys the database knows, and whether they count."""
    return dict(psql.execute("SELECT id, withdrawn_at IS NULL FROM signing_keys").fetchall())


async def test_a_rotation_keeps_the_old_keys_and_signs_with_a_new_one(
    ground: Ground, file: Path, psql: psycopg.Connection
) -> None:
    before = ringfile.read(file)
    token = tokens.mint(before, "session", tokens.NEVER)
    done = await keyring.rotate(ground, "me", file)
    after = ringfile.read(file)
    assert (done.key, done.withdrawn, done.silent) == (after.current.hex(), (), ())
    assert after.current != before.current
    assert set(after.roots) == {before.current, after.current}
    assert tokens.admit(after, "session", token.encode(), 0)
    assert tokens.digest(after, b"x") == tokens.digest(before, b"x"), "or no session would be found any more"
    assert keys(psql) == {before.current.hex(): True, after.current.hex(): True}


async def test_a_replacement_drops_every_old_key(ground: Ground, file: Path, psql: psycopg.Connection) -> None:
    first = ringfile.read(file)
    second = (await keyring.rotate(ground, "me", file)).key
    old = [tokens.mint(ring, "session", tokens.NEVER) for ring in (first, ringfile.read(file))]
    done = await keyring.replace(ground, "me", file)
    after = ringfile.read(file)
    assert done.withdrawn == tuple(sorted([first.current.hex(), second]))
    assert set(after.roots) == {after.current}
    assert [tokens.admit(after, "session", token.encode(), 0) for token in old] == [False, False]
    assert keys(psql) == {first.current.hex(): False, second: False, done.key: True}


async def test_a_replacement_ends_whatever_was_signed_before_in_the_database_too(
    ground: Ground, file: Path, psql: psycopg.Connection
) -> None:
    """Memory that is filled from there does not see who signed a token, and what is open is judged again without it."""
    await users.add(ground, "me", "alice", "correct horse battery")
    await sessions.create(ground, "me", "alice", 60.0, "example.com")
    await api_keys.create(ground, "me", "alice", "", None)
    await keyring.rotate(ground, "me", file)
    ended = "SELECT ended_at IS NOT NULL FROM sessions UNION ALL SELECT ended_at IS NOT NULL FROM api_keys"
    assert psql.execute(ended).fetchall() == [(False,), (False,)]
    await keyring.replace(ground, "me", file)
    assert psql.execute(ended).fetchall() == [(True,), (True,)]


async def test_the_file_stays_private_and_whole(ground: Ground, file: Path) -> None:
    await keyring.replace(ground, "me", file)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".keys")] == []


async def test_a_rotation_is_written_down_without_a_key(ground: Ground, file: Path, psql: psycopg.Connection) -> None:
    done = await keyring.replace(ground, "me", file)
    [(actor, action, subject, detail)] = psql.execute("SELECT actor, action, subject, detail FROM audit").fetchall()
    assert (actor, action, subject) == ("me", "secret.rotate", f"key:{done.key}")
    assert detail == {"withdrawn": list(done.withdrawn)}


async def test_whoever_hears_reads_the_new_file(ground: Ground, file: Path, database: str) -> None:
    """The announcement comes with the COMMIT; by then the file must be there."""
    before = ringfile.read(file)
    with psycopg.connect(database, autocommit=True) as ear:
        ear.execute("LISTEN gateway")
        done = await keyring.replace(ground, "me", file)
        heard = [notice.payload for notice in ear.notifies(timeout=10, stop_after=3)]
    assert {f"key:{done.key}", f"key:{before.current.hex()}"} < set(heard)
    assert heard[-1].startswith("fence:")


async def test_the_silent_are_named(ground: Ground, file: Path, database: str) -> None:
    with silent_ear(database, "stalled:1"):
        assert (await keyring.replace(ground, "me", file)).silent == ("stalled:1",)


async def test_a_rotation_that_could_not_be_announced_is_by_the_next_one(
    ground: Ground, file: Path, psql: psycopg.Connection
) -> None:
    """The file is already the new one then; nothing that was withdrawn may come back."""
    first = ringfile.read(file).current.hex()
    psql.execute("ALTER TABLE audit RENAME TO away")
    with pytest.raises(GatewayError):
        await keyring.replace(ground, "me", file)
    lost = ringfile.read(file).current.hex()
    psql.execute("ALTER TABLE away RENAME TO audit")
    assert keys(psql) == {first: True}
    done = await keyring.rotate(ground, "me", file)
    assert keys(psql) == {first: False, lost: True, done.key: True}
    assert done.withdrawn == (first,)


async def test_a_file_that_cannot_be_written_changes_nothing(
    ground: Ground, tmp_path: Path, psql: psycopg.Connection
) -> None:
    before = keys(psql)
    with pytest.raises(CannotStart, match="signing keys"):
        await keyring.replace(ground, "me", tmp_path / "absent" / "keys.json")
    assert keys(psql) == before
    assert psql.execute("SELECT count(*) FROM audit").fetchone() == (0,)


async def test_a_ring_that_is_not_this_installation_s_is_left_alone(ground: Ground, file: Path) -> None:
    def refuse() -> tokens.Ring:
        raise CannotStart("another installation")

    text = content(file)
    for use_case in (keyring.rotate, keyring.replace, keyring.export):
        with pytest.raises(CannotStart, match="another installation"):
            await use_case(Ground(ground.store, ground.acks, refuse, ground.wall), "me", file)
    assert content(file) == text


async def test_an_export_is_the_file_and_is_written_down(ground: Ground, file: Path, psql: psycopg.Connection) -> None:
    text = await keyring.export(ground, "me", file)
    assert text == content(file)
    assert set(json.loads(text)) == {"id", "current", "digest_key", "keys"}
    assert psql.execute("SELECT action FROM audit").fetchall() == [("secret.export",)]


def test_a_ring_never_shows_its_keys() -> None:
    ring = tokens.Ring("id", b"abcd", {b"abcd": b"secret root"}, b"secret digest")
    assert "secret" not in repr(ring)
    assert "secret" not in repr(replace(ring, id="other"))
