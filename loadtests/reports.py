"""What a run is given and what it says at its end: options, sessions, the summary, the exit code.

A locustfile imports this for its listeners. Any answer that was not due, a run without answers, and more questions to
the database than allowed end in exit code 1 and one line that says which.
"""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import Any

import click
import counters
from gevent.event import Event
from locust import events
from strangers import EVERY

start = Event()
"""Browsers wait for it before their first request."""


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """Our options beside locust's."""
    ours = parser.add_argument_group("gateway")
    ours.add_argument("--cookies", metavar="FILE", help="sessions, one name=value a line (or in LOAD_COOKIES)")
    ours.add_argument("--expired", metavar="FILE", help="sessions that are over, in the same way (or in LOAD_EXPIRED)")
    ours.add_argument("--keys", metavar="FILE", help="API keys, one a line (or in LOAD_KEYS)")
    ours.add_argument(
        "--ask", metavar="URL", help="put Traefik's questions there, past proxy and app (see LOAD_SECRET)"
    )
    ours.add_argument("--metrics", metavar="URL", env_var="LOAD_METRICS", help="the gateway's /metrics")
    ours.add_argument("--parallel", type=int, default=6, help="connections of a browser: 6 (HTTP/1.1) by default")
    ours.add_argument("--visits", type=int, default=0, help="close a browser after so many openings; 0: never")
    ours.add_argument("--mix", type=int, default=EVERY, help="one request in so many is somebody else's; 0: none")
    ours.add_argument("--refusals", default="", help="statuses that are right for who is not signed in, as in 302,401")
    ours.add_argument("--max-recalls", type=int, help="how many questions checks may put to the database")
    ours.add_argument("--report", metavar="FILE", help="write the run's numbers there, as JSON")


@events.init.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Sessions and counters before the first request; what is wrong with them stops the run."""
    chosen = environment.parsed_options
    environment.cookies = read_cookies(chosen.cookies, os.environ.get("LOAD_COOKIES", ""))
    environment.expired = read_lines(chosen.expired, os.environ.get("LOAD_EXPIRED", ""))
    environment.keys = read_lines(chosen.keys, os.environ.get("LOAD_KEYS", ""))
    environment.secret = os.environ.get("LOAD_SECRET", "")
    environment.refusals = read_statuses(chosen.refusals)
    environment.opened = environment.closed = environment.unanswered = 0
    environment.before = _counters(chosen.metrics) if chosen.metrics else None


@events.spawning_complete.add_listener
def go(**_: Any) -> None:
    """All browsers are there, and begin together. What locust itself takes for a collection is nobody's waiting time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)
    start.set()


@events.quitting.add_listener
def end(environment: Any, **_: Any) -> None:
    """The summary, and the exit code it deserves."""
    chosen, lasting = environment.parsed_options, times(environment.stats.total)
    counted = _counters(chosen.metrics).since(environment.before) if chosen.metrics else None
    wrong = verdict(environment.stats, counted, chosen.max_recalls)
    click.echo(summary(environment, lasting))
    if counted:
        click.echo(str(counted))
    click.echo(f"FAILED: {wrong}" if wrong else "PASSED")
    if chosen.report:
        Path(chosen.report).write_text(json.dumps(numbers(environment, lasting, counted)), "utf-8")
    environment.process_exit_code = 1 if wrong else 0


def times(total: Any) -> dict[str, float]:
    """How long answers took, in milliseconds."""
    shares = {f"p{share}": total.get_response_time_percentile(share / 100) for share in (50, 95, 99)}
    return {**shares, "slowest": total.max_response_time}


def summary(environment: Any, lasting: dict[str, float]) -> str:
    """One line for people."""
    total = environment.stats.total
    left = f", {environment.unanswered} not answered when it ended" if environment.unanswered else ""
    took = ", ".join(f"{name} {value:.0f} ms" for name, value in lasting.items())
    return (
        f"{total.num_requests} requests, {total.num_failures} not as due{left}; {environment.opened} openings; {took}"
    )


def numbers(environment: Any, lasting: dict[str, float], counted: counters.Counters | None) -> dict[str, Any]:
    """The same for programs. ``recalls``: questions that checks put to the database."""
    total = environment.stats.total
    return {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "unanswered": environment.unanswered,
        "opened": environment.opened,
        "seconds": (total.last_request_timestamp or total.start_time) - total.start_time,
        "recalls": counted.queries.get("recall", 0) if counted else None,
        **lasting,
    }


def verdict(stats: Any, counted: counters.Counters | None, most: int | None) -> str:
    """What is wrong with the run, or nothing."""
    if stats.errors:
        worst = max(stats.errors.values(), key=lambda error: error.occurrences)
        return f"{stats.total.num_failures} of {stats.total.num_requests} answers, mostly {worst.name}: {worst.error}"
    if not stats.total.num_requests:
        return "nothing was answered"
    asked = counted.queries.get("recall", 0) if counted else 0
    return f"checks asked the database {asked} times, {most} were allowed" if most is not None and asked > most else ""


def read_cookies(file: str | None, variable: str) -> list[str]:
    """The sessions to use, each as ``name=value``; SystemExit, in words, where there are none."""
    lines = read_lines(file, variable)
    if not lines:
        raise SystemExit("no sessions: name a file with --cookies, or put name=value lines into LOAD_COOKIES")
    if wrong := [number for number, line in enumerate(lines, 1) if not line.partition("=")[2]]:
        raise SystemExit(f"session {wrong[0]} is not written name=value")  # it may be a token, so it is not repeated
    return lines


def read_lines(file: str | None, variable: str) -> list[str]:
    """The lines of the file, or of the variable where no file is named."""
    try:
        text = Path(file).read_text("utf-8") if file else variable
    except OSError as error:
        raise SystemExit(f"{file} cannot be read: {error.strerror}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_statuses(text: str) -> frozenset[int]:
    """``302,401`` as numbers; SystemExit, in words, where it is something else."""
    written = [status.strip() for status in text.split(",") if status.strip()]
    if not all(status.isdecimal() for status in written):
        raise SystemExit(f"--refusals are statuses such as 302,401, not {text}")
    return frozenset(map(int, written))


def _counters(url: str) -> counters.Counters:
    try:
        return counters.read(url)
    except ConnectionError as error:
        raise SystemExit(str(error)) from None
