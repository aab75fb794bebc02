"""Several workers as one replica: uvicorn's supervisor, with what it lacks.

Every half second it looks whether all live; one that ended is replaced at once, one that does not answer for STUCK
seconds is killed and replaced. The sockets stay open meanwhile: who connects is served by another worker, or waits. A
worker accepts only when it has heard, so a new one never answers from an empty memory.

SIGTERM and SIGINT end it, each worker finishing what it has begun. SIGHUP reads ``apps.yaml`` again, as with one worker.
SIGTTIN and SIGTTOU add and take away a worker.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
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
STUCK = 20
"""Seconds; a start takes one or two, and several at once on a busy machine more."""
PARTING = 20.0
"""Seconds that a worker has to end in: more than its own limit for requests in flight and for its last writes."""


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
        options = express.options(factory=True, workers=count, timeout_worker_healthcheck=STUCK)
        super().__init__(uvicorn.Config(partial(made, create), **options), sockets)

    def run(self) -> None:
        """Until a signal ends it. CannotStart where no worker can serve."""
        super().run()
        if any(one.exitcode == STARTUP_FAILURE for one in self.processes):
            raise CannotStart("the gateway could not start; the lines above say why")

    def keep_subprocess_alive(self) -> None:
        """As uvicorn's, which ends everything when one worker cannot start: that would turn the death of one, while the
        database is away, into the death of those that still answer."""
        if self.should_exit.is_set():
            return
        before = {one.pid for one in self.processes}
        super().keep_subprocess_alive()
        for one in self.processes:
            if one.pid not in before:
                logger.warning("a worker ended and was replaced", extra={"now": one.pid})
        if self.should_exit.is_set() and self._somebody_serves():
            self.should_exit.clear()
            self._start_again()

    def join_all(self) -> None:
        """Wait for each, but not for ever: a stopped process would keep this one from ending."""
        for one in self.processes:
            one.process.join(PARTING)
            if one.exitcode is None:
                logger.error("a worker did not end and was killed", extra={"pid": one.pid})
                one.process.kill()
                one.process.join()

    def handle_hup(self) -> None:
        """One worker reads the file; the others hear of what changed. One that is starting reads it anyway."""
        for one in self.processes:
            if one.is_ready(1) and one.pid is not None:
                os.kill(one.pid, signal.SIGHUP)
                return

    def _somebody_serves(self) -> bool:
        return any(one.process.is_alive() and one.is_ready(1) for one in self.processes)

    def _start_again(self) -> None:
        """Those that failed, until they can start; between two tries is the time that a try takes."""
        for number, one in enumerate(self.processes):
            if one.exitcode is not None:
                logger.warning("a worker could not start; the others answer, and it is tried again")
                self.processes[number] = Process(self.config, self.sockets)
                self.processes[number].start()
