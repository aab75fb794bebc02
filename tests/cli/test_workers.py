"""``gateway serve --workers N``: how several processes start, are told things, and end as one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from asking import ask, request
from gateway import cli
from gateway.observe.seats import MEMORY
from processes import Server, environment, servers
from serving import APPS


@pytest.fixture
def two(database: str, tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "apps.yaml").write_text(APPS)
    server = Server(environment(database, tmp_path), "--workers", "2")
    try:
        yield server.ready()
    finally:
        server.stop()


def family(server: Server) -> list[psutil.Process]:
    """Its workers; what Python starts beside them ends with them."""
    children = psutil.Process(server.popen.pid).children()
    return [one for one in children if "multiprocessing.spawn" in " ".join(one.cmdline())]


def rooms() -> set[Path]:
    return set(MEMORY.glob("gateway-*"))


def test_a_signal_ends_all_of_them_and_what_they_shared(two: Server) -> None:
    assert two.check("pub.example.com").status == 200
    processes, shared = family(two), {one for one in rooms() if sits_in(two, one)}
    assert len(shared) == 1 or not MEMORY.exists()
    assert two.stop() == 0
    assert "Traceback" not in two.said.decode()
    assert not psutil.wait_procs(processes, 1)[1]
    assert not shared & rooms()


def sits_in(server: Server, room: Path) -> bool:
    """Whether a process of this server has a socket there."""
    processes = [psutil.Process(server.popen.pid), *family(server)]
    sockets = [one.laddr for process in processes for one in process.net_connections("unix")]
    return any(str(one).startswith(f"{room}/") for one in sockets)


def test_workers_end_with_a_parent_that_was_killed_and_clear_up_after_it(two: Server) -> None:
    assert two.check("pub.example.com").status == 200
    processes, shared = family(two), {one for one in rooms() if sits_in(two, one)}
    assert len(processes) == 2
    two.stop(signal.SIGKILL)
    assert not psutil.wait_procs(processes, 20)[1]
    assert not shared & rooms()


def test_a_hangup_applies_the_file_again_and_ends_nobody(two: Server, database: str, tmp_path: Path) -> None:
    """The file is as it was, and an earlier revision by now: only because somebody asks is it applied."""
    two.wait_for("apps.yaml was applied")
    other = tmp_path / "other.yaml"
    other.write_text(APPS.replace("name: pub", "name: open"))
    assert cli.run(["apply", str(other)], environment(database, tmp_path)) == 0
    before = family(two)
    two.popen.send_signal(signal.SIGHUP)
    two.wait_for("- app open")
    assert family(two) == before
    assert two.stop() == 0


def test_keys_of_another_installation_are_refused_once_and_not_by_every_worker(database: str, tmp_path: Path) -> None:
    with servers(environment(database, tmp_path)):
        pass
    (tmp_path / "keys.json").unlink()
    server = Server(environment(database, tmp_path), "--workers", "2")
    assert server.popen.wait(60) == 2
    assert server.said.decode().count("keys.json are not there, but this database was used with some") == 1


def test_where_no_worker_can_start_it_ends_instead_of_trying_for_ever(database: str, tmp_path: Path) -> None:
    """The ear has a URL of its own, which only the workers use."""
    variables = environment(database, tmp_path, GATEWAY_DATABASE_LISTEN_URL="postgresql://127.0.0.1:1/nothing")
    server = Server(variables, "--workers", "2")
    assert server.popen.wait(60) == 2
    assert "gateway: the gateway could not start; the lines above say why" in server.wait_for("could not start;")


FAULTY = """
import socket
from gateway.cli.workers import Workers

class Faulty(Workers):
    def handle_signals(self):
        raise RuntimeError("a fault")

async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        await send({"type": (await receive())["type"] + ".complete"})

def create():
    return app

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Faulty(create, 2, [listener]).run()
"""


def test_a_fault_of_the_supervisor_leaves_no_worker_behind(tmp_path: Path) -> None:
    """Python itself would wait for them for ever."""
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "RuntimeError: a fault" in done.stderr


def test_a_single_worker_shares_nothing(database: str, tmp_path: Path) -> None:
    with servers(environment(database, tmp_path)) as (server,):
        text = ask(server.internal, request("GET", "/metrics")).body.decode()
        assert "gateway_workers 1.0" in text
        assert not any(sits_in(server, one) for one in rooms())
