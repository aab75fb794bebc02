"""Typing commands in tests: the real command line, in this process, with an environment of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway import cli

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of stdout: where a created secret stands, bare."""
        return self.out.splitlines()[-1]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Command:
    """``command("user", "list")`` types ``gateway user list``; ``config`` is its configuration directory."""

    environ: dict[str, str]
    config: Path
    capsys: pytest.CaptureFixture[str]
    stdin: Callable[[io.TextIOWrapper], None]

    def __call__(self, *arguments: str, stdin: str | bytes = "", environ: Mapping[str, str] | None = None) -> Said:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        self.stdin(io.TextIOWrapper(io.BytesIO(raw), "utf-8"))
        self.capsys.readouterr()
        code = cli.run(arguments, {**self.environ, **(environ or {})})
        return Said(code, *self.capsys.readouterr())

    def done(self, *arguments: str, stdin: str = "") -> Said:
        """As calling it, for what has to work."""
        said = self(*arguments, stdin=stdin)
        assert said.code == 0, said.err
        assert "Traceback" not in said.err
        return said

    def refused(self, code: int, *arguments: str, stdin: str | bytes = "", **how: Any) -> str:
        """The one line that says why not."""
        said = self(*arguments, stdin=stdin, **how)
        assert (said.code, said.out) == (code, ""), said
        assert said.err.startswith("gateway: ")
        assert said.err.count("\n") == 1, said.err
        return said.err

    def user(self, name: str, groups: str = "") -> None:
        self.done("user", "add", name, "--groups", groups, stdin=f"{PASSWORD}\n")

    def file(self, name: str, text: str) -> str:
        """A file in the configuration directory; its path."""
        (self.config / name).write_text(text)
        return str(self.config / name)
