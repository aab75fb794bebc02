"""``gateway user``, on a real database."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import psycopg
import pytest

from commands import PASSWORD, Command
from gateway.passwords import verify_password
from processes import GATEWAY, environment


def digest(psql: psycopg.Connection, name: str) -> str:
    row = psql.execute(
        "SELECT f.secret FROM factors f JOIN users u ON u.id = f.user_id WHERE u.name = %s", (name,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_person_is_added_with_the_password_of_the_first_line(command: Command, psql: psycopg.Connection) -> None:
    said = command.done("user", "add", "alice", "--groups", "family,admins", stdin=f"{PASSWORD}\nnot this one\n")
    assert said.out == ""
    assert said.err == "gateway: added alice\n"
    assert verify_password(digest(psql, "alice"), PASSWORD)
    shown = command.done("user", "show", "alice", "--json").json
    assert shown["groups"] == ["admins", "family"]
    assert not shown["disabled"]


def test_everybody_is_listed_for_people_and_for_programs(command: Command) -> None:
    command.user("bob")
    command.user("alice", "family")
    assert [entry["name"] for entry in command.done("user", "list", "--json").json] == ["alice", "bob"]
    lines = command.done("user", "list").out.splitlines()
    assert lines[0].split() == ["name", "display", "email", "groups", "disabled", "created"]
    assert [line.split()[0] for line in lines[1:]] == ["alice", "bob"]
    assert "family" in command.done("user", "show", "alice").out


def test_an_account_is_closed_opened_and_removed(command: Command) -> None:
    command.user("alice")
    command.done("user", "disable", "alice")
    assert command.done("user", "show", "alice", "--json").json["disabled"]
    command.done("user", "enable", "alice")
    assert not command.done("user", "show", "alice", "--json").json["disabled"]
    command.done("user", "delete", "alice")
    assert command.done("user", "list", "--json").json == []


def test_a_name_is_never_given_twice(command: Command) -> None:
    command.user("alice")
    again = command.refused(1, "user", "add", "alice", stdin=PASSWORD)
    assert "there is or was a user called alice" in again
    command.done("user", "delete", "alice")
    assert command.refused(1, "user", "add", "alice", stdin=PASSWORD) == again


def test_groups_are_replaced_and_made(command: Command) -> None:
    command.user("alice", "family")
    command.done("user", "groups", "alice", "admins", "friends")
    assert command.done("user", "show", "alice", "--json").json["groups"] == ["admins", "friends"]
    command.done("user", "groups", "alice")
    assert command.done("user", "show", "alice", "--json").json["groups"] == []


def test_a_new_password_ends_every_session(command: Command, psql: psycopg.Connection) -> None:
    command.user("alice")
    command.done("session", "create", "alice")
    command.done("user", "password", "alice", stdin="another battery\n")
    assert verify_password(digest(psql, "alice"), "another battery")
    assert command.done("session", "list", "--json").json == []


@pytest.mark.parametrize("verb", ["add", "password"])
def test_a_password_comes_from_stdin_and_from_nowhere_else(command: Command, verb: str) -> None:
    assert "option" in command.refused(2, "user", verb, "alice", "--password", PASSWORD, stdin=PASSWORD)
    assert "unexpected extra argument" in command.refused(2, "user", verb, "alice", PASSWORD, stdin=PASSWORD)


@pytest.mark.parametrize(
    ("stdin", "why"),
    [
        ("", "no password on stdin"),
        ("\nsecond line\n", "no password on stdin"),
        ("1234567\n", "8 characters at least"),
        ("x" * 1025, "1024 at most"),
        (b"battery \xff staple\n", "not UTF-8"),
    ],
)
def test_a_password_that_cannot_be_one_is_refused(command: Command, stdin: str | bytes, why: str) -> None:
    assert why in command.refused(1, "user", "add", "alice", stdin=stdin)
    assert command.done("user", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("add", "Alice"), "'Alice' is no user name"),
        (("add", "a" * 65), "64 at most"),
        (("add", "alice", "--groups", "a,/b"), "'/b' is no group name"),
        (("add", "alice", "--display", "x" * 257), "display name"),
        (("add", "alice", "--display", "\x1b[31mroot"), "display name"),
        (("add", "alice", "--email", "x" * 255), "email address"),
        (("show", "nobody"), "there is no user called nobody"),
        (("disable", "nobody"), "there is no user called nobody"),
        (("enable", "nobody"), "there is no user called nobody"),
        (("delete", "nobody"), "there is no user called nobody"),
        (("password", "nobody"), "there is no user called nobody"),
        (("groups", "nobody", "family"), "there is no user called nobody"),
    ],
)
def test_what_cannot_be_done_is_one_line(command: Command, arguments: tuple[str, ...], why: str) -> None:
    assert why in command.refused(1, "user", *arguments, stdin=PASSWORD)


def test_on_a_terminal_an_empty_password_means_that_one_is_made(
    database: str, tmp_path: Path, psql: psycopg.Connection
) -> None:
    person, terminal = pty.openpty()
    try:
        child = subprocess.Popen(
            [GATEWAY, "user", "add", "alice"],
            env=environment(database, tmp_path),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        asked = b""
        while b"Password (empty: one is made): " not in asked:
            asked += os.read(person, 1000)
        os.write(person, b"\n")
        out, _ = child.communicate(timeout=60)
    finally:
        os.close(person)
    made = out.decode()
    assert child.returncode == 0
    assert made.count("\n") == 1
    assert len(made) > 16
    assert verify_password(digest(psql, "alice"), made.rstrip("\n"))
