"""Conformance cases as data: reads the rows of ``tests/vectors`` and makes one request, and one expectation, of each.

The keys of a row: ``id``; ``why`` (and where the case comes from); ``choice`` where more than one answer would be right;
``at``, which gateway is asked; ``send``, what differs from an unknown browser's question; ``each``, several of those, as
differences to ``send`` (one may bring an ``expect`` of its own); ``repeat``, so many times with ``#`` counting; ``expect``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from asking import request

VECTORS = Path(__file__).parent.parent / "vectors"
Row = dict[str, Any]
ASKED = {
    "host": "X-Forwarded-Host",
    "uri": "X-Forwarded-Uri",
    "as": "X-Forwarded-Method",
    "scheme": "X-Forwarded-Proto",
    "accept": "Accept",
    "cookie": "Cookie",
}
"""Short names of the headers that rows change most."""
USUAL = {
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example.com",
    "X-Forwarded-Uri": "/",
    "X-Forwarded-For": "203.0.113.9",
    "Accept": "text/html",
}


class Case(NamedTuple):
    """One question: which gateway, which bytes (with ``{names}`` still in them), and what must come back."""

    name: str
    at: str
    send: Row
    expect: Row


def rows(file: str) -> list[Row]:
    """The rows of one file."""
    return list(yaml.safe_load((VECTORS / file).read_text("utf-8")))


def cases(file: str, doors: Sequence[str]) -> Iterator[Case]:
    """Every question of every row of one file, at each of the doors; at one where the row names its target."""
    for case in _cases(file):
        if "target" in case.send:
            yield case
        else:
            for door in doors:
                yield case._replace(name=f"{case.name}-{door}", send={**case.send, "target": f"/auth/{door}"})


def _cases(file: str) -> Iterator[Case]:
    for row in rows(file):
        differences = row.get("each", [{}]) * row.get("repeat", 1)
        for number, difference in enumerate(differences, 1):
            send = _merged(row.get("send", {}), difference)
            expect = send.pop("expect", None) or row["expect"]
            name = row["id"] if len(differences) == 1 else f"{row['id']}-{number}"
            yield Case(name, row.get("at", "usual"), _counted(send, number), expect)


def bytes_of(send: Row, words: dict[str, str]) -> bytes:
    """The request as sent; ``words`` are what stands for ``{names}``."""
    headers = dict(USUAL)
    wanted = {ASKED[key]: value for key, value in send.items() if key in ASKED} | send.get("headers", {})
    for name, value in wanted.items():
        for known in [known for known in headers if known.lower() == name.lower()]:
            del headers[known]
        if value is not None:
            headers[name] = value
    pairs = [(name, one) for name, value in headers.items() for one in (value if isinstance(value, list) else [value])]
    filled = [(name, fill(value, words)) for name, value in pairs]
    return request(send.get("method", "GET"), send["target"], filled)


def fill(text: str, words: dict[str, str]) -> str:
    """``text`` with every ``{name}`` replaced; braces of any other kind stay."""
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


def _merged(send: Row, difference: Row) -> Row:
    headers = send.get("headers", {}) | difference.get("headers", {})
    return {**send, **difference, "headers": headers}


def _counted(send: Row, number: int) -> Row:
    return {key: value.replace("#", str(number)) if key == "cookie" and value else value for key, value in send.items()}
