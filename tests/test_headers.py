"""Identity headers: always all of them, never more than one reading of a name, never more than 4 KB."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import headers
from gateway.headers import ANSWER, LIMIT, STANDARD
from gateway.model import Headers, Identity

HOSTILE = st.text(st.characters() | st.sampled_from("\r\n\x00:,;| %é李\ud800"), max_size=30)
IDENTITIES = st.builds(
    Identity,
    tenant=st.just(1),
    user_id=st.just(42),
    name=HOSTILE,
    display=HOSTILE,
    email=HOSTILE,
    groups=st.frozensets(HOSTILE, max_size=4),
)


def alice(**more: object) -> Identity:
    return Identity(1, 42, "alice", **more)  # type: ignore[arg-type]  # the fields a row names


def shown(identity: Identity | None, *more: tuple[str, str]) -> dict[str, str]:
    """The identity headers alone, by name; each of them once."""
    block = headers.render(STANDARD + headers.template(more), identity)
    assert block is not None
    assert block[: len(ANSWER)] == ANSWER
    own = {name.decode(): value.decode("ascii") for name, value in block[len(ANSWER) :]}
    assert len(own) == len(block) - len(ANSWER)
    return own


def test_everything_known_is_said_once() -> None:  # C169
    person = alice(display="Alice A.", email="alice@example.com", groups=frozenset({"users", "admins"}))
    assert shown(person) == {
        "remote-user": "alice",
        "remote-groups": "admins,users",
        "remote-name": "Alice A.",
        "remote-email": "alice@example.com",
    }


def test_what_is_not_known_is_said_empty() -> None:  # C170
    assert shown(alice()) == {"remote-user": "alice", "remote-groups": "", "remote-name": "", "remote-email": ""}


def test_nobody_gets_every_header_empty_even_where_a_pattern_has_text_of_its_own() -> None:  # C007
    assert set(shown(None, ("Authorization", "Bearer {user}"), ("X-Fixed", "yes")).values()) == {""}


def test_an_allow_has_no_body_and_is_not_stored() -> None:  # C005, C329
    assert ANSWER == [(b"content-length", b"0"), (b"cache-control", b"no-store")]


def test_an_app_adds_headers_of_its_own() -> None:
    own = shown(alice(groups=frozenset({"users"})), ("X-Who", "{user} of {groups}"), ("X-Brace", "{{{user}}}"))
    assert (own["x-who"], own["x-brace"]) == ("alice of users", "{alice}")


@pytest.mark.parametrize(
    "display", ["Jörg Müller", "李雷", "🙂", "100%", "a\r\nRemote-Groups: admins", "a,b;c|d", '"q"\\']
)
def test_a_display_name_is_percent_encoded_utf8_and_can_be_read_back(display: str) -> None:  # C172, C173
    said = shown(alice(display=display))["remote-name"]
    assert unquote(said, errors="strict") == display
    assert said.isascii()
    assert said.isprintable()


@pytest.mark.parametrize("name", ["bob\r\nRemote-Groups: admins", "bob\n", "böb", "bob\x00", "bob\x7f", "\ud800"])
def test_a_name_that_a_header_cannot_carry_is_refused_not_changed(name: str) -> None:  # C173
    assert headers.render(STANDARD, Identity(1, 42, name)) is None
    assert headers.render(STANDARD, alice(groups=frozenset({name}))) is None


def test_a_group_cannot_forge_a_second_one() -> None:  # C175
    for group in ("users,admins", ",", "admins ", " admins", ""):
        assert headers.render(STANDARD, alice(groups=frozenset({"users", group}))) is None, group


@given(identity=IDENTITIES)
@settings(max_examples=200, deadline=None)
def test_whatever_an_identity_says_a_header_is_one_line_of_ascii_or_the_whole_is_refused(identity: Identity) -> None:
    block = headers.render(STANDARD + headers.template([("X-All", "{user}/{groups}/{name}/{email}")]), identity)
    if block is None:
        return
    names = [*(name.lower().encode() for name, _ in STANDARD), b"x-all"]
    assert [name for name, _ in block] == [name for name, _ in ANSWER] + names
    assert all(0x20 <= byte < 0x7F for _, value in block for byte in value)
    said = {name.decode(): value.decode().strip() for name, value in block}
    assert said["remote-user"] == identity.name
    assert [group.strip() for group in said["remote-groups"].split(",") if group] == sorted(identity.groups)


def size(block: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in block)


@pytest.mark.parametrize(("beyond", "fits"), [(-1, True), (0, True), (1, False), (1000, False)])
@pytest.mark.parametrize("filler", ["a", "é"])
def test_a_block_at_the_limit_is_whole_and_one_beyond_it_is_refused(beyond: int, fits: bool, filler: str) -> None:
    left = LIMIT + beyond - size([(name.encode(), b"") for name, _ in STANDARD]) - len("alice")
    count, rest = divmod(left, len(quote(filler)))
    display = filler * count + "a" * rest
    block = headers.render(STANDARD, alice(display=display))
    assert (block is not None) is fits
    if block is not None:
        assert unquote(dict(block)[b"remote-name"].decode()) == display
        assert size(block) < 4096


def test_two_hundred_short_groups_fit_and_two_hundred_long_ones_are_refused() -> None:  # C220
    assert headers.render(STANDARD, alice(groups=frozenset(f"group-{n}" for n in range(200)))) is not None
    assert headers.render(STANDARD, alice(groups=frozenset(f"{n:03}" + "x" * 60 for n in range(200)))) is None


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("Remote-User", "{user}"),
        ("remote-GROUPS", "{user}"),
        ("Set-Cookie", "a=b"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Keep-Alive", "timeout=1"),
        ("Upgrade", "h2c"),
        ("X_User", "{user}"),
        ("X User", "{user}"),
        ("X-User:", "{user}"),
        ("X-User\r\nY", "{user}"),
        ("", "{user}"),
        ("X" * 65, "{user}"),
        ("X-User", "{user"),
        ("X-User", "user}"),
        ("X-User", "{}"),
        ("X-User", "{0}"),
        ("X-User", "{password}"),
        ("X-User", "{user.__class__}"),
        ("X-User", "{user[0]}"),
        ("X-User", "{user!r}"),
        ("X-User", "{user:>99999999}"),
        ("X-User", "{user:{groups}}"),
        ("X-User", "a\r\nRemote-User: bob"),
        ("X-User", "é"),
    ],
)
def test_a_header_that_would_break_the_answer_cannot_be_configured(name: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        headers.template([(name, pattern)])


@given(pattern=st.lists(st.sampled_from([*"{}!:.[]a0 ", "{user}", "{name}"]), max_size=12).map("".join))
@settings(max_examples=200, deadline=None)
def test_a_pattern_that_was_accepted_never_fails_when_it_is_filled(pattern: str) -> None:
    try:
        own = headers.template([("X-Any", pattern)])
    except ValueError:
        return
    assert headers.render(own, alice(display="Alice")) is not None
