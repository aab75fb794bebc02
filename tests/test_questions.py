"""From raw headers to a mapping: one value where one is meant, or no answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import questions
from gateway.model import Malformed

FAMILY = frozenset({b"x-forwarded-host"})
NAMES = st.sampled_from([b"cookie", b"accept", b"host", b"x-forwarded-host", b"x_forwarded_host"]) | st.binary(
    max_size=5
)


@pytest.mark.parametrize("name", sorted(questions.ONCE | FAMILY))
def test_a_header_that_decides_something_may_come_once(name: bytes) -> None:  # C065, C244
    assert questions.collect([(name, b"a")], FAMILY) == {name: b"a"}
    for second in (b"a", b"b", b""):
        refused = questions.collect([(name, b"a"), (b"accept", b"x"), (name, second)], FAMILY)
        assert refused == Malformed("G102", f"the header {name.decode()} appears twice", 400)


def test_cookies_are_joined_as_one_header_and_others_as_a_list() -> None:
    raw = [(b"cookie", b"a=1"), (b"accept", b"x"), (b"cookie", b"b=2"), (b"accept", b"y")]
    assert questions.collect(raw, FAMILY) == {b"cookie": b"a=1; b=2", b"accept": b"x, y"}


def test_a_header_of_another_family_or_another_spelling_decides_nothing() -> None:  # C068
    raw = [(b"x_forwarded_host", b"a"), (b"x_forwarded_host", b"b"), (b"x-forwarded-host", b"c")]
    found = questions.collect(raw, FAMILY)
    assert isinstance(found, dict)
    assert found[b"x-forwarded-host"] == b"c"


@given(raw=st.lists(st.tuples(NAMES, st.binary(max_size=10)), max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_header_is_dropped_and_none_that_decides_is_a_mix(raw: list[tuple[bytes, bytes]]) -> None:
    found = questions.collect(raw, FAMILY)
    sent = [name for name, _ in raw]
    if isinstance(found, Malformed):
        assert any(sent.count(name) > 1 for name in questions.ONCE | FAMILY)
        return
    assert set(found) == set(sent)
    for name in (questions.ONCE | FAMILY) & set(sent):
        assert [found[name]] == [value for key, value in raw if key == name]
