"""``gateway session``, on a real database and next to a real server."""

from __future__ import annotations

import psycopg
import pytest

from commands import Command
from serving import COOKIE, Served


def test_a_session_made_here_opens_an_app(command: Command, served: Served) -> None:
    command.user("alice")
    said = command.done("session", "create", "alice", "--ttl", "10m")
    assert said.out == f"{said.last}\n"
    assert COOKIE in said.err
    assert said.last not in said.err
    answer = served.check(cookie=f"{COOKIE}={said.last}")
    assert (answer.status, answer["remote-user"]) == (200, "alice")


def test_living_sessions_are_listed(command: Command) -> None:
    command.user("alice")
    command.user("bob")
    for name in ("alice", "bob"):
        command.done("session", "create", name)
    listed = command.done("session", "list", "--json").json
    assert [(entry["user"], entry["kind"], entry["level"]) for entry in listed] == [
        ("bob", "session", 1),
        ("alice", "session", 1),
    ]
    assert [entry["user"] for entry in command.done("session", "list", "--user", "alice", "--json").json] == ["alice"]
    assert "bob" in command.done("session", "list").out


def test_sessions_are_ended_one_by_one_or_all_of_a_person(command: Command) -> None:
    command.user("alice")
    for _ in range(3):
        command.done("session", "create", "alice")
    first = command.done("session", "list", "--json").json[-1]["id"]
    command.done("session", "revoke", str(first))
    assert command.done("session", "revoke", "--user", "alice").err == "gateway: ended 2 sessions\n"
    assert command.done("session", "list", "--json").json == []
    assert f"no living session {first}" in command.refused(1, "session", "revoke", str(first))


def test_a_label_that_a_browser_chose_says_nothing_to_the_terminal(command: Command, psql: psycopg.Connection) -> None:
    command.user("alice")
    command.done("session", "create", "alice")
    psql.execute("UPDATE sessions SET label = E'\\x1b]0;owned\\x07\\nroot'")
    assert "?]0;owned??root" in command.done("session", "list").out
    assert command.done("session", "list", "--json").json[0]["label"] == "\x1b]0;owned\x07\nroot"


@pytest.mark.parametrize(
    ("code", "arguments", "why"),
    [
        (2, ("revoke",), "give the id of a session, or --user"),
        (2, ("revoke", "1", "--user", "alice"), "give the id of a session, or --user"),
        (2, ("revoke", "one"), "not a valid integer"),
        (2, ("create", "alice", "--ttl", "soon"), "--ttl: must be a duration"),
        (1, ("create", "alice", "--ttl", "2d"), "a day at most"),
        (1, ("create", "alice", "--ttl", "0s"), "a day at most"),
        (1, ("create", "nobody"), "no user called nobody"),
        (1, ("list", "--user", "nobody"), "no user called nobody"),
        (1, ("revoke", "--user", "nobody"), "no user called nobody"),
        (1, ("revoke", "4711"), "no living session 4711"),
        (1, ("revoke", "9" * 30), "no living session"),
    ],
)
def test_what_cannot_be_done_is_one_line(command: Command, code: int, arguments: tuple[str, ...], why: str) -> None:
    command.user("alice")
    assert why in command.refused(code, "session", *arguments)
