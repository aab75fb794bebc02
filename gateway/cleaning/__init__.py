"""What goes on of a message's head: ``inward`` of a client's to an app, ``outward`` of an app's to a client, and what the
gateway says of the ``origin``. Pure: names and values, no sockets, no sessions; ``names`` holds what is forbidden."""

from __future__ import annotations

from gateway.cleaning.inward import Rules, cuts, wants_trailers
from gateway.cleaning.origin import Origin, forwarded, is_loop
from gateway.cleaning.outward import outward, trailers

__all__ = ["Origin", "Rules", "cuts", "forwarded", "is_loop", "outward", "trailers", "wants_trailers"]
