"""``path_regex``: found in the decoded path, never in the query."""

from __future__ import annotations

import pytest

from gateway.conditions import path_regex
from gateway.model import HELD, AccessRequest, Failed

REQUEST = AccessRequest("GET", "https", "app.example.com", "app.example.com", "/", "", "/", None, {})


@pytest.mark.parametrize(
    ("expression", "asked", "held"),
    [
        ("^/public/", "/public/x", True),
        ("^/public/", "/x/public/", False),
        ("/public/", "/x/public/", True),
        ("^/internal$", "/internal", True),
        ("^/internal$", "/internal/x", False),
        ("^/api/v[0-9]+/", "/api/v12/x", True),
        ("^/api/v[0-9]+/", "/API/v1/", False),
        ("^/(?i:api)/", "/API/x", True),
    ],
)
def test_an_expression_is_found_in_the_path(expression: str, asked: str, held: bool) -> None:
    answer = path_regex.parse(expression).holds(REQUEST._replace(path=asked), None, 0)
    assert answer is HELD if held else answer == Failed(f"the path does not match {expression}")


def test_the_query_is_no_part_of_it() -> None:  # C104
    request = REQUEST._replace(path="/admin", uri="/admin?x=/public/")
    assert isinstance(path_regex.parse("/public/").holds(request, None, 0), Failed)


@pytest.mark.parametrize(
    "written", ["([", "*", "(?P<a>", "a{2,1}", "(" * 200, "[[a]", "a" * 501, "a{99999999999}", "(?z)"]
)
def test_what_is_no_expression_is_refused(written: str) -> None:  # C137
    with pytest.raises(ValueError, match=r"^is (not a regular expression|longer than 500)"):
        path_regex.parse(written)
