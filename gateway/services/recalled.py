"""What a recall has just proven, on top of what memory knows: the view on which a check is repeated. It lives as long as
one request waits; memory keeps its own copy only of what nothing overtook."""

from __future__ import annotations

from gateway.cache import Cache, Entry, Trust
from gateway.model import Credential
from gateway.policy import Policy
from gateway.tokens import Ring


class Recalled:
    """One request's view. ``basis`` is how far memory was believed when it was made."""

    def __init__(self, cache: Cache, basis: Trust) -> None:
        self._cache = cache
        self.basis = basis
        self._entries: dict[Credential, Entry] = {}
        self.policy: Policy | None = cache.policy if basis is not Trust.ASK else None

    @property
    def ring(self) -> Ring:
        """As memory's."""
        return self._cache.ring

    @property
    def seen(self) -> dict[Credential, float]:
        """As memory's."""
        return self._cache.seen

    def trust(self, now: float, wall: float) -> Trust:
        """Proven now, so it may be believed, as long as it takes to answer."""
        return Trust.OUTAGE if self.basis is Trust.OUTAGE else Trust.MEMORY

    def get(self, credential: Credential) -> Entry | None:
        """What was proven, else what memory knows where memory may be believed."""
        found = self._entries.get(credential)
        return found if found is not None or self.basis is Trust.ASK else self._cache.get(credential)

    def learn(self, credential: Credential | None, entry: Entry | None, policy: Policy) -> None:
        """One answer."""
        self.policy = policy
        if credential is not None and entry is not None:
            self._entries[credential] = entry
