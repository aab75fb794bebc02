"""A replica that counts as living and never answers: what a stalled process looks like to those who take something away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from gateway.storage.fence import EARS


@contextmanager
def silent_ear(url: str, name: str, number: int = 4711) -> Iterator[None]:
    """Holds the advisory lock by which writers find an ear."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO gateway.replicas (ear, name) VALUES (%s, %s)", (number, name))
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (EARS, number))
        yield
