"""``gateway audit``: what was typed is written down, and no secret with it."""

from __future__ import annotations

import pytest

from commands import PASSWORD, Command


def test_what_was_done_is_listed_newest_first_with_who_did_it(command: Command) -> None:
    command.user("alice", "family")
    command.done("user", "disable", "alice")
    listed = command.done("audit", "list", "--json").json
    assert [entry["action"] for entry in listed] == ["user.disable", "user.add"]
    assert {entry["actor"].partition(":")[0] for entry in listed} == {"cli"}
    assert listed[1]["detail"] == {"name": "alice", "groups": ["family"]}
    assert len(command.done("audit", "list", "--most", "1", "--json").json) == 1
    assert "name: alice, groups: family" in command.done("audit", "list").out


def test_no_secret_is_written_down(command: Command) -> None:
    command.user("alice")
    secrets = [PASSWORD, "another battery", command.done("session", "create", "alice").last]
    secrets.append(command.done("key", "create", "alice").last)
    command.done("user", "password", "alice", stdin="another battery\n")
    secrets += list(command.done("secret", "export").json["keys"].values())
    command.done("secret", "rotate", "--withdraw")
    written = command.done("audit", "list", "--json").out
    assert {entry["action"] for entry in command.done("audit", "list", "--json").json} == {
        "user.add",
        "session.create",
        "key.create",
        "user.password",
        "secret.export",
        "secret.rotate",
    }
    assert [secret for secret in secrets if secret in written] == []


@pytest.mark.parametrize("most", ["0", "-1", "many"])
def test_how_many_is_a_number_from_one_on(command: Command, most: str) -> None:
    assert "--most" in command.refused(2, "audit", "list", "--most", most)
