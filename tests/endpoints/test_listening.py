"""Sockets are opened early, and what cannot be opened is said with the setting's name."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from gateway.endpoints import listening
from gateway.errors import CannotStart


@pytest.mark.parametrize(
    ("setting", "address"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("unix:/run/g.sock", ("/run/g.sock", None)),
    ],
)
def test_a_setting_and_an_address_say_the_same(setting: str, address: listening.Address) -> None:
    assert listening.address(setting) == address
    assert listening.listen(address) == setting


def test_whoever_connects_before_anybody_accepts_waits() -> None:
    with listening.bind("127.0.0.1:0", "server.listen") as opened:
        client = socket.create_connection(opened.getsockname())
        assert client.getpeername() == opened.getsockname()
        client.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system passes no times on to what it accepts")
def test_whoever_connects_and_vanishes_is_noticed_in_time() -> None:
    opened = listening.bind("127.0.0.1:0", "server.listen")
    with opened, socket.create_connection(opened.getsockname()), opened.accept()[0] as accepted:
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_a_second_socket_on_the_same_address_is_refused_by_name() -> None:
    with listening.bind("127.0.0.1:0", "server.listen") as opened:
        taken = listening.listen(listening.bound(opened))
        with pytest.raises(CannotStart, match=rf"{taken} is in use \(setting server\.internal_listen\)"):
            listening.bind(taken, "server.internal_listen")


@pytest.mark.parametrize("setting", ["unix:/no/such/directory/g.sock", "no.such.host.invalid:1"])
def test_an_address_that_cannot_be_had_is_refused_in_words(setting: str) -> None:
    with pytest.raises(CannotStart, match=r"cannot be listened on: .* \(setting server\.listen\)"):
        listening.bind(setting, "server.listen")


def test_a_unix_socket_is_open_to_its_group_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    with listening.bind(f"unix:{path}", "server.listen") as opened:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert listening.bound(opened) == (str(path), None)


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    path.write_text("somebody's")
    with pytest.raises(CannotStart):
        listening.bind(f"unix:{path}", "server.listen")
    assert path.read_text() == "somebody's"
