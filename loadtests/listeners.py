"""Processes that listen (``ears``): started all at once, asked at the end what each of them heard, and when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.storage.uids import bound_to

SCRIPT = Path(__file__).with_name("ears.py")
Listener = subprocess.Popen[bytes]


@contextmanager
def listening(number: int, arguments: Sequence[str], settings: Mapping[str, str]) -> Iterator[list[Listener]]:
    """So many processes, that listen already."""
    with ExitStack() as stack:
        started = [stack.enter_context(listener(arguments, settings)) for _ in range(number)]
        for process in started:
            if said(process) != b"ready\n":
                raise RuntimeError(f"{process.args!r} does not listen")
        yield started


@contextmanager
def listener(arguments: Sequence[str], settings: Mapping[str, str]) -> Iterator[Listener]:
    """One process, out of Ctrl-C's reach, that dies with us."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, str(SCRIPT), *arguments],
        env={**kept, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=bound_to(os.getpid(), signal.SIGKILL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(processes: Sequence[Listener]) -> list[dict[str, int]]:
    """What each has noted; they end."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    return [dict(json.loads(said(process))) for process in processes]


def said(process: Listener) -> bytes:
    """One line."""
    assert process.stdout is not None
    return process.stdout.readline()
