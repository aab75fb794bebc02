"""What ``cli.workers`` relies on in uvicorn's supervisor beyond what it documents. Where one of these fails behind an
upgrade, read ``uvicorn/supervisors/multiprocess.py`` again, whole, beside it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.cli.workers import Workers

OVERRIDDEN = {"__init__", "run", "keep_subprocess_alive", "terminate_all", "join_all", "handle_hup"}
LINES: dict[Callable[..., Any], str] = {
    Multiprocess.__init__: r"self\.processes: list\[Process\][\s\S]*self\.should_exit = threading\.Event\(\)",
    Multiprocess.run: r"should_exit\.wait\(0\.5\):\s+self\.handle_signals\(\)\s+self\.keep_subprocess_alive\(\)"
    r"[\s\S]*self\.terminate_all\(\)\s+self\.join_all\(\)",
    Multiprocess.handle_signals: r'f"handle_\{sig_name\.lower\(\)\}"',
    Process.__init__: r"self\.parent_conn, self\.child_conn = Pipe\(\)",
    Process.pong: r"self\.child_conn\.recv\(\)\s+self\.child_conn\.send\(self\.server\.started\)",
    Process.target: r"target=self\.always_pong, daemon=True",
    Process.kill: r"self\.process\.kill\(\)\s+self\.parent_conn\.close\(\)",
    Process.terminate: r"signal\.SIGTERM",
}


@pytest.mark.parametrize("function", LINES, ids=lambda function: function.__qualname__)
def test_the_supervisor_does_what_ours_leans_on(function: Callable[..., Any]) -> None:
    assert re.search(LINES[function], inspect.getsource(function))


def test_what_ours_overrides_is_there() -> None:
    """A hook that was renamed would not be called any more, and nothing would say so."""
    public = {name for name in vars(Workers) if callable(getattr(Workers, name)) and not name.startswith("_")}
    assert public | {"__init__"} == OVERRIDDEN
    assert set(vars(Multiprocess)) >= OVERRIDDEN


def test_a_private_name_of_ours_is_not_one_of_theirs() -> None:
    """Nor is one of theirs; a new private name there could be one here."""
    private = {name for name in vars(Workers) if name.startswith("_") and not name.startswith("__")}
    assert not private & set(re.findall(r"self\.(_\w+)", inspect.getsource(Multiprocess)))
