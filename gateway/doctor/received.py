"""What the app received, which only an app can tell that shows it: the demo app, asked for JSON."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from gateway.doctor.words import Answer

_FIELDS = {"method", "path", "headers", "body_length"}


class Received(NamedTuple):
    """One request as the app saw it. Names in lower case."""

    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of exactly this header."""
        return [value for key, value in self.headers if key == name.lower()]

    def spelled_like(self, name: str) -> list[str]:
        """The values under every spelling that some server takes for this name (PHP, CGI, WSGI: CVE-2025-64484)."""
        return [value for key, value in self.headers if re.sub("[_.]", "-", key) == name.lower()]


def read(answer: Answer) -> Received | None:
    """What the demo app told, or None where another app answered, or nobody's."""
    if "json" not in answer.first("content-type"):
        return None
    try:
        told = json.loads(answer.body)
        if not isinstance(told, dict) or set(told) != _FIELDS:
            return None
        return Received(tuple((str(name).lower(), str(value)) for name, value in told["headers"]))
    except (ValueError, TypeError):
        return None
