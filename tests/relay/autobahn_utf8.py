"""Octets that are UTF-8 and octets that are not, by the numbers of cases 6.5 to 6.23 of the Autobahn TestSuite.

They are those of Markus Kuhn's "UTF-8 decoder capability and stress test"; non-characters are UTF-8 (RFC 3629).
"""

from __future__ import annotations

KOSME = "κόσμε".encode()  # its second letter has three octets
_CUT_SHORT = ("c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf")
_STARTS = ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
_SPECIALS = ("efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf")


def _of(*spelled: str) -> list[bytes]:
    return [bytes.fromhex(one) for one in spelled]


def _no_characters() -> list[bytes]:
    found = _of("efbfbe", "efbfbf")
    for first in range(0xF0, 0xF5):
        for second in (0x8F, 0x9F, 0xAF, 0xBF):
            if (first, second) != (0xF0, 0x8F) and (first < 0xF4 or second == 0x8F):
                found += [bytes((first, second, 0xBF, last)) for last in (0xBE, 0xBF)]
    return found


SEQUENCES: dict[int, list[bytes]] = {
    5: [f"hello{sign}world".encode() for sign in "$¢€𤭢"] + [KOSME],
    6: [KOSME[:end] for end in range(1, len(KOSME) + 1)],
    7: _of("00", "c280", "e0a080", "f0908080"),
    8: _of("f888808080", "fc8480808080"),
    9: _of("7f", "dfbf", "efbfbf", "f48fbfbf"),
    10: _of("f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"),
    11: _of("ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"),
    12: [*_of("80", "bf", *("80bf80bf80bf"[: 2 * count] for count in range(2, 7))), bytes(range(0x80, 0xBF))],
    13: [b" ".join(bytes((start,)) for start in range(first, last)) + b" " for first, last in _STARTS],
    14: _of(*_CUT_SHORT),
    15: _of("".join(_CUT_SHORT)),
    16: _of("fe", "ff", "fefeffff"),
    17: _of("c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"),
    18: _of("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"),
    19: _of("c080", "e08080", "f0808080", "f880808080", "fc8080808080"),
    20: _of("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"),
    21: [high + low for high in _of("eda080", "edadbf", "edae80", "edafbf") for low in _of("edb080", "edbfbf")],
    22: _no_characters(),
    23: _of(*_SPECIALS),
}
"""Section -> its cases."""


def is_valid(octets: bytes) -> bool:
    """Whether they are UTF-8; Python's own decoder is strict."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True
