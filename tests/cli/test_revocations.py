"""What is typed beside a running server is in force when the command returns: the very next request is refused.

Every command reaches the same database and the same keys file as the server, and nothing else of it.
"""

from __future__ import annotations

import pytest

from commands import Command
from fake_ears import silent_ear
from serving import Served

TAKING_AWAY = {
    "a session": ("session", "revoke", "{session}"),
    "all of a person": ("session", "revoke", "--user", "alice"),
    "a password": ("user", "password", "alice"),
    "an account closed": ("user", "disable", "alice"),
    "an account removed": ("user", "delete", "alice"),
    "a group": ("user", "groups", "alice", "family"),
    "the last group": ("user", "groups", "alice"),
    "signing keys": ("secret", "rotate", "--withdraw"),
}
KEYS_TOO = ("an account closed", "an account removed", "a group", "the last group", "signing keys")


@pytest.mark.parametrize("what", TAKING_AWAY)
def test_the_next_request_of_a_warm_session_is_refused(command: Command, served: Served, what: str) -> None:
    served.user("alice", ["admins", "family"])
    number, cookie = served.session("alice")
    assert served.check("admin.example.com", cookie=cookie).status == 200
    arguments = [argument.format(session=number) for argument in TAKING_AWAY[what]]
    said = command.done(*arguments, stdin="another battery\n")
    assert served.check("admin.example.com", cookie=cookie).status in (302, 403)
    assert "did not acknowledge" not in said.err


@pytest.mark.parametrize("what", KEYS_TOO)
def test_the_next_request_of_a_warm_key_is_refused(command: Command, served: Served, what: str) -> None:
    served.user("alice", ["admins", "family"])
    _, key = served.key("alice")
    assert served.check("admin.example.com", key=key).status == 200
    command.done(*TAKING_AWAY[what])
    assert served.check("admin.example.com", key=key).status in (302, 403)


def test_a_revoked_key_is_refused_and_the_others_are_not(command: Command, served: Served) -> None:
    served.user("alice")
    (number, key), (_, other) = served.key("alice"), served.key("alice")
    assert [served.check(key=one).status for one in (key, other)] == [200, 200]
    command.done("key", "revoke", str(number))
    assert [served.check(key=one).status for one in (key, other)] == [302, 200]


def test_other_people_are_not_touched(command: Command, served: Served) -> None:
    for name in ("alice", "bob"):
        served.user(name)
    (_, alice), (_, bob) = served.session("alice"), served.session("bob")
    assert [served.check(cookie=cookie).status for cookie in (alice, bob)] == [200, 200]
    command.done("user", "disable", "alice")
    sent = sum(served.queries().values())
    assert served.check(cookie=bob).status == 200
    assert sum(served.queries().values()) == sent, "bob had to be asked about again"
    assert served.check(cookie=alice).status == 302


def test_an_account_that_was_opened_again_is_let_in(command: Command, served: Served) -> None:
    """Its sessions were never ended, only worth nothing meanwhile."""
    served.user("alice")
    _, cookie = served.session("alice")
    command.done("user", "disable", "alice")
    assert served.check(cookie=cookie).status == 302
    command.done("user", "enable", "alice")
    command.done("user", "groups", "alice", "any")  # the fence: whatever was committed before was heard
    assert served.check(cookie=cookie).status == 200


@pytest.mark.parametrize("what", ["an account closed", "all of a person"])
def test_a_replica_that_stays_silent_is_named_and_the_others_refuse(
    command: Command, served: Served, database: str, what: str
) -> None:
    served.user("alice")
    _, cookie = served.session("alice")
    assert served.check(cookie=cookie).status == 200
    with silent_ear(database, "stalled-replica:7"):
        said = command.done(*TAKING_AWAY[what])
    assert "stalled-replica:7 did not acknowledge within a second" in said.err
    assert said.err.count("did not acknowledge") == 1
    assert served.check(cookie=cookie).status == 302
