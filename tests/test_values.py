"""Single configured values: read, or refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import values

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
READERS = [values.text, values.texts, values.path, values.truth, values.count(0), values.duration]
READERS += [values.positive_duration, values.choice("check", "pass")]


@pytest.mark.parametrize(
    ("read", "given", "checked"),
    [
        (values.text, "two words", "two words"),
        (values.texts, ["a", "b"], ("a", "b")),
        (values.path, "/a b/é/", "/a b/é/"),
        (values.path, "/.well-known/..x/100%", "/.well-known/..x/100%"),
        (values.truth, False, False),
        (values.count(0), 0, 0),
        (values.count(1), 2**31 - 1, 2**31 - 1),
        (values.duration, "4s", 4.0),
        (values.duration, "1.5m", 90.0),
        (values.duration, "1h", 3600.0),
        (values.duration, "7d", 604800.0),
        (values.duration, "0s", 0.0),
        (values.choice("check", "pass"), "pass", "pass"),
    ],
)
def test_a_value_is_read(read: Callable[[object], object], given: object, checked: object) -> None:
    assert read(given) == checked


@pytest.mark.parametrize(
    ("read", "given", "says"),
    [
        (values.text, "", "is empty"),
        (values.text, " \u3000", "is empty"),
        (values.text, "a\nb", "control character"),
        (values.text, "a\u2028b", "control character"),
        (values.text, "a\u0085b", "control character"),
        (values.text, "\ud800", "control character"),
        (values.text, 7, "put quotes around 7"),
        (values.text, True, "put quotes around true"),
        (values.text, None, "must be a text, not nothing"),
        (values.text, ["a"], "must be a text, not a list"),
        (values.text, {"a": "b"}, "must be a text, not a section of its own"),
        (values.texts, "a", r"write \[a\]"),
        (values.texts, [], "is an empty list"),
        (values.texts, None, "must be a list, not nothing"),
        (values.texts, ["a", ""], "is empty"),
        (values.texts, ["a", ["b"]], "must be a text"),
        (values.path, "share/", 'must begin with "/"'),
        (values.path, "/a/../b", r'because of "/\.\."'),
        (values.path, "/a/.", r'because of "/\."'),
        (values.path, "//a", 'because of "//"'),
        (values.path, "/a?b", r'because of "\?"'),
        (values.path, "/a;b", 'because of ";"'),
        (values.path, "/a%2Fb", 'because of "%2F"'),
        (values.path, "/a\\b", "because of"),
        (values.truth, "yes", 'true or false, not "yes"'),
        (values.truth, 1, "true or false, not 1"),
        (values.count(1), 0, "between 1 and"),
        (values.count(1), 2**31, "between 1 and"),
        (values.count(1), True, "a whole number, not true"),
        (values.count(1), "1", 'a whole number, not "1"'),
        (values.duration, "10", "a duration such as"),
        (values.duration, 10, "a duration such as"),
        (values.duration, "-1s", "a duration such as"),
        (values.duration, "1h30m", "a duration such as"),
        (values.duration, "٣s", "a duration such as"),
        (values.duration, "1s\n", "a duration such as"),
        (values.positive_duration, "0s", "longer than 0s"),
        (values.choice("check", "pass"), "chek", 'did you mean "check"'),
        (values.choice("check", "pass"), ["check"], "not a list"),
        (values.choice("check", "pass"), "Check", 'did you mean "check"'),
    ],
)
def test_a_value_that_cannot_be_is_told_why(read: Callable[[object], object], given: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(given)


@pytest.mark.parametrize("read", READERS)
@given(value=ANYTHING)
@settings(max_examples=100, deadline=None)
def test_anything_at_all_raises_nothing_but_valueerror(read: Callable[[object], object], value: object) -> None:
    with suppress(ValueError):
        read(value)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("lisen", 'did you mean "listen"?'), ("LISTEN", 'did you mean "listen"?'), ("zzz", "there are: listen, workers")],
)
def test_a_hint_names_the_nearest_word_or_all(word: str, hint: str) -> None:
    assert values.hint(word, ["workers", "listen"]) == hint
