"""PostgreSQL, and nothing but PostgreSQL: the only room that may import its driver.

One file per noun; ``embedded`` (with ``cluster``, ``binaries``, ``owner``, ``uids``) brings along a server of
our own. It may import the steps below it; only ``services`` and the roof may call it.
"""
