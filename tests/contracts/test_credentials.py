"""The contract of the fan of credentials: every member, the one added tomorrow too."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import credentials, tokens
from gateway.credentials import cookies
from gateway.model import Credential
from gateway.tokens import NEVER, PREFIXES, Ring

ELSEWHERE = {"portal": "accepted on the portal's own host and nowhere else"}
"""What looks like a member and must never be one, with the reason."""

RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32}, b"d" * 32)
NAMES = cookies.names(secure=True)
TOKENS = {kind: tokens.mint(RING, kind, NEVER) for kind in PREFIXES}
ALL = [token.encode() for token in TOKENS.values()] + [tokens.sealed(token).encode() for token in TOKENS.values()]
HEADERS = st.dictionaries(
    st.sampled_from([b"cookie", b"x-api-key", b"authorization", b"proxy-authorization"]) | st.binary(max_size=10),
    st.lists(
        st.sampled_from([*NAMES, b"=", b"; ", b", ", b'"', b"Bearer ", b"Basic ", *ALL]) | st.binary(max_size=80),
        max_size=8,
    ).map(b"".join),
    max_size=4,
)
members = pytest.mark.parametrize("member", credentials.FAN, ids=lambda member: member.KIND)


def test_every_file_that_reads_a_credential_is_named_once_in_the_fan() -> None:
    stems = {file.stem for file in Path(credentials.__file__).parent.glob("*.py")} - {"__init__"}
    found = {stem for stem in stems if hasattr(import_module(f"gateway.credentials.{stem}"), "KIND")}
    named = [member.__name__.rpartition(".")[2] for member in credentials.FAN]
    assert sorted(named) == sorted(found - ELSEWHERE.keys())
    assert ELSEWHERE.keys() <= found
    assert tuple(member.KIND for member in credentials.FAN) == credentials.KINDS
    assert len(set(credentials.KINDS)) == len(credentials.KINDS)


@members
def test_a_member_has_what_the_fan_promises(member: ModuleType) -> None:
    assert member.KIND in PREFIXES, "there are no tokens of this kind"
    assert Credential(member.KIND, b"").kind_of_row in {"session", "api_key"}
    assert member.read({}, NAMES) == []


@members
@given(headers=HEADERS)
@settings(max_examples=200, deadline=None)
def test_read_raises_nothing_and_finds_only_what_was_sent_of_its_own_kind(
    member: ModuleType, headers: dict[bytes, bytes]
) -> None:
    sent = b"\n".join(headers.values())
    for token in member.read(headers, NAMES):
        assert isinstance(token, bytes)
        assert token.startswith(PREFIXES[member.KIND].encode())
        assert token in sent
        assert len(token) <= tokens.LENGTH + tokens.CHECKSUM, "what is digested has a bound"


@members
def test_a_credential_shows_nothing_of_its_token(member: ModuleType) -> None:
    credential = Credential(member.KIND, tokens.digest(RING, ALL[0]))
    assert repr(credential) == f"Credential({member.KIND})"


@members
@pytest.mark.parametrize("kind", sorted(PREFIXES))
def test_a_token_of_another_kind_is_read_nowhere(member: ModuleType, kind: str) -> None:
    if kind == member.KIND:
        return
    for shown in (TOKENS[kind], tokens.sealed(TOKENS[kind])):
        token = shown.encode()
        headers = {
            b"cookie": NAMES.session + b"=" + token + b"; " + NAMES.portal + b"=" + token,
            b"x-api-key": token,
            b"authorization": b"Bearer " + token,
            b"proxy-authorization": b"Bearer " + token,
        }
        assert member.read(headers, NAMES) == []


def test_the_two_cookies_are_never_read_for_one_another() -> None:
    """The app cookie is readable by every app; it must not open the portal, nor the portal's open an app."""
    for member in (*credentials.FAN, import_module("gateway.credentials.portal")):
        for name, kind in ((NAMES.session, "portal"), (NAMES.portal, "session")):
            assert member.read({b"cookie": name + b"=" + TOKENS[kind].encode()}, NAMES) == []
