"""What memory holds, in the shape that a million sessions fit into: entries, what they have in common, and the index by
which a change finds them.

Sessions of one person are read from the same rows but for their own, so those rows and the identity are kept once, as
an ``Origin``, and the index leads to that. An identity is shared only where all that is compared of it is equal. Only
``cache`` keeps and forgets; nothing here knows why.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.model import Identity, Key, kind_of_row

ANY = "*"
INF = float("inf")
FEW = 16


@dataclass(slots=True)
class Origin:
    """What many entries have in common: the kind of credential, who it proves (None: proven to be nobody, for
    ``reason``), every row this was read from but the credential's own, and the seconds it may be idle."""

    kind: str
    identity: Identity | None
    rows: tuple[Key, ...]
    idle: float = INF
    reason: str = ""
    holders: list[bytes] | set[bytes] = field(default_factory=list, init=False, compare=False, repr=False)
    """Digests of the entries in memory that came from here: a list where they are few, at a fifth of a set's room."""

    def __hash__(self) -> int:
        return hash(self.rows)

    def hold(self, digest: bytes) -> None:
        """One more entry came from here."""
        if isinstance(self.holders, set):
            self.holders.add(digest)
        elif len(self.holders) < FEW:
            self.holders.append(digest)
        else:
            self.holders = {*self.holders, digest}


@dataclass(slots=True)
class Entry:
    """What one credential proves, and until when (boot clock seconds). Of two sessions, the later ``row`` is the fresher;
    a credential without a row has none."""

    origin: Origin
    row: int | None = None
    parent: int | None = None
    ends: float = INF
    idle_ends: float = INF
    stale: float = INF
    identity: Identity | None = field(init=False)
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        self.come_from(self.origin)

    def come_from(self, origin: Origin) -> None:
        """From this one, which is equal to its own, so that equal ones are kept once; what a check reads is at hand."""
        self.origin, self.identity, self.kind = origin, origin.identity, origin.kind

    def own(self) -> list[tuple[str, int]]:
        """The rows that are this credential's own: a kind and an id."""
        own = [] if self.row is None else [(kind_of_row(self.kind), self.row)]
        return own if self.parent is None else [*own, ("session", self.parent)]

    @property
    def made_from(self) -> frozenset[Key]:
        """Every row it was read from; a change of any of them makes it forgotten."""
        return frozenset(self.origin.rows) | {(kind, str(number)) for kind, number in self.own()}

    @property
    def idle(self) -> float:
        """Seconds without a use after which it ends."""
        return self.origin.idle

    @property
    def reason(self) -> str:
        """Why it proves nobody."""
        return self.origin.reason


Holder = Origin | bytes
"""Who is to be found by a row: all that came from one origin, or one entry by its digest."""


class Index:
    """Holders by kind and row. Most rows have one, so only where there are several is there a set."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str | int, Holder | set[Holder]]] = {}

    def add(self, kind: str, row: str | int, holder: Holder) -> None:
        """From now on ``holder`` is found by this row."""
        table = self._tables.setdefault(kind, {})
        held = table.setdefault(_number(row), holder)
        if isinstance(held, set):
            held.add(holder)
        elif held != holder:
            table[_number(row)] = {held, holder}

    def discard(self, kind: str, row: str | int, holder: Holder) -> None:
        """It is no longer found; a row that leads to nobody is not kept."""
        table, number = self._tables.get(kind, {}), _number(row)
        held = table.get(number)
        if isinstance(held, set):
            held.discard(holder)
            if not held:
                del table[number]
        elif held == holder:
            del table[number]

    def find(self, kind: str, row: str) -> list[Holder]:
        """Who is found by this row, or by any row of the kind."""
        table = self._tables.get(kind, {})
        found = table.values() if row == ANY else [table.get(_number(row), set())]
        return [holder for held in found for holder in (held if isinstance(held, set) else (held,))]

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def clear(self) -> None:
        """Nobody is found."""
        self._tables.clear()


def _number(row: str | int) -> str | int:
    """The id of a row takes half the room as a number. Whatever else is announced stays as it is."""
    return int(row) if isinstance(row, str) and len(row) < 20 and row.isascii() and row.isdecimal() else row
