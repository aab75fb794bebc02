"""The ring of signing keys: a file outside the database, made at first start, mode 0600, shared by all replicas.

A ring whose id is not the database's is refused: its tokens would all be strangers, and its digests find no row.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from gateway.errors import CannotStart
from gateway.storage.migrate import Connection
from gateway.tokens import Ring


def open_ring(path: Path, connection: Connection) -> Ring:
    """The ring of this installation; made now if neither file nor database has one."""
    with connection.transaction():
        connection.execute("SET LOCAL ROLE gateway_owner")
        connection.execute("LOCK TABLE gateway.installation IN EXCLUSIVE MODE")
        row = connection.execute("SELECT ring_id FROM gateway.installation").fetchone()
        if row is None:
            ring = read(path) if path.exists() else _make(path)
            connection.execute("INSERT INTO gateway.installation (ring_id) VALUES (%s)", (ring.id,))
            _register(connection, ring)
            return ring
    if not path.exists():
        raise CannotStart(f"the signing keys {path} are not there, but this database was used with some: restore them")
    ring = read(path)
    if ring.id != row[0]:
        raise CannotStart(f"the signing keys {path} belong to another installation than this database")
    _refuse_withdrawn(path, ring, connection)
    return ring


def _refuse_withdrawn(path: Path, ring: Ring, connection: Connection) -> None:
    """A copy from before a withdrawal would make the withdrawn tokens valid again."""
    rows = connection.execute("SELECT id FROM gateway.signing_keys WHERE withdrawn_at IS NOT NULL").fetchall()
    if any(bytes.fromhex(row[0]) in ring.roots for row in rows):
        raise CannotStart(
            f"the signing keys {path} are an old copy, with a key that was withdrawn since: take the file of a replica"
            " that has the new ones (gateway secret export)"
        )


def read(path: Path) -> Ring:
    """The ring in ``path``; CannotStart in words where it cannot be read."""
    try:
        if path.stat().st_mode & 0o077:
            raise CannotStart(f"the signing keys {path} can be read by others: chmod 600 {path}")
        return _ring(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotStart(f"cannot read the signing keys {path}: {error}") from None


def rotate(path: Path, *, withdraw: bool) -> tuple[Ring, list[str]]:
    """A new current key; the old ones stay valid, or with ``withdraw`` are dropped. The ids that were dropped."""
    read(path)
    kept = json.loads(path.read_text("utf-8"))
    dropped = list(kept["keys"]) if withdraw else []
    fresh = secrets.token_hex(4)
    kept["keys"] = {fresh: secrets.token_hex(32)} | ({} if withdraw else kept["keys"])
    kept["current"] = fresh
    _write(path, kept)
    return read(path), dropped


def _make(path: Path) -> Ring:
    key = secrets.token_hex(4)
    content = {
        "id": secrets.token_hex(16),
        "current": key,
        "digest_key": secrets.token_hex(32),
        "keys": {key: secrets.token_hex(32)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content)
    return read(path)


def _write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all: a temporary file (0600 from the start), then a rename."""
    with NamedTemporaryFile("w", dir=path.parent, prefix=".keys-", delete=False) as temporary:
        _keep_owner(path, temporary.fileno())
        json.dump(content, temporary, indent=1)
        temporary.flush()
        os.fsync(temporary.fileno())
    Path(temporary.name).replace(path)


def _keep_owner(path: Path, fd: int) -> None:
    """A rotation typed by root must not take the file away from the account that serves."""
    if path.exists() and os.geteuid() == 0:
        before = path.stat()
        os.fchown(fd, before.st_uid, before.st_gid)


def _ring(content: dict[str, Any]) -> Ring:
    roots = {bytes.fromhex(key): bytes.fromhex(root) for key, root in content["keys"].items()}
    current = bytes.fromhex(content["current"])
    if current not in roots:
        raise ValueError("the current key is not among the keys")
    if any(len(key) != 4 or len(root) != 32 for key, root in roots.items()):
        raise ValueError("a key has another length than the gateway gives it")
    return Ring(content["id"], current, roots, bytes.fromhex(content["digest_key"]))


def _register(connection: Connection, ring: Ring) -> None:
    for key in ring.roots:
        connection.execute("INSERT INTO gateway.signing_keys (id) VALUES (%s) ON CONFLICT DO NOTHING", (key.hex(),))
