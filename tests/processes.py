"""The gateway as people run it: ``gateway serve`` and ``gateway up`` as processes of their own, on ports that are free."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from asking import Answer, Line, ask, question, request

GATEWAY = str(Path(sys.executable).with_name("gateway"))
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(url: str | None, directory: Path, **more: str) -> dict[str, str]:
    """What a server or a command is started with: nothing of ours but PATH, a database, and a data directory."""
    given = {"PATH": os.environ["PATH"], "GATEWAY_SERVER_DATA_DIR": str(directory), "GATEWAY_CONFIG": str(directory)}
    given |= {"GATEWAY_SERVER_PORTAL_URL": "https://auth.example.com", "GATEWAY_TRUST_PROXIES": "127.0.0.1"}
    return given | ({"GATEWAY_DATABASE_URL": url} if url else {}) | more


class Process:
    """A started server, and all it has said so far."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
        self.popen = subprocess.Popen(
            [GATEWAY, *arguments],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.said = b""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str) -> str:
        """Until it has said ``text``; all it said so far."""
        with self._news:
            found = self._news.wait_for(lambda: text.encode() in self.said or not self._reader.is_alive(), PATIENCE)
        assert found, f"it did not say {text!r} in time but:\n{self.said.decode()}"
        assert text.encode() in self.said, f"it ended, having said:\n{self.said.decode()}"
        return self.said.decode()

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        code = self.popen.wait(30)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        assert self.popen.stdout is not None
        while data := os.read(self.popen.stdout.fileno(), 65536):
            with self._news:
                self.said += data
                self._news.notify_all()
        self.popen.stdout.close()
        with self._news:
            self._news.notify_all()


class Server(Process):
    """``gateway serve`` on free ports, ready to answer. Lines are kept alive, as a proxy keeps them."""

    def __init__(self, variables: Mapping[str, str], *arguments: str) -> None:
        self.address = ("127.0.0.1", free_port())
        self.internal = ("127.0.0.1", free_port())
        listen = {
            "GATEWAY_SERVER_LISTEN": f"127.0.0.1:{self.address[1]}",
            "GATEWAY_SERVER_INTERNAL_LISTEN": f"127.0.0.1:{self.internal[1]}",
        }
        super().__init__(["serve", *arguments], {**variables, **listen})
        self._line: Line | None = None

    @property
    def name(self) -> str:
        """What it is called among the replicas."""
        return f"{socket.gethostname()}:{self.popen.pid}"

    def ready(self) -> Server:
        """Once it answers: the socket is open from the beginning, so the first request waits until it can."""
        while True:
            try:
                answer = ask(self.address, request("GET", "/health/ready"))
            except (ConnectionRefusedError, ConnectionResetError):
                assert self.popen.poll() is None, f"it ended, having said:\n{self.said.decode()}"
                select.select([], [], [], 0.02)  # nothing to wait for yet but the passing of time: no socket is open
                continue
            assert answer.status == 200, answer.body
            return self

    def check(self, host: str = "app.example.com", uri: str = "/", **how: object) -> Answer:
        """One question over a connection that is kept."""
        data = request("GET", "/auth/traefik", question(host, uri, **how))  # type: ignore[arg-type]  # passed on as they came
        for _ in range(2):
            if self._line is None:
                self._line = Line(self.address)
            self._line.send(data)
            answer = self._line.answer()
            if answer is not None:
                return answer
            self.hang_up()  # the server had closed it meanwhile, which is its right
        raise AssertionError("the server closes every connection")

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.hang_up()
        return super().stop(how)


@contextmanager
def servers(variables: Mapping[str, str], count: int = 1) -> Iterator[list[Server]]:
    """Several servers with the same settings, each on ports of its own."""
    started = [Server(variables) for _ in range(count)]
    try:
        yield [server.ready() for server in started]
    finally:
        for server in started:
            server.stop()
