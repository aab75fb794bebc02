"""Every question that the fuzzer ever found interesting, and what must hold of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import questions

CORPUS = sorted(Path(__file__).with_name("corpus").iterdir())


def test_the_corpus_has_questions_that_are_let_in_and_such_that_are_not() -> None:
    assert {200, 302, 400, 401, 403} <= {questions.judge(file.read_bytes()) for file in CORPUS}


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: str(file.name))
def test_a_kept_question_breaks_nothing(file: Path) -> None:
    questions.judge(file.read_bytes())


@given(st.binary(max_size=300), st.sampled_from(sorted(questions.DIALECTS)))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_break_nothing(data: bytes, dialect: bytes) -> None:
    questions.judge(dialect + b" GET /auth/envoy/\n" + data)
