"""Revocations, end to end on one replica: what returned is in force."""

from __future__ import annotations

from gateway.services import sessions
from serving import Served


def test_a_revoked_session_is_refused_by_the_next_request(served: Served) -> None:
    served.user("alice", ["users"])
    number, cookie = served.session("alice")
    first = served.check(cookie=cookie)
    assert first.status == 200
    assert first["remote-user"] == "alice"
    assert served.call(sessions.revoke(served.gateway.ground, "test", number)) == ()
    assert served.check(cookie=cookie).status == 302
