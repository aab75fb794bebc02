"""``gateway key``, on a real database and next to a real server."""

from __future__ import annotations

import pytest

from commands import Command
from serving import Served


def test_a_key_made_here_opens_the_apps_it_names(command: Command, served: Served) -> None:
    command.user("alice", "admins")
    said = command.done("key", "create", "alice", "--label", "backup", "--apps", "app", "--ttl", "30d")
    assert said.out == f"{said.last}\n"
    assert said.last.startswith("gwk_")
    assert said.last not in said.err
    assert served.check(key=said.last)["remote-user"] == "alice"
    assert served.check("admin.example.com", key=said.last).status == 403


def test_a_key_without_apps_opens_all_that_its_owner_may_open(command: Command, served: Served) -> None:
    command.user("alice", "admins")
    key = command.done("key", "create", "alice").last
    assert [served.check(f"{app}.example.com", key=key).status for app in ("app", "admin")] == [200, 200]


def test_living_keys_are_listed_and_ended(command: Command) -> None:
    apps = "apps: [{name: app, hosts: [app.example.com]}, {name: admin, hosts: [admin.example.com]}]"
    command.done("apply", command.file("apps.yaml", apps))
    command.user("alice")
    command.user("bob")
    key = command.done("key", "create", "alice", "--label", "backup", "--apps", "app,admin").last
    command.done("key", "create", "bob")
    listed = command.done("key", "list", "--json").json
    assert [(entry["user"], entry["apps"]) for entry in listed] == [("bob", None), ("alice", ["app", "admin"])]
    assert key not in str(listed)
    [mine] = command.done("key", "list", "--user", "alice", "--json").json
    assert mine["label"] == "backup"
    command.done("key", "revoke", str(mine["id"]))
    assert "backup" not in command.done("key", "list").out
    assert "no living key" in command.refused(1, "key", "revoke", str(mine["id"]))


@pytest.mark.parametrize(
    ("code", "arguments", "why"),
    [
        (1, ("create", "nobody"), "no user called nobody"),
        (1, ("create", "alice", "--label", "x" * 129), "label"),
        (1, ("create", "alice", "--ttl", "0s"), "ten years"),
        (1, ("create", "alice", "--ttl", "999999999d"), "ten years"),
        (2, ("create", "alice", "--ttl", "1y"), "--ttl: must be a duration"),
        (1, ("create", "alice", "--apps", "photos"), "no app called photos"),
        (1, ("list", "--user", "nobody"), "no user called nobody"),
        (2, ("revoke", "one"), "not a valid integer"),
        (1, ("revoke", "4711"), "no living key 4711"),
    ],
)
def test_what_cannot_be_done_is_one_line(command: Command, code: int, arguments: tuple[str, ...], why: str) -> None:
    command.user("alice")
    assert why in command.refused(code, "key", *arguments)
