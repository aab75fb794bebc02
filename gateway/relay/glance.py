"""Heads of answers that are read at a glance: visible ASCII, ``Name: value`` with one space, and only the ordinary of what
decides where an answer ends and what becomes of its connection.

Pure. Such a head has one reading in every parser, and its lines go back as they came but for those that are taken out. Any
other (None) is for the parser (``answers``), which says the same of these: a test compares them.
"""

from __future__ import annotations

import re

from gateway.relay.answers import LONGEST, Answer

_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) ((?:[!-~][ -~]*+)?)"
    rb"((?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]++: [!-~][ -~]*+(?<! )){0,100}+)\r\n\r\n"
)
"""Status, reason, and the lines, each behind its line end."""
_ABOUT = re.compile(
    rb"\r\n(content.length|connection|set.cookie|keep.alive|transfer.encoding|te|trailer|upgrade|http2.settings|alt.svc"
    rb"|proxy.[^:]*+): ([^\r]*+)",
    re.IGNORECASE,
)
"""What is not simply passed on, in every spelling that ``cleaning`` takes for it, and a few that it does not."""
_new = tuple.__new__  # a third of what calling the class costs


def read(data: bytes, cookies: tuple[bytes, ...]) -> Answer | None:
    """The head with which ``data`` begins. ``cookies`` are the names of ours, which no app may set."""
    plain = _HEAD.match(data, 0, LONGEST)
    if plain is None:
        return None
    status, reason, lines = plain.groups()
    parts, length = _ABOUT.split(lines), None  # what is passed on, and a name and a value between each two of these
    for at in range(1, len(parts), 3):
        name, value = parts[at].lower(), parts[at + 1]
        if name == b"content-length" and length is None and value.isdigit() and len(value) < 19:
            length = int(value)
        elif name == b"set-cookie" and not any(cookie in value for cookie in cookies):
            parts[at - 1] += b"\r\n%b: %b" % (parts[at], value)
        elif name != b"keep-alive" and (name != b"connection" or value.lower() != b"keep-alive"):
            return None
    return _new(Answer, (int(status), reason, b"".join(parts[::3]), {}, length, True, False, plain.end()))
