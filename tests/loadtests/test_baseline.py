"""The endpoint that the gateway is measured beside: it is right, and each of its causes costs what it is said to cost."""

from __future__ import annotations

import sys
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

sys.path.append(str(Path(__file__).parents[2] / "loadtests"))  # they are no package

from baseline import causes, endpoint, ground, rows
from baseline.endpoint import Endpoint, signed
from stack import free_port, wait_for

SECRET = b"for these tests"
KNOWN = f"theme=dark; device={signed(7, SECRET)}"
HOST = "actual.gateway.localhost:8080"


@pytest.fixture(scope="module")
def key() -> bytes:
    return ground.make_key()


def remembered(key: bytes) -> rows.Remembered:
    return rows.Remembered({"actual"}, key, SECRET, {7}, "small")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("host", "cookie", "status"),
    [
        (HOST, KNOWN, 200),
        (HOST, "", 401),
        (HOST, KNOWN[:-1] + "x", 401),
        (HOST, f"device={signed(8, SECRET)}", 401),
        (HOST, f"device={signed(7, b'another')}", 401),
        ("nobodys-app.gateway.localhost", KNOWN, 404),
    ],
    ids=["known", "nobody", "forged", "no such device", "another secret", "no such app"],
)
async def test_a_known_device_is_let_in_and_nobody_else(key: bytes, host: str, cookie: str, status: int) -> None:
    assert await Endpoint(remembered(key), parses=False).answer(host, cookie) == status


@pytest.mark.anyio
@pytest.mark.parametrize("parses", [True, False])
async def test_the_key_is_parsed_for_each_question_or_never(
    key: bytes, parses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []
    real = endpoint.load_pem_private_key
    monkeypatch.setattr(endpoint, "load_pem_private_key", lambda pem, none: parsed.append(pem) or real(pem, none))
    asked = Endpoint(remembered(key), parses)
    for _ in range(2):
        assert await asked.answer(HOST, KNOWN) == 200
    assert parsed == ([key, key] if parses else [])


@pytest.mark.anyio
@pytest.mark.parametrize(("known", "checkouts"), [(True, 6), (False, 3)], ids=["a device", "nobody"])
async def test_a_question_takes_its_checkouts_and_writes_the_device(database: str, known: bool, checkouts: int) -> None:
    [cookie] = ground.prepare(database, ["actual"], 1)
    async with AsyncConnectionPool(database, min_size=1, open=False) as pool:
        await pool.wait()
        before = pool.get_stats().get("requests_num", 0)
        status = await Endpoint(rows.Asked(pool), parses=False).answer(HOST, cookie if known else "")
        assert status == (200 if known else 401)
        assert pool.get_stats().get("requests_num", 0) - before == checkouts
    with psycopg.connect(database) as connection:
        [(seen,)] = connection.execute("SELECT last_connection FROM baseline.devices").fetchall()
    assert (seen is not None) == known


@pytest.mark.parametrize("name", causes.BY_NAME)
def test_it_answers_under_a_plain_uvicorn_with_each_of_its_causes(database: str, name: str) -> None:
    [cookie] = ground.prepare(database, ["actual"], 1)
    with ground.serving(database, name, free_port()) as address:
        wait_for(address, "/", {"X-Forwarded-Host": HOST}, 401)
        connection = HTTPConnection(address, timeout=20)
        connection.request("GET", "/auth", headers={"X-Forwarded-Host": HOST, "Cookie": cookie})
        assert connection.getresponse().status == 200
        connection.close()


def test_a_cause_that_there_is_not_is_refused() -> None:
    with pytest.raises(SystemExit, match="none, pool, key, pool\\+key, not 'disk'"):
        causes.read("disk")
