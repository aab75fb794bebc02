"""The sockets that the gateway listens on, opened before anything else is started, so that a taken port is one clear line.

Who connects before the gateway is ready waits in the backlog instead of being refused.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

from gateway import keepalive
from gateway.errors import CannotStart

BACKLOG = 2048
Address = tuple[str, int | None]
"""Host and port, or the path of a Unix socket and None: as ASGI names them in ``scope["server"]``."""


def address(listen: str) -> Address:
    """What ``server.listen`` means."""
    if listen.startswith("unix:"):
        return listen.removeprefix("unix:"), None
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def bind(listen: str, name: str) -> socket.socket:
    """A bound socket; CannotStart names the setting ``name`` where that fails."""
    host, port = address(listen)
    try:
        return _unix(Path(host)) if port is None else _tcp(host, port)
    except OSError as error:
        what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on: {error.strerror}"
        raise CannotStart(f"{listen} {what} (setting {name})") from None


def bound(listener: socket.socket) -> Address:
    """Where a socket is bound."""
    name = listener.getsockname()
    return (name, None) if isinstance(name, str) else (str(name[0]), int(name[1]))


def listen(at: Address) -> str:
    """``address``, backwards: what a setting would say."""
    host, port = at
    if port is None:
        return f"unix:{host}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tcp(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return _listening(socket.socket(family, kind, protocol), place)


def _unix(path: Path) -> socket.socket:
    """Mode 0660: whoever may open it may be a trusted proxy (``trust.unix``)."""
    _remove_leftover(path)
    mask = os.umask(0o117)
    try:
        return _listening(socket.socket(socket.AF_UNIX), str(path))
    finally:
        os.umask(mask)


def _remove_leftover(path: Path) -> None:
    """A socket's file outlives its server; one that nobody answers at is in nobody's way."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise OSError(errno.EADDRINUSE, "in use")
    path.unlink()


def _listening(made: socket.socket, place: Any) -> socket.socket:
    try:
        if made.family != socket.AF_UNIX:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keepalive.watch(made)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    made.set_inheritable(True)
    return made
