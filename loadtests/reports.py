"""What a run is given and what it says at its end: options, sessions, the summary, the exit code.

A locustfile imports this for its listeners. Any answer that was not due, a run without answers, and more questions to
the database than allowed end in exit code 1 and one line that says which.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import counters
from locust import events


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """Our options beside locust's."""
    ours = parser.add_argument_group("gateway")
    ours.add_argument("--cookies", metavar="FILE", help="sessions, one name=value a line (or in LOAD_COOKIES)")
    ours.add_argument("--metrics", metavar="URL", env_var="LOAD_METRICS", help="the gateway's /metrics")
    ours.add_argument("--parallel", type=int, default=6, help="connections of a browser: 6 (HTTP/1.1) by default")
    ours.add_argument("--max-recalls", type=int, help="how many questions checks may put to the database")


@events.init.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Sessions and counters before the first request; what is wrong with them stops the run."""
    chosen = environment.parsed_options
    environment.cookies = read_cookies(chosen.cookies, os.environ.get("LOAD_COOKIES", ""))
    environment.before = _counters(chosen.metrics) if chosen.metrics else None


@events.quitting.add_listener
def end(environment: Any, **_: Any) -> None:
    """The summary, and the exit code it deserves."""
    total, metrics = environment.stats.total, environment.parsed_options.metrics
    lasted = [f"p{share} {total.get_response_time_percentile(share / 100):.0f} ms" for share in (50, 95, 99)]
    click.echo(f"{total.num_requests} requests, {total.num_failures} not as due; {', '.join(lasted)}")
    counted = _counters(metrics).since(environment.before) if metrics else None
    if counted:
        click.echo(str(counted))
    wrong = verdict(environment.stats, counted, environment.parsed_options.max_recalls)
    if wrong:
        click.echo(f"FAILED: {wrong}")
    environment.process_exit_code = 1 if wrong else 0


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
    try:
        text = Path(file).read_text("utf-8") if file else variable
    except OSError as error:
        raise SystemExit(f"{file} cannot be read: {error.strerror}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise SystemExit("no sessions: name a file with --cookies, or put name=value lines into LOAD_COOKIES")
    if wrong := [number for number, line in enumerate(lines, 1) if not line.partition("=")[2]]:
        raise SystemExit(f"session {wrong[0]} is not written name=value")  # it may be a token, so it is not repeated
    return lines


def _counters(url: str) -> counters.Counters:
    try:
        return counters.read(url)
    except ConnectionError as error:
        raise SystemExit(str(error)) from None
