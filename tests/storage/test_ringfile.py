"""The file of signing keys: made once, private, and of this installation."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from databases import Cluster
from gateway import tokens
from gateway.errors import CannotStart
from gateway.storage import migrate, ringfile
from gateway.tokens import Ring


def kept(ring: Ring) -> tuple[object, ...]:
    """All that a file says of a ring."""
    return ring.id, ring.current, ring.roots, ring.digest_key


@pytest.fixture
def connection(database: str) -> Iterator[migrate.Connection]:
    with migrate.connect(database) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def test_the_first_start_makes_it_private_and_the_next_ones_read_it(connection: migrate.Connection, path: Path) -> None:
    ring = ringfile.open_ring(path, connection)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["keys.json"]
    assert kept(ringfile.open_ring(path, connection)) == kept(ring)
    assert connection.execute("SELECT id FROM gateway.signing_keys").fetchall() == [(ring.current.hex(),)]


def test_no_key_of_it_is_in_the_database(connection: migrate.Connection, path: Path) -> None:
    ringfile.open_ring(path, connection)
    content = json.loads(path.read_text())
    held = str(connection.execute("SELECT * FROM gateway.installation, gateway.signing_keys").fetchall())
    assert content["digest_key"] not in held
    assert not [root for root in content["keys"].values() if root in held]


def test_the_ring_of_another_installation_is_refused(cluster: Cluster, path: Path, tmp_path: Path) -> None:
    with cluster.database() as one, cluster.database() as other:
        with migrate.connect(one) as connection:
            ringfile.open_ring(path, connection)
        with migrate.connect(other) as connection:
            ringfile.open_ring(tmp_path / "other.json", connection)
            with pytest.raises(CannotStart, match="belong to another installation"):
                ringfile.open_ring(path, connection)


def test_a_lost_file_is_not_made_anew(connection: migrate.Connection, path: Path) -> None:
    """New keys would end every session in silence, and call every API key unknown."""
    ringfile.open_ring(path, connection)
    path.unlink()
    with pytest.raises(CannotStart, match="restore them"):
        ringfile.open_ring(path, connection)
    assert not path.exists()


def test_a_new_database_takes_the_ring_that_is_there(
    cluster: Cluster, connection: migrate.Connection, path: Path
) -> None:
    ring = ringfile.open_ring(path, connection)
    with cluster.database() as fresh, migrate.connect(fresh) as another:
        assert kept(ringfile.open_ring(path, another)) == kept(ring)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(connection: migrate.Connection, path: Path, mode: int) -> None:
    ringfile.open_ring(path, connection)
    path.chmod(mode)
    with pytest.raises(CannotStart, match="chmod 600"):
        ringfile.open_ring(path, connection)


BROKEN: list[Any] = [
    *("", "no json", "[]", "{}", "7"),
    {"keys": []},
    {"keys": {}},
    {"keys": {"aa": "bb"}, "current": "aa"},
    {"keys": {"0a0b0c0d": "bb"}, "current": "0a0b0c0d"},
    {"current": "00000000"},
    {"digest_key": "not hex"},
]


@pytest.mark.parametrize("content", BROKEN, ids=str)
def test_what_cannot_be_read_is_refused_in_words(connection: migrate.Connection, path: Path, content: Any) -> None:
    ringfile.open_ring(path, connection)
    text = content if isinstance(content, str) else json.dumps(json.loads(path.read_text()) | content)
    path.write_text(text)
    with pytest.raises(CannotStart, match="cannot read the signing keys"):
        ringfile.read(path)
    with pytest.raises(CannotStart, match="cannot read the signing keys"):
        ringfile.rotate(path, withdraw=False)
    assert path.read_text() == text


def test_a_rotation_keeps_the_old_keys_and_a_withdrawal_drops_them(connection: migrate.Connection, path: Path) -> None:
    old = ringfile.open_ring(path, connection)
    token = tokens.mint(old, "session", tokens.NEVER)
    rotated, dropped = ringfile.rotate(path, withdraw=False)
    assert dropped == []
    assert rotated.current != old.current
    assert (rotated.id, rotated.digest_key) == (old.id, old.digest_key)
    assert tokens.admit(rotated, "session", token.encode(), 0)
    left, dropped = ringfile.rotate(path, withdraw=True)
    assert {*dropped} == {old.current.hex(), rotated.current.hex()}
    assert not tokens.admit(left, "session", token.encode(), 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_copy_from_before_a_withdrawal_is_refused(connection: migrate.Connection, path: Path) -> None:
    old = ringfile.open_ring(path, connection)
    connection.execute("UPDATE gateway.signing_keys SET withdrawn_at = now() WHERE id = %s", (old.current.hex(),))
    with pytest.raises(CannotStart, match="withdrawn since"):
        ringfile.open_ring(path, connection)
