"""Tokens: of one kind, of one ring, alive, in one spelling, or nothing at all."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import tokens
from gateway.tokens import NEVER, PREFIXES, Ring

NOW = 1_800_000_000
RING = Ring("ours", b"key1", {b"key1": b"\x01" * 32, b"key0": b"\x00" * 32}, b"d" * 32)
OTHER = Ring("theirs", b"key1", {b"key1": b"\x02" * 32}, b"e" * 32)
KINDS = sorted(PREFIXES)
BITS = (tokens.LENGTH - 4) * 6 * 8 // 8
"""Bits of what follows the prefix: 45 bytes."""


def shown(kind: str, ring: Ring = RING, expires: int = NOW + 60) -> bytes:
    """A fresh token as a request presents it."""
    token = tokens.mint(ring, kind, expires)
    return (tokens.sealed(token) if kind == "api_key" else token).encode()


def flipped(token: str, bit: int) -> str:
    """``token`` with one bit of what its characters say turned, spelled as tokens are spelled."""
    raw = bytearray(urlsafe_b64decode(token[4:]))
    raw[bit // 8] ^= 1 << bit % 8
    return token[:4] + urlsafe_b64encode(raw).decode()


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_admitted_as_its_own_kind_and_as_no_other(kind: str) -> None:
    token = shown(kind)
    assert [other for other in KINDS if tokens.admit(RING, other, token, NOW)] == [kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_another_prefix_does_not_make_it_another_kind(kind: str, other: str) -> None:
    renamed = PREFIXES[other] + tokens.mint(RING, kind, NEVER)[4:]
    assert (tokens.verify(RING, other, renamed, NOW) is None) is (kind != other)


def test_every_kind_has_a_prefix_and_a_key_of_its_own() -> None:
    assert len(set(PREFIXES.values())) == len(PREFIXES)
    assert len(set(RING.derived.values())) == len(RING.roots) * len(PREFIXES)


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_at_any_position_makes_it_nothing(kind: str) -> None:  # C186
    token = tokens.mint(RING, kind, NOW + 60)
    assert tokens.verify(RING, kind, token, NOW) is not None
    assert [bit for bit in range(BITS) if tokens.verify(RING, kind, flipped(token, bit), NOW) is not None] == []


def test_no_other_character_at_any_position_makes_it_a_second_name() -> None:
    token = tokens.mint(RING, "session", NOW + 60)
    for position in range(len(token)):
        for character in "A_-=+/ \n%é":
            other = token[:position] + character + token[position + 1 :]
            assert other == token or tokens.verify(RING, "session", other, NOW) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_lives_until_it_expires_and_not_a_second_longer(kind: str) -> None:
    token = shown(kind, expires=NOW)
    assert tokens.admit(RING, kind, token, NOW)
    assert not tokens.admit(RING, kind, token, NOW + 1)
    assert tokens.admit(RING, kind, shown(kind, expires=NEVER), NOW * 100)


@pytest.mark.parametrize("kind", KINDS)
def test_another_ring_admits_none_of_ours(kind: str) -> None:  # C188
    assert not tokens.admit(OTHER, kind, shown(kind), NOW)
    assert not tokens.admit(RING, kind, shown(kind, OTHER), NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_rotated_out_is_good_until_it_is_withdrawn(kind: str) -> None:
    old = shown(kind, replace(RING, current=b"key0"))
    assert tokens.admit(RING, kind, old, NOW)
    assert not tokens.admit(replace(RING, roots={b"key1": RING.roots[b"key1"]}), kind, old, NOW)


@given(payload=st.binary(max_size=200), expires=st.integers(NOW, NEVER), kind=st.sampled_from(KINDS))
@settings(max_examples=200, deadline=None)
def test_what_is_signed_for_one_purpose_is_read_back_for_that_one_alone(
    payload: bytes, expires: int, kind: str
) -> None:
    token = tokens.sign(RING, kind, payload, expires)
    read = {other: tokens.verify(RING, other, token, NOW) for other in KINDS}
    assert read.pop(kind) == payload
    assert set(read.values()) == {None}
    assert tokens.verify(RING, kind, token, expires + 1) is None


@given(cut=st.integers(0, tokens.LENGTH - 1), more=st.binary(min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_token_that_is_cut_or_drawn_out_is_nothing(cut: int, more: bytes) -> None:  # C187
    token = shown("session")
    assert not tokens.admit(RING, "session", token[:cut], NOW)
    assert not tokens.admit(RING, "session", token + more, NOW)


@pytest.mark.parametrize("kind", KINDS)
@given(noise=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_are_no_token_and_no_exception(kind: str, noise: bytes) -> None:
    assert not tokens.admit(RING, kind, noise, NOW)
    assert not tokens.admit(RING, kind, PREFIXES[kind].encode() + noise, NOW)


@pytest.mark.parametrize("text", ["\ud800", "gws_\ud800", "gws_" + "é" * 60, "gws_" + "A" * 4096, "null", '""', "gws_"])
def test_a_text_from_a_form_is_no_token_and_no_exception(text: str) -> None:
    assert tokens.verify(RING, "session", text, NOW) is None


def test_a_token_has_the_length_that_readers_look_for() -> None:
    assert {len(tokens.mint(RING, kind, NEVER)) for kind in KINDS} == {tokens.LENGTH}
    assert len(shown("api_key")) == tokens.LENGTH + tokens.CHECKSUM


def test_an_api_key_ends_in_a_checksum_that_needs_no_key_to_be_checked() -> None:
    token, _, checksum = shown("api_key").decode().rpartition("_")
    assert checksum == f"{zlib.crc32(token.encode()):08x}"
    assert tokens.unsealed(f"{token}_{checksum}") == token


@pytest.mark.parametrize(
    "change", [str.upper, lambda key: key[:-1] + "x", lambda key: key[:-9], lambda _: "", lambda key: "é" + key]
)
def test_an_api_key_whose_checksum_does_not_fit_is_nothing(change: object) -> None:
    key = change(shown("api_key").decode())  # type: ignore[operator]
    assert tokens.unsealed(key) == ""
    assert not tokens.admit(RING, "api_key", key.encode("latin-1"), NOW)


def test_a_digest_is_keyed_and_of_the_whole_token() -> None:
    token = shown("session")
    assert len(tokens.digest(RING, token)) == 32
    assert tokens.digest(RING, token) != tokens.digest(OTHER, token)
    assert tokens.digest(RING, token) != tokens.digest(RING, token[:-1])


def test_no_two_tokens_are_alike() -> None:
    assert len({shown("session") for _ in range(100)}) == 100


def test_a_ring_shows_no_key() -> None:
    assert repr(RING) == "Ring(id='ours', current=b'key1')"
