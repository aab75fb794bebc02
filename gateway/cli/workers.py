"""Several workers as one replica: uvicorn's supervisor, with what it lacks.

Every half second it looks whether all live; one that ended is replaced, one that does not answer for STUCK seconds is
killed and replaced. The sockets stay open meanwhile: who connects is served by another worker, or waits. A worker
accepts only when it has heard, so a new one never answers from an empty memory.

SIGTERM and SIGINT end it, each worker finishing what it has begun. SIGHUP reads ``apps.yaml`` again, as with one worker.
SIGTTIN and SIGTTOU add and take away a worker.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.endpoints import express
from gateway.errors import CannotStart, GatewayError

logger = logging.getLogger("gateway.workers")
STUCK = 20.0
"""Seconds; a start takes one or two, and several at once on a busy machine more."""
PARTING = 15.0
"""Seconds that workers have to end in: more than their own limits for requests in flight and for last writes."""


def made(create: Callable[[], Any]) -> Any:
    """In a worker: the application, or one line and uvicorn's word for a failed start. Another end would look like a
    death, and be answered by a replacement for ever."""
    try:
        return create()
    except GatewayError as error:
        logger.error("a worker could not start", extra={"problem": str(error)})
        raise SystemExit(STARTUP_FAILURE) from None


class Workers(Multiprocess):
    """``create`` makes the application in each of ``count`` processes, all accepting from ``sockets``."""

    def __init__(self, create: Callable[[], Any], count: int, sockets: list[socket.socket]) -> None:
        options = express.options(factory=True, workers=count)
        super().__init__(uvicorn.Config(partial(made, create), **options), sockets)
        self._asked: dict[Process, float] = {}
        self._serving: set[Process] = set()
        self._failed = False

    def run(self) -> None:
        """Until a signal ends it. CannotStart where no worker can serve."""
        try:
            super().run()
        except BaseException:  # a fault of this supervisor's must not leave workers that nobody watches
            self.terminate_all()
            self.join_all()
            raise
        if self._failed:
            raise CannotStart("the gateway could not start; the lines above say why")

    def keep_subprocess_alive(self) -> None:
        """As uvicorn's, but waiting for nobody, since a signal would wait too. And who cannot start ends everything only
        if nobody serves: else one death while the database is away would take along those that still answer."""
        for number, one in enumerate(self.processes):
            if self.should_exit.is_set() or (one.process.is_alive() and self._answers(one)):
                continue
            self._bury(one)
            if one.exitcode == STARTUP_FAILURE and not self._serving:
                self._failed = True
                self.should_exit.set()
                return
            fresh = Process(self.config, self.sockets)
            fresh.start()
            self.processes[number] = fresh
            lives = {"ended": one.pid, "code": one.exitcode, "started": fresh.pid}
            logger.warning("a worker ended and is replaced", extra=lives)

    def terminate_all(self) -> None:
        """Nobody accepts any more, so nobody may connect: who does would wait for nothing."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for all, but not for ever: a stopped process would keep this one from ending."""
        ends = time.monotonic() + PARTING
        for one in self.processes:
            one.process.join(max(0.0, ends - time.monotonic()))
            if one.exitcode is None:
                logger.error("a worker did not end and was killed", extra={"pid": one.pid})
                self._bury(one)

    def handle_hup(self) -> None:
        """One worker reads the file; the others hear of what changed. While none is known to serve, the signal waits."""
        for one in self.processes:
            if one in self._serving and one.process.is_alive() and one.pid is not None:
                os.kill(one.pid, signal.SIGHUP)
                return
        self.signal_queue.append(signal.SIGHUP)

    def _answers(self, one: Process) -> bool:
        """Whether it has answered within STUCK seconds; and note whether it serves."""
        now = time.monotonic()
        try:
            if one.parent_conn.poll():
                self._asked.pop(one, None)
                if one.parent_conn.recv():
                    self._serving.add(one)
            if one not in self._asked:
                self._asked[one] = now
                one.parent_conn.send(b"ping")
        except (OSError, EOFError):
            return False
        return now - self._asked[one] < STUCK

    def _bury(self, one: Process) -> None:
        self._serving.discard(one)
        self._asked.pop(one, None)
        one.kill()
        one.join()
