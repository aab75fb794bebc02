"""One run of locust, as a process: its command line, and the numbers that it brings back.

Nothing of locust is imported here, because it changes the standard library under whoever imports it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from accounts import Files

HERE = Path(__file__).parent
LOCUSTFILES = {"actual": "actual_budget.py", "immich": "immich.py", "kitchenowl": "kitchenowl.py"}
"""By the app."""


class Outcome(NamedTuple):
    """What a run counted; times in milliseconds. ``recalls`` is None where no gateway was asked for its counters."""

    requests: int
    failures: int
    unanswered: int
    opened: int
    seconds: float
    recalls: int | None
    p50: float
    p95: float
    p99: float
    slowest: float


def host(app: str) -> str:
    """The app's name on this machine."""
    return f"{app}.gateway.localhost"


def command(app: str, port: int, browsers: int, seconds: int, cookies: Path, *more: str) -> list[str]:
    """The command line, with all browsers at once."""
    asked = [sys.executable, "-m", "locust", "-f", str(HERE / LOCUSTFILES[app]), "--headless", "--only-summary"]
    asked += ["-u", str(browsers), "-r", str(browsers), "-t", f"{seconds}s"]
    return [*asked, "--host", f"http://{host(app)}:{port}", "--cookies", str(cookies), *more]


def mixed(files: Files) -> list[str]:
    """The options for everybody else who asks."""
    return ["--expired", str(files.expired), "--keys", str(files.keys)]


def measured(asked: Sequence[str], **told: str) -> Outcome:
    """Run it without a word, with ``told`` in its environment, and bring the numbers; whether they are good is for others
    to say."""
    with tempfile.TemporaryDirectory(prefix="gateway-run-") as directory:
        report = Path(directory, "report")
        command, environment = [*asked, "--report", str(report)], os.environ | told
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if not report.exists():
            raise ChildProcessError(f"locust ended with {done.returncode}: {done.stderr[-2000:]}")
        return Outcome(**json.loads(report.read_text("utf-8")))
