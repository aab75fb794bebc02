"""What a run was made on and with: figures mean nothing to anybody else without it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from servers import nginx_binary
from wrk import generator

from gateway.cli.children import traefik_binary
from gateway.errors import CannotStart

HERE = Path(__file__).parent


def described() -> dict[str, str]:
    """Each fact by its name; what cannot be found out is said to be unknown."""
    packages = {name: _package(name) for name in ("uvicorn", "uvloop", "httptools", "starlette")}
    return {
        "commit": _commit(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "python": platform.python_version(),
        **packages,
        **_programs(),
    }


def load_average() -> str:
    """Of the last 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _programs() -> dict[str, str]:
    found = {}
    try:
        found["nginx"] = _version([nginx_binary(), "-v"])
    except LookupError:
        found["nginx"] = "not installed"
    try:
        found["traefik"] = _version([traefik_binary(), "version"])
    except CannotStart:
        found["traefik"] = "not installed"
    try:
        name = generator()
        found["load generator"] = f"{name} {_version([name, '-v'])}" if name == "wrk" else name
    except LookupError as missing:
        found["load generator"] = str(missing)
    return found


def _version(command: Sequence[str]) -> str:
    said = _said(command)
    found = re.search(r"\d+\.\d+[\w.+-]*", said)
    return found.group() if found else "unknown"


def _said(command: Sequence[str]) -> str:
    """Wherever it says it: nginx speaks of its version on the one side, wrk ends with 1 after it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    return done.stdout + done.stderr


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or "unknown"


def _commit() -> str:
    """Of this checkout; a plus sign where something in it was changed since."""
    git = shutil.which("git")
    if git is None or not (HERE.parent / ".git").exists():
        return "unknown"
    said = _said([git, "-C", str(HERE), "rev-parse", "--short=12", "HEAD"]).strip()
    return said + (
        "+" if _said([git, "-C", str(HERE), "status", "--porcelain", "--", "../gateway", "."]).strip() else ""
    )
