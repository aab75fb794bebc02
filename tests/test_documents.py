"""YAML as plain values with their lines; what configuration does not need is refused."""

from __future__ import annotations

from contextlib import suppress
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import documents
from gateway.documents import Node
from gateway.errors import ConfigurationInvalid, Problem

# fmt: off
PIECES = [
    "a", "b", ":", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", '"', "'", "#", "&a", "*a", "!", "!!x ", "|", ">",
    "?", "---", "...", "%YAML 1.2", "%TAG ! x", "\t", "\\x", "\\U", "FFFFFFFF", "\\uD800", "<<", "~", "0x1", "é", "\x00",
]
# fmt: on
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


def plain(text: str) -> object:
    root, problems = documents.read(text, "apps.yaml")
    assert problems == []
    return root.plain()


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as caught:
        documents.read(text, "apps.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_document_is_plain_values_that_remember_their_line() -> None:
    root, problems = documents.read("one: 1\ntwo:\n  - a\n  - b: true\n", "apps.yaml")
    assert problems == []
    assert root.plain() == {"one": 1, "two": ["a", {"b": True}]}
    assert isinstance(root.value, dict)
    two = root.value["two"]
    assert isinstance(two.value, list)
    assert (two.where, two.value[1].where) == ("apps.yaml:2", "apps.yaml:4")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("42", 42),
        ("-7", -7),
        ("0", 0),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("0x10", "0x10"),
        ("007", "007"),
        ("1.5", "1.5"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("9" * 30, "9" * 30),
        ('"true"', "true"),
        ("'42'", "42"),
    ],
)
def test_an_unquoted_word_is_nothing_a_truth_a_whole_number_or_itself(word: str, value: object) -> None:
    assert plain(f"key: {word}\n") == {"key": value}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n"])
def test_an_empty_document_is_nothing(text: str) -> None:
    assert plain(text) is None


def test_a_key_given_twice_is_a_problem_and_the_first_one_counts() -> None:
    root, problems = documents.read("a: 1\nb: 2\na: 3\n", "apps.yaml")
    assert root.plain() == {"a": 1, "b": 2}
    assert [str(problem) for problem in problems] == ['apps.yaml:3: "a" is given twice (first in line 1)']


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchors and aliases"),
        ("a: 1\nb: *x\n", 2, "anchors and aliases"),
        ("a: &x [*x]\n", 1, "anchors and aliases"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tags"),
        ("a: ! x\n", 1, "tags"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: 1\n\tb: 2\n", 2, "YAML indents with spaces"),
        ("a: [1\n", 2, "expected"),
        ("a: 1\nb: \x00\n", 2, "a character that YAML does not allow"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', 2, "an escape or a number that means nothing"),
        ('a: "\\U00110000"\n', 1, "an escape or a number that means nothing"),
        (f"%YAML {'9' * 5000}.1\n---\na: 1\n", 1, "an escape or a number that means nothing"),
        ("a: " + "[" * 20 + "]" * 20 + "\n", 1, "nested deeper than 16"),
        ("a: " + "[" * 100_000 + "\n", 1, "nested deeper than 16"),
        ("#" * 1_000_001, 1, "is longer than 1000000 characters"),
    ],
)
def test_what_configuration_does_not_need_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    (problem,) = refused(text)
    assert problem.startswith(f"apps.yaml:{line}: ")
    assert says in problem


def test_a_key_that_is_no_word_is_a_problem() -> None:
    _, problems = documents.read("? [a, b]\n: 1\n", "apps.yaml")
    assert [str(problem) for problem in problems] == ["apps.yaml:1: a key must be a single word"]


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert plain("a:\n  <<: {b: 1}\n") == {"a": {"<<": {"b": 1}}}


def test_unknown_keys_are_named_with_what_was_meant() -> None:
    root, _ = documents.read(
        dedent("""\
        listen: 1
        lisen: 2
        """),
        "gateway.yaml",
    )
    problems: list[Problem] = []
    assert set(documents.entries(root, ("listen", "workers"), "server", problems)) == {"listen"}
    assert [str(problem) for problem in problems] == [
        'gateway.yaml:2: server has no key "lisen" (did you mean "listen"?)'
    ]


@pytest.mark.parametrize(
    ("value", "said"), [("text", '"text"'), (7, "7"), ([], "a list"), (False, "false"), (None, "nothing")]
)
def test_what_should_have_keys_and_has_none_is_a_problem(value: object, said: str) -> None:
    problems: list[Problem] = []
    assert documents.entries(Node("f:1", value), ("a",), "server", problems) == {}  # type: ignore[arg-type]
    assert [str(problem) for problem in problems] == [f"f:1: server must have keys, not {said}"]


@given(text=YAMLISH | st.text(st.characters(), max_size=50))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_as_configuration(text: str) -> None:
    with suppress(ConfigurationInvalid):
        documents.read(text, "apps.yaml")
