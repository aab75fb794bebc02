"""From raw headers to a mapping: one value where one is meant, or no answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import questions
from gateway.model import Malformed

TOLD = frozenset({b"x-forwarded-host", b"x-forwarded-for", b"x-forwarded-port", b"x-original-url", b"x-original-host"})
"""Some of those that tell what stood before the proxy; no dialect reads all of them, and some of them none does."""
SAMPLES = [b"cookie", b"accept", b"host", b"x-forwarded-host", b"x_forwarded_host", b"x-original-url"]
NAMES = st.sampled_from(SAMPLES) | st.binary(max_size=5)


@pytest.mark.parametrize("name", sorted(questions.ONCE | TOLD))
def test_a_header_that_decides_something_may_come_once(name: bytes) -> None:  # C065, C244
    assert questions.collect([(name, b"a")], questions.FAMILIES) == {name: b"a"}
    for second in (b"a", b"b", b""):
        refused = questions.collect([(name, b"a"), (b"accept", b"x"), (name, second)], questions.FAMILIES)
        assert refused == Malformed("G102", f"the header {name.decode()} appears twice", 400)


def test_cookies_are_joined_as_one_header_and_others_as_a_list() -> None:
    raw = [(b"cookie", b"a=1"), (b"accept", b"x"), (b"cookie", b"b=2"), (b"accept", b"y")]
    assert questions.collect(raw, questions.FAMILIES) == {b"cookie": b"a=1; b=2", b"accept": b"x, y"}


def test_a_header_of_another_family_or_another_spelling_decides_nothing() -> None:  # C068
    raw = [(b"x_forwarded_host", b"a"), (b"x_forwarded_host", b"b"), (b"x-forwarded-host", b"c")]
    found = questions.collect(raw, questions.FAMILIES)
    assert isinstance(found, dict)
    assert found[b"x-forwarded-host"] == b"c"


def test_who_is_asked_nothing_about_another_request_may_be_told_twice_what_stood_before() -> None:
    raw = [(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-for", b"192.0.2.2")]  # as HAProxy adds its own, to pages
    assert questions.collect(raw, ()) == {b"x-forwarded-for": b"192.0.2.1, 192.0.2.2"}


@given(raw=st.lists(st.tuples(NAMES, st.binary(max_size=10)), max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_header_is_dropped_and_none_that_decides_is_a_mix(raw: list[tuple[bytes, bytes]]) -> None:
    found = questions.collect(raw, questions.FAMILIES)
    sent = [name for name, _ in raw]
    if isinstance(found, Malformed):
        assert any(sent.count(name) > 1 for name in questions.ONCE | TOLD)
        return
    assert set(found) == set(sent)
    for name in (questions.ONCE | TOLD) & set(sent):
        assert [found[name]] == [value for key, value in raw if key == name]


def test_a_name_of_any_length_makes_a_reason_of_a_short_one() -> None:
    """Reasons are logged, and the documents that say them remembered."""
    name = b"x-forwarded-" + b"a" * 8000
    refused = questions.collect([(name, b"1"), (name, b"2")], questions.FAMILIES)
    assert isinstance(refused, Malformed)
    assert len(refused.reason) < 120
