"""Four server processes on one database: what was taken away in one place is refused in every place, always."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest

from asking import Answer, Line, ask, request
from gateway import cli
from gateway.services import sessions
from gateway.services.ground import Ground
from gateway.storage import fence, ringfile
from gateway.storage.fence import Acks
from gateway.storage.pool import Store
from processes import GATEWAY, Server, environment, servers
from serving import APPS, COOKIE, PASSWORD, PORTAL_COOKIE

REVOCATIONS = 1000
ORIGIN = "https://auth.example.com"


class Replicas:
    """The four, and the command line beside them."""

    def __init__(self, url: str, directory: Path, running: list[Server]) -> None:
        self.url, self.running = url, running
        self.variables = environment(url, directory)

    def type(self, *arguments: str, stdin: str | None = None) -> str:
        """One command as typed, in a process of its own; what it printed on stdout."""
        command = [GATEWAY, *arguments]
        done = subprocess.run(command, env=self.variables, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "did not acknowledge" not in done.stderr
        return done.stdout

    def everywhere(self, cookie: str, host: str = "app.example.com") -> list[int]:
        return [server.check(host, cookie=cookie).status for server in self.running]

    def heard(self) -> None:
        """Wait until everybody has heard what a hand in psql did."""

        async def wait() -> None:
            store = Store(self.url, 1)
            await store.open()
            async with fence.acknowledgements(self.url) as acks:
                assert await fence.raise_fence(store, acks) == ()
            await store.close()

        asyncio.run(wait())


@pytest.fixture
def replicas(database: str, tmp_path: Path) -> Iterator[Replicas]:
    (tmp_path / "apps.yaml").write_text(APPS)
    with servers(environment(database, tmp_path), 4) as running:
        made = Replicas(database, tmp_path, running)
        made.type("user", "add", "alice", "--groups", "users,admins", stdin=PASSWORD + "\n")
        yield made


def sessions_for(replicas: Replicas, count: int) -> list[tuple[int, str]]:
    """``count`` app sessions of alice: made as the command line makes them, but without starting it so often."""
    ring = ringfile.read(Path(replicas.variables["GATEWAY_SERVER_DATA_DIR"], "keys.json"))

    async def make() -> list[tuple[int, str]]:
        store = Store(replicas.url, 4)
        await store.open()
        ground = Ground(store, Acks(), lambda: ring, time.time)
        made = [await sessions.create(ground, "test", "alice", 3600.0, "example.com") for _ in range(count)]
        await store.close()
        return [(number, f"{COOKIE}={token}") for number, token in made]

    return asyncio.run(make())


class Portal:
    """alice's browser at the portal of one server: it ends her sessions by the form on her account page."""

    def __init__(self, server: Server) -> None:
        self.line = Line(server.address)
        page = self.get("/login", "")
        attempt = page["set-cookie"].partition(";")[0]
        form = {"username": "alice", "password": PASSWORD, "csrf": self.token(page.body), "return_token": ""}
        done = self.post("/login", attempt, form)
        assert done.status == 200, done.body
        self.cookie = next(value.partition(";")[0] for value in done.all("set-cookie") if PORTAL_COOKIE in value)
        self.csrf = self.token(self.get("/account", self.cookie).body)

    def close(self) -> None:
        self.line.close()

    def end(self, session: int) -> int:
        return self.post("/account/sessions/end", self.cookie, {"id": str(session), "csrf": self.csrf}).status

    @staticmethod
    def token(page: bytes) -> str:
        found = re.search(rb'name="csrf" value="([^"]+)"', page)
        assert found is not None, page
        return found[1].decode()

    def get(self, path: str, cookie: str) -> Answer:
        return self.exchange(request("GET", path, {"Host": "auth.example.com", "Cookie": cookie}))

    def post(self, path: str, cookie: str, fields: dict[str, str]) -> Answer:
        body = urlencode(fields)
        headers = {"Host": "auth.example.com", "Cookie": cookie, "Origin": ORIGIN, "Content-Length": str(len(body))}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.exchange(request("POST", path, headers) + body.encode())

    def exchange(self, data: bytes) -> Answer:
        self.line.send(data)
        answer = self.line.answer()
        assert answer is not None
        return answer


@pytest.mark.timeout(400)  # a thousand of them, half by a whole command
def test_a_thousand_revocations_are_in_force_everywhere_when_they_return(replicas: Replicas) -> None:
    with ExitStack() as stack:
        portals = [stack.enter_context(closing(Portal(server))) for server in replicas.running]
        revoke_all(replicas, portals)


def revoke_all(replicas: Replicas, portals: list[Portal]) -> None:
    """Half of them from pages of all four, half from the command line."""
    for turn, (number, cookie) in enumerate(sessions_for(replicas, REVOCATIONS)):
        assert replicas.everywhere(cookie) == [200] * 4
        if turn % 2:
            assert cli.run(["session", "revoke", str(number)], replicas.variables) == 0
        else:
            assert portals[turn % 4].end(number) == 303
        assert replicas.everywhere(cookie) == [302] * 4, f"revocation {turn}"


def test_a_command_in_a_process_of_its_own_ends_a_session_everywhere(replicas: Replicas) -> None:
    for number, cookie in sessions_for(replicas, 4):
        assert replicas.everywhere(cookie) == [200] * 4
        replicas.type("session", "revoke", str(number))
        assert replicas.everywhere(cookie) == [302] * 4


def test_a_deleted_user_is_nobody_everywhere(replicas: Replicas, psql: psycopg.Connection) -> None:
    ((_, cookie),) = sessions_for(replicas, 1)
    assert replicas.everywhere(cookie) == [200] * 4
    psql.execute("DELETE FROM users WHERE name = 'alice'")
    replicas.heard()
    assert replicas.everywhere(cookie) == [302] * 4


def test_a_group_taken_away_by_hand_closes_its_apps_everywhere(replicas: Replicas, psql: psycopg.Connection) -> None:
    ((_, cookie),) = sessions_for(replicas, 1)
    assert replicas.everywhere(cookie, "admin.example.com") == [200] * 4
    psql.execute("DELETE FROM groups WHERE name = 'admins'")
    replicas.heard()
    assert replicas.everywhere(cookie, "admin.example.com") == [403] * 4
    assert replicas.everywhere(cookie) == [200] * 4


def test_a_rule_edited_by_hand_is_the_law_everywhere(replicas: Replicas, psql: psycopg.Connection) -> None:
    ((_, cookie),) = sessions_for(replicas, 1)
    assert replicas.everywhere(cookie, "pub.example.com") == [200] * 4
    psql.execute("UPDATE rules r SET policy = 'deny' FROM apps a WHERE a.id = r.app_id AND a.name = 'pub'")
    replicas.heard()
    assert replicas.everywhere(cookie, "pub.example.com") == [403] * 4


def test_a_fresh_replica_answers_preloaded_sessions_without_asking(replicas: Replicas) -> None:
    ((_, cookie),) = sessions_for(replicas, 1)
    with servers(replicas.variables) as (fresh,):
        before = recalls(fresh)
        assert fresh.check(cookie=cookie).status == 200
        assert recalls(fresh) == before


def recalls(server: Server) -> int:
    """Statements that checks have caused, as the server itself counts them."""
    text = ask(server.internal, request("GET", "/metrics")).body.decode()
    found = re.search(r'gateway_queries_total\{room="recall"\} (\d+)', text)
    return int(found[1]) if found else 0
