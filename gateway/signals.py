"""The only in-process news: who says it, and what it carries. Receivers are plain functions that never await or raise.

They are connected in ``app`` with ``weak=False`` (blinker holds receivers weakly by default). Nothing here has state.

- ``changed(kind, key)``: the ear heard that a row of authority changed; ``key`` is its id, or ``*`` for all of a kind.
- ``hearing(sent)``: a heartbeat that was sent at ``sent`` (boot clock seconds) came back: memory may be trusted from then.
- ``deaf(reason)``: the ear lost its connection, or the clock jumped.
- ``signed_in(name, client)``, ``signed_out(name)``: a person did.
- ``decided(request, decision, door)``: one check was answered. Sent only while somebody listens.
"""

from __future__ import annotations

from blinker import Namespace

_names = Namespace()

changed = _names.signal("changed")
hearing = _names.signal("hearing")
deaf = _names.signal("deaf")
signed_in = _names.signal("signed_in")
signed_out = _names.signal("signed_out")
decided = _names.signal("decided")
