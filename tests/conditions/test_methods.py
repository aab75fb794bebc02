"""``methods``: capitals, and HEAD wherever GET is."""

from __future__ import annotations

import pytest

from gateway.conditions import methods
from gateway.model import HELD, AccessRequest, Failed

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})


@pytest.mark.parametrize(
    ("named", "method", "held"),
    [
        (["GET"], "GET", True),
        (["GET"], "HEAD", True),
        (["GET"], "POST", False),  # C129
        (["HEAD"], "GET", False),
        (["POST"], "HEAD", False),
        (["POST", "PATCH"], "PATCH", True),
        (["VERSION-CONTROL"], "VERSION-CONTROL", True),
        (["PROPFIND"], "PROPPATCH", False),
    ],
)
def test_a_rule_covers_its_methods_and_head_with_get(named: list[str], method: str, held: bool) -> None:
    answer = methods.parse(named).holds(REQUEST._replace(method=method), None, 0)
    assert answer is HELD if held else isinstance(answer, Failed)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("get", "write GET"),
        ("Get", "write GET"),
        ("G ET", "in capitals$"),
        ("*", "in capitals$"),
        ("A" * 33, "capitals$"),
    ],
)
def test_what_no_request_can_have_is_refused(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        methods.parse([name])
