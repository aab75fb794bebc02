"""What a single configured value may look like, whatever file or variable it came from.

Every function takes a plain value and gives the checked one, or raises ValueError with a sentence that goes behind the
name of the key. Standard library only; whoever reads configuration may call.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NO_PATH = re.compile(r"//|/\.\.?(?=/|\Z)|[\\?#;]|%[0-9A-Fa-f]{2}")
"""What ``target`` refuses in a path or calls unclear, so that a rule with it would protect, or open, nothing."""
_LARGEST = 2**31 - 1


def text(value: object) -> str:
    """A non-empty text of one line."""
    if isinstance(value, bool | int):
        raise ValueError(f"must be a text; put quotes around {said(value)}")
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {said(value)}")
    if not value.strip():
        raise ValueError("is empty")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in value):
        raise ValueError("has a control character in it")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A list of one or more texts. An empty list is refused: did its author mean everybody, or nobody?"""
    if isinstance(value, str):
        raise ValueError(f"must be a list; write [{value}]")
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, not {said(value)}")
    if not value:
        raise ValueError("is an empty list; leave the key out where it should not matter")
    return tuple(text(item) for item in value)


def path(value: object) -> str:
    """A decoded path as a rule may name it: one that a request can have without being refused or unclear."""
    written = text(value)
    if not written.startswith("/"):
        raise ValueError(f'must begin with "/", not {said(written)}')
    if found := _NO_PATH.search(written):
        raise ValueError(
            f'would never match, because of "{found[0]}": write the decoded path, without dots, query or ;'
        )
    return written


def truth(value: object) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {said(value)}")
    return value


def count(least: int) -> Callable[[object], int]:
    """A whole number from ``least`` on."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, not {said(value)}")
        if not least <= value <= _LARGEST:
            raise ValueError(f"must be between {least} and {_LARGEST}, not {value}")
        return value

    return read


def duration(value: object) -> float:
    """Seconds of ``4s``, ``10m``, ``1h`` or ``7d``."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a duration such as 4s, 10m, 1h or 7d, not {said(value)}")
    return float(match[1]) * _SECONDS[match[2]]


def positive_duration(value: object) -> float:
    """A duration above zero."""
    seconds = duration(value)
    if seconds <= 0:
        raise ValueError(f"must be longer than {value}")
    return seconds


def choice(*known: str) -> Callable[[object], str]:
    """One of the known words."""

    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}, not {said(value)}{_meant(value, known)}")
        return str(value)

    return read


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    words = {one.lower(): one for one in sorted(known)}
    found = difflib.get_close_matches(word.lower(), words, n=1)
    return words[found[0]] if found else ""


def hint(word: str, known: Iterable[str]) -> str:
    """``did you mean "listen"?``, or which words there are."""
    words = sorted(known)
    found = nearest(word, words)
    return f'did you mean "{found}"?' if found else f"there are: {', '.join(words)}"


def said(value: object) -> str:
    """A value as its author wrote it, for messages."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return "a list"
        case dict():
            return "a section of its own"
        case _:
            return f'"{value}"' if isinstance(value, str) else str(value)


def _meant(value: object, known: tuple[str, ...]) -> str:
    found = nearest(value, known) if isinstance(value, str) else ""
    return f' (did you mean "{found}"?)' if found else ""
