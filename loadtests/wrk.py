"""The load generator: wrk where it is installed, hey where it is not. One run, and what it says of itself as numbers.

Both are Debian packages. wrk sends exactly the bytes that it is given, one message after the other in turn, so that
every server is asked the same; hey makes a message of its own from headers, and only of the first.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
MISSING = "no load generator: apt install wrk (or hey)"


class Load(NamedTuple):
    """How a server is asked: the messages in turn, on so many connections, for so long."""

    messages: Sequence[bytes]
    connections: int = 64
    seconds: float = 2.0


class Outcome(NamedTuple):
    """One run. Times in seconds; ``strange``: answers that were neither 2xx nor 3xx; ``broken``: errors of sockets."""

    rate: float
    p50: float
    p99: float
    answers: int
    strange: int
    broken: int


def generator() -> str:
    """The program that will be used; LookupError, in words, where there is none."""
    for name in ("wrk", "hey"):
        if shutil.which(name):
            return name
    raise LookupError(MISSING)


def weakness() -> str:
    """Why a server's own limit cannot be found with the generator that is here; empty where it can."""
    return "" if generator() == "wrk" else f"{generator()} is slower than what it would measure: apt install wrk"


def run(port: int, load: Load) -> Outcome:
    """One run against a port of this machine."""
    if generator() == "hey":
        return parse_hey(_output(hey_command(port, load), load.seconds))
    with tempfile.TemporaryDirectory(prefix="gateway-wrk-") as directory:
        script = Path(directory, "messages.lua")
        script.write_text(lua(load.messages), "utf-8")
        command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", "--latency"]
        return parse_wrk(_output([*command, "-s", str(script), f"http://127.0.0.1:{port}/"], load.seconds))


def lua(messages: Sequence[bytes]) -> str:
    """A script for wrk that sends these messages in turn."""
    listed = "".join(f"  {quoted(message)},\n" for message in messages)
    return (
        f"local messages = {{\n{listed}}}\nlocal turn, last = 0, {len(messages)}\n"
        "wrk.format = function() return messages[1] end\n"
        "request = function() turn = turn % last + 1 return messages[turn] end\n"
    )


def quoted(message: bytes) -> str:
    """A Lua string of these bytes."""
    plain = range(0x20, 0x7F)
    return '"' + "".join(chr(c) if c in plain and chr(c) not in '"\\' else f"\\{c:03}" for c in message) + '"'


def parse_wrk(text: str) -> Outcome:
    """What wrk printed; ValueError where that is not a result."""
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Outcome(
        float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        _time(_found(r"\n\s+50%\s+([\d.]+[a-z]+)", text)),
        _time(_found(r"\n\s+99%\s+([\d.]+[a-z]+)", text)),
        int(_found(r"(\d+) requests in ", text)),
        int(_found(r"Non-2xx or 3xx responses: (\d+)", text, "0")),
        sum(int(number) for number in broken.groups()) if broken else 0,
    )


def hey_command(port: int, load: Load) -> list[str]:
    """How hey is asked for the same."""
    (method, target), headers = parts(load.messages[0])
    named = [part for name, value in headers for part in ("-H", f"{name}: {value}") if name.lower() not in _HEYS_OWN]
    close = ["-disable-keepalive"] if ("Connection", "close") in headers else []
    host = ["-host", dict(headers)["Host"]]
    often = ["-z", f"{max(1, round(load.seconds))}s", "-c", str(load.connections), "-cpus", "1", "-disable-redirects"]
    return ["hey", *often, "-m", method, *close, *host, *named, f"http://127.0.0.1:{port}{target}"]


_HEYS_OWN = ("host", "connection")


def parse_hey(text: str) -> Outcome:
    """What hey printed; ValueError where that is not a result."""
    statuses = {int(status): int(number) for status, number in re.findall(r"\[(\d{3})\]\s+(\d+) responses", text)}
    errors = text.partition("Error distribution:")[2]
    return Outcome(
        float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        float(_found(r"50% in ([\d.]+) secs", text)),
        float(_found(r"99% in ([\d.]+) secs", text)),
        sum(statuses.values()),
        sum(number for status, number in statuses.items() if not 200 <= status < 400),
        sum(int(number) for number in re.findall(r"\[(\d+)\]", errors)),
    )


def parts(message: bytes) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """Method and target, and the headers, of one message."""
    first, *lines = message.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [line.partition(": ") for line in lines]
    return (method, target), [(name, value) for name, _, value in pairs]


def _output(command: list[str], seconds: float) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def _found(pattern: str, text: str, default: str | None = None) -> str:
    found = re.search(pattern, text)
    if found is None and default is None:
        raise ValueError(f"the load generator did not say {pattern}: {text.strip()[-300:]}")
    return found.group(1) if found else str(default)


def _time(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * SECONDS[unit]
