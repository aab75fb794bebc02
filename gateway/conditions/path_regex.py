r"""``path_regex: ^/api/v[0-9]+/public/``: this expression is found in the decoded path.

Found, not matched whole, as the peers do: an expression without ``^`` holds anywhere in a path, one without ``$`` says
nothing about its end. It is Python's ``re``, which can be made to take very long by nested repetition: whoever writes
the rules is trusted not to, and the length is bounded.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import ClassVar

from gateway import values
from gateway.model import HELD, AccessRequest, Failed, Holds, Identity

KEY = "path_regex"
SUBJECT = False
READS_PATH = True

MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class PathRegex:
    """An expression to be found in the path."""

    reads_path: ClassVar[bool] = READS_PATH
    expression: re.Pattern[str]
    failed: Failed

    def holds(self, request: AccessRequest, identity: Identity | None, now: float) -> Holds:
        return HELD if self.covers(request.path) else self.failed

    def covers(self, path: str) -> bool:
        """Whether the expression is found in this path."""
        return self.expression.search(path) is not None


def parse(value: object) -> PathRegex:
    """A regular expression of at most 500 characters."""
    written = values.text(value)
    if len(written) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    return PathRegex(_compiled(written), Failed(f"the path does not match {written}"))


def _compiled(written: str) -> re.Pattern[str]:
    """A warning counts as an error: an expression that will mean something else one day is no basis for a policy."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(written)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
