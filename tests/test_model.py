"""The words of the house say nothing secret when they are printed."""

from __future__ import annotations

import pytest

from gateway.model import AccessRequest, Credential, Question
from samples import api_key, credential, request, session

SECRETS = ["gws_canary", "/share/canary", "token=canary", "canary-digest"]
HEADERS = {b"cookie": b"__Secure-gateway_session=gws_canary", b"x-forwarded-uri": b"/share/canary?token=canary"}


@pytest.mark.parametrize(
    "value",
    [
        Credential("session", b"canary-digest"),
        [Credential("api_key", b"canary-digest")],
        Question("GET", b"/share/canary?token=canary", list(HEADERS.items()), "203.0.113.9"),
        AccessRequest("GET", "https", "h", "h", "/share/canary", "", "/share/canary?token=canary", None, HEADERS),
        {"request": request(HEADERS, path="/share/canary")},
    ],
    ids=["credential", "list", "question", "access request", "nested"],
)
def test_what_a_request_carries_is_not_printed(value: object) -> None:
    for text in (repr(value), str(value), f"{value}", "%s %r" % (value, value)):  # noqa: UP031 - as logging does
        assert not [secret for secret in SECRETS if secret in text]


def test_a_credential_says_its_kind_and_whose_row_announces_it() -> None:
    for kind, row, token in (("session", "session", session()), ("api_key", "api_key", api_key())):
        assert repr(credential(token, kind)) == f"Credential({kind})"
        assert credential(token, kind).kind_of_row == row
    assert credential(session("portal"), "portal").kind_of_row == "session"
