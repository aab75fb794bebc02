"""``path``: a prefix that ends where a segment ends."""

from __future__ import annotations

import pytest

from gateway.conditions import path
from gateway.model import HELD, AccessRequest, Failed

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})


@pytest.mark.parametrize(
    ("prefix", "asked", "held"),
    [
        ("/public", "/public", True),
        ("/public", "/public/", True),
        ("/public", "/public/x", True),
        ("/public", "/publicity", False),  # C123
        ("/public", "/Public", False),
        ("/public", "/x/public", False),
        ("/public/", "/public", False),
        ("/public/", "/public/", True),
        ("/public/", "/public/x/y", True),
        ("/", "/", True),
        ("/", "/anything", True),
        ("/é", "/é/x", True),
        ("/a.c", "/abc", False),
    ],
)
def test_a_prefix_covers_whole_segments(prefix: str, asked: str, held: bool) -> None:
    answer = path.parse(prefix).holds(REQUEST._replace(path=asked), None, 0)
    assert answer is HELD if held else answer == Failed(f"the path is not under {prefix}")
