"""Real PostgreSQL for tests: one embedded server a test process, one database a test, copied from a migrated one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from gateway.storage import migrate
from gateway.storage.embedded import Embedded

TEMPLATE = "migrated"


class Cluster:
    """A running server. ``url(name)`` is one of its databases, as superuser."""

    def __init__(self, admin: str) -> None:
        self.admin = admin
        self._numbers = count(1)
        self.create(TEMPLATE, "template1")
        migrate.migrate(self.url(TEMPLATE))

    def url(self, name: str) -> str:
        return urlsplit(self.admin)._replace(path=f"/{name}").geturl()

    def create(self, name: str, template: str = TEMPLATE) -> str:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
            connection.execute(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC'.encode())
        return self.url(name)

    def drop(self, name: str) -> None:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """A database that is gone afterwards."""
        name = f"t{next(self._numbers)}"
        try:
            yield self.create(name, template)
        finally:
            self.drop(name)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Not below pytest's own temporary directory: root's is closed to the account that PostgreSQL runs under."""
    directory = Path(tempfile.mkdtemp(prefix="gw-"))
    try:
        with Embedded(directory, throwaway=True) as server:
            url = server.attach()
            assert url is not None
            yield Cluster(url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
