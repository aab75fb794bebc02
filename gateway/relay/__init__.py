"""The sidecar's bytes: from a client to an app and back, at protocol level, with ``httptools`` on both sides.

::

    Downstream   the client's connection while a request of its is carried: the upload, the answer, or a tunnel
        | begin, write                ^ answered, piece, ended, switched, failed
    Upstream     one connection to an app, which ``Pool`` opens, keeps for a while and gives again

Heads come in written anew and are written anew on the way back (``cleaning``); bodies are counted, and framed anew where
they are in chunks. Who may have what carried is decided before: nothing of sessions or policy is known here. ``app`` hands
the express door a ``Relay``; no door imports this room.

Two rules hold everywhere: what was cut off never looks as if it had ended, and a connection serves a second exchange only
behind a first that ended cleanly, with not one byte more (RFC 9112 section 6.3, section 9.6).
"""
