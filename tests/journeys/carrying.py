"""Replicas on one database that carry one app, which a test plays, and the command line beside them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from endpoints.person import Person
from processes import GATEWAY, Server, environment, servers
from relay import behind
from relay.behind import App
from serving import COOKIE, PASSWORD

APPS = """
apps:
  - name: app
    hosts: [app.example.com]
    upstream: {upstream}
    rules: [{rules}]
  - name: other
    hosts: [other.example.com]
    rules: [{{policy: one_factor}}]
"""
FAMILY = "{policy: one_factor, groups: [family]}"
_numbers = count(1)


class Replicas:
    """``running`` are the servers; the command line shares their settings but for what a server was given alone."""

    def __init__(self, directory: Path, variables: Mapping[str, str], app: App, running: list[Server]) -> None:
        self.app, self.running = app, running
        self._directory, self._variables = directory, variables

    def type(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """One command as typed."""
        command = [GATEWAY, *arguments]
        done = subprocess.run(command, env=self._variables, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done

    def somebody(self) -> str:
        """A new person of the family."""
        name = f"person-{next(_numbers)}"
        self.type("user", "add", name, "--groups", "family", stdin=f"{PASSWORD}\n")
        return name

    def cookie(self, name: str, ttl: str = "1h") -> str:
        """Of a session that nobody signed in for."""
        return f"{COOKIE}={self.type('session', 'create', name, '--ttl', ttl).stdout.strip()}"

    def signed_in(self, name: str) -> Person:
        """A browser that has signed in at the last replica."""
        person = Person(self.running[-1])  # type: ignore[arg-type]  # all it asks of whoever serves is an address
        assert person.sign_in(name).status == 200
        return person

    def apply(self, rules: str = FAMILY, text: str = APPS) -> None:
        """Have these rules for the app."""
        file = self._directory / "new.yaml"
        file.write_text(text.format(upstream=self.app.upstream, rules=rules))
        self.type("apply", str(file))


@contextmanager
def carrying(url: str, directory: Path, *alone: Mapping[str, str], **bounds: str) -> Iterator[Replicas]:
    """A replica for each of ``alone``, which it is given beside ``bounds``."""
    variables = environment(url, directory, **bounds)
    with behind.listening() as app:
        (directory / "apps.yaml").write_text(APPS.format(upstream=app.upstream, rules=FAMILY))
        with _each(variables, *alone) as running:
            yield Replicas(directory, variables, app, running)


@contextmanager
def _each(variables: Mapping[str, str], *alone: Mapping[str, str]) -> Iterator[list[Server]]:
    if not alone:
        yield []
        return
    with servers({**variables, **alone[0]}) as first, _each(variables, *alone[1:]) as others:
        yield first + others
