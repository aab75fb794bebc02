"""What the endpoint stands on: its tables, with a key, the apps and the devices in them; and its process.

Here: everything that a measurement does before it asks. The tables are in a schema of their own.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from baseline.endpoint import COOKIE, signed

BITS = 4096
TABLES = """
DROP SCHEMA IF EXISTS baseline CASCADE;
CREATE SCHEMA baseline;
CREATE TABLE baseline.apps (name text PRIMARY KEY);
CREATE TABLE baseline.identities (id int PRIMARY KEY, private_key bytea NOT NULL);
CREATE TABLE baseline.devices (id int PRIMARY KEY, last_connection timestamptz);
CREATE TABLE baseline.settings (key text PRIMARY KEY, value text NOT NULL);
"""


def prepare(url: str, apps: Sequence[str], devices: int) -> list[str]:
    """Make it all anew; the devices' cookies, each as ``name=value``."""
    secret = secrets.token_bytes(32)
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
        cursor = connection.cursor()
        cursor.executemany("INSERT INTO baseline.apps VALUES (%s)", [(app,) for app in apps])
        cursor.executemany("INSERT INTO baseline.devices VALUES (%s)", [(number,) for number in range(devices)])
        cursor.execute("INSERT INTO baseline.identities VALUES (1, %s)", (make_key(),))
        cursor.execute("INSERT INTO baseline.settings VALUES ('secret', %s), ('profile', 'small')", (secret.hex(),))
    return [f"{COOKIE}={signed(number, secret)}" for number in range(devices)]


def make_key() -> bytes:
    """An RSA key of the size that the original has, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@contextmanager
def serving(url: str, causes: str, port: int) -> Iterator[str]:
    """One uvicorn with these causes; where it listens. It is killed at the end: what it still computes is for nobody."""
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parents[1]), "baseline.endpoint:app"]
    command += ["--port", str(port), "--log-level", "error", "--no-access-log"]
    told = {**os.environ, "BASELINE_DATABASE_URL": url, "BASELINE_CAUSES": causes}
    with subprocess.Popen(command, env=told, start_new_session=True) as process:  # noqa: S603 - our own command
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
