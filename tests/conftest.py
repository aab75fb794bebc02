"""What every test may ask for: a database of its own, and a gateway that serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import databases
import serving
from databases import Cluster
from serving import Served


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for this test process."""
    with databases.cluster() as started:
        yield started


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """The URL (as superuser) of a fresh, migrated database."""
    with cluster.database() as url:
        yield url


@pytest.fixture
def psql(database: str) -> Iterator[psycopg.Connection]:
    """A superuser's hand in that database, in autocommit."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET search_path = gateway, pg_temp")
        yield connection


@pytest.fixture
def served(database: str, tmp_path: Path) -> Iterator[Served]:
    """A gateway on that database, with the apps of ``serving.APPS``."""
    with serving.serve(database, tmp_path) as started:
        yield started
