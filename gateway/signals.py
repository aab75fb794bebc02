"""The only in-process news: who says it, and what it carries (sender; values).

Receivers are plain functions that never await or raise, connected in ``app`` with ``weak=False`` (blinker holds them
weakly by default). Nothing here has state.

- ``changed(ear; kind, key)``: the ear heard that a row of authority changed; ``key`` is its id, or ``*`` for all of a
  kind. ``*`` as the kind too: everything may have changed.
- ``hearing(ear; sent, offset)``: a heartbeat that was sent at ``sent`` (boot clock seconds) came back: memory may be
  trusted from then. ``offset`` is wall clock minus boot clock.
- ``deaf(ear; reason)``: the ear lost its connection, or the clock jumped.
- ``signed_in(SignIn; user, session)``, ``signed_out(SignIn; sessions)``: a person did; ids only.
- ``decided[outcome](door; request, decision, reply)``: one check was answered; a signal for each of OUTCOMES. Sent only
  while somebody listens to it, because on the hot path even a signal has a price.
"""

from __future__ import annotations

from blinker import NamedSignal, Namespace

__all__ = ["OUTCOMES", "NamedSignal", "changed", "deaf", "decided", "hearing", "signed_in", "signed_out"]

_names = Namespace()

changed = _names.signal("changed")
hearing = _names.signal("hearing")
deaf = _names.signal("deaf")
signed_in = _names.signal("signed_in")
signed_out = _names.signal("signed_out")
OUTCOMES = ("allow", "challenge", "deny", "malformed", "unavailable")
decided = {outcome: _names.signal(f"decided {outcome}") for outcome in OUTCOMES}
