"""``gateway serve``: what it refuses in one line before it starts, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

from asking import ask, question, request
from processes import GATEWAY, Process, Server, environment, free_port, servers
from serving import APPS


def refused(variables: dict[str, str], *arguments: str) -> str:
    """What a start that must fail says: one message, exit 2, never a traceback."""
    done = subprocess.run(
        [GATEWAY, "serve", *arguments], env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def listening(variables: dict[str, str], **more: str) -> dict[str, str]:
    """Ports that nobody else has."""
    ports = {f"GATEWAY_SERVER_{name}": f"127.0.0.1:{free_port()}" for name in ("LISTEN", "INTERNAL_LISTEN")}
    return {**variables, **ports, **more}


def test_a_port_in_use_is_named_with_its_setting(database: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refused(listening(environment(database, tmp_path), GATEWAY_SERVER_LISTEN=address))
        assert said == f"gateway: {address} is in use (setting server.listen)\n"
        said = refused(listening(environment(database, tmp_path), GATEWAY_SERVER_INTERNAL_LISTEN=address))
        assert said == f"gateway: {address} is in use (setting server.internal_listen)\n"


def test_a_database_that_is_not_there_is_one_line_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://gateway:hidden-word@127.0.0.1:{free_port()}/gateway"
    said = refused(listening(environment(url, tmp_path)))
    assert said.startswith("gateway: the database does not answer: ")
    assert "hidden-word" not in said
    assert said.count("\n") == 1


def test_every_mistake_in_both_files_is_reported_with_its_line(database: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("server:\n  lisen: 127.0.0.1:1\ncache:\n  grace: 5\n")
    said = refused(listening(environment(database, tmp_path)))
    assert re.search(r"gateway\.yaml:2: .*lisen.*did you mean \"listen\"", said)
    assert "gateway.yaml:4: cache.grace: must be a duration" in said


def test_an_invalid_apps_file_stops_a_start(database: str, tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text("apps:\n  - name: a\n    hosts: [a.example.com]\n    rules: [{polcy: deny}]\n")
    assert re.search(
        r"apps\.yaml:4: .*polcy.*did you mean \"policy\"", refused(listening(environment(database, tmp_path)))
    )


def test_no_portal_is_said_with_an_example(database: str, tmp_path: Path) -> None:
    variables = listening(environment(database, tmp_path))
    del variables["GATEWAY_SERVER_PORTAL_URL"]
    assert "server.portal_url is missing (such as https://auth.example.com" in refused(variables)


def test_keys_of_another_installation_are_refused(database: str, tmp_path: Path) -> None:
    with servers(environment(database, tmp_path)):
        pass
    (tmp_path / "keys.json").unlink()
    assert "keys.json are not there, but this database was used with some" in refused(
        listening(environment(database, tmp_path))
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(database: str, tmp_path: Path, how: int) -> None:
    server = Server(environment(database, tmp_path)).ready()
    assert server.stop(how) == 0
    assert "Traceback" not in server.said.decode()


def test_it_brings_a_database_along_and_takes_it_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = Path(tempfile.mkdtemp(prefix="gw-serve-"))
    server = Server(environment(None, directory)).ready()
    family = psutil.Process(server.popen.pid).children(recursive=True)
    assert any(one.name() == "postgres" for one in family)
    assert server.stop() == 0
    assert not psutil.wait_procs(family, 10)[1]


def test_a_unix_socket_is_for_its_group_and_believed_only_where_that_is_said(database: str, tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text(APPS)
    path = tmp_path / "g.sock"
    asked = request("GET", "/auth/traefik", question("pub.example.com"))
    for said, status in (("false", 403), ("true", 200)):
        variables = environment(database, tmp_path, GATEWAY_TRUST_UNIX=said)
        variables["GATEWAY_SERVER_INTERNAL_LISTEN"] = f"127.0.0.1:{free_port()}"
        server = Process(["serve", "--listen", f"unix:{path}"], variables)
        server.wait_for("hearing")
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert ask(str(path), asked).status == status
        assert server.stop() == 0


def test_a_leftover_socket_is_replaced_and_a_living_one_is_not(database: str, tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    variables = listening(environment(database, tmp_path))
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        assert "is in use (setting server.listen)" in refused(variables, "--listen", f"unix:{path}")
    server = Process(["serve", "--listen", f"unix:{path}"], variables)
    server.wait_for("hearing")
    assert server.stop() == 0


def test_metrics_answer_on_the_internal_socket_only_even_if_it_is_bound_everywhere(
    database: str, tmp_path: Path
) -> None:
    port = free_port()
    variables = environment(database, tmp_path, GATEWAY_SERVER_INTERNAL_LISTEN=f"0.0.0.0:{port}")
    server = Process(["serve"], {**variables, "GATEWAY_SERVER_LISTEN": f"127.0.0.1:{(public := free_port())}"})
    server.wait_for("hearing")
    assert ask(("127.0.0.1", port), request("GET", "/metrics")).status == 200
    assert ask(("127.0.0.1", public), request("GET", "/metrics")).status == 404
    assert server.stop() == 0


def test_a_hangup_applies_the_file_again(database: str, tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text(APPS)
    server = Server(environment(database, tmp_path)).ready()
    server.wait_for("apps.yaml was applied")
    fresh = tmp_path / "fresh"
    fresh.write_text(APPS.replace("name: pub", "name: open"))
    os.utime(fresh)
    fresh.replace(tmp_path / "apps.yaml")
    server.popen.send_signal(signal.SIGHUP)
    server.wait_for("+ app open")
    assert server.stop() == 0
