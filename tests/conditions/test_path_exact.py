"""``path_exact``: this path, to the letter."""

from __future__ import annotations

import pytest

from gateway.conditions import path_exact
from gateway.model import HELD, AccessRequest, Failed

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})


@pytest.mark.parametrize(
    ("asked", "held"),
    [("/ping", True), ("/ping/", False), ("/Ping", False), ("/ping/x", False), ("/pin", False), ("/x/ping", False)],
)
def test_one_path_is_that_path_alone(asked: str, held: bool) -> None:
    answer = path_exact.parse("/ping").holds(REQUEST._replace(path=asked), None, 0)
    assert answer is HELD if held else answer == Failed("the path is not /ping")
