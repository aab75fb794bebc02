"""Everything between a client and an app that the fuzzer ever found interesting, and what must hold of all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import relaying

CORPUS = sorted(Path(__file__).with_name("relay_corpus").iterdir())
GET = b"CGET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"CPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = [
    (GET, b"AHTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok"),
    (POST + b"2\r\nhi\r\n0\r\n\r\n", b"AHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    (GET, b"AHTTP/1.0 200 OK\r\n\r\nok" + relaying.END + b"a"),
]


def test_the_corpus_has_answers_of_apps_and_refusals_on_either_side() -> None:
    assert {200, 204, 304, 400, 431, 502} <= {status for file in CORPUS for status in relaying.carry(file.read_bytes())}


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: str(file.name))
def test_a_kept_conversation_breaks_nothing(file: Path) -> None:
    relaying.carry(file.read_bytes())


@pytest.mark.parametrize(("asked", "told"), WHOLE, ids=["length", "chunks", "close"])
def test_a_conversation_is_the_same_wherever_it_is_cut(asked: bytes, told: bytes) -> None:
    for at in range(2, len(asked)):
        assert relaying.carry(relaying.END.join([asked[:at], b"C" + asked[at:], told])) == [200]
    for at in range(2, len(told.partition(relaying.END)[0])):
        assert relaying.carry(relaying.END.join([asked, told[:at], b"A" + told[at:]])) == [200]


@given(st.lists(st.tuples(st.sampled_from([b"C", b"A", b"c", b"a", b"p", b"r"]), st.binary(max_size=100)), max_size=8))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_break_nothing(happens: list[tuple[bytes, bytes]]) -> None:
    relaying.carry(relaying.END.join([GET, *(what + data for what, data in happens)]))
