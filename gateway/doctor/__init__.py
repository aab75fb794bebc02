"""What is wrong with a proxy's configuration, found by asking the running proxy.

What lives here: the checks, which are data (``checks``, ``sends``), what to change where one fails (``changes``), how an
answer is read (``answers``, ``received``, ``looks``), and the walk over them (``examine``). What may not: a socket or an
HTTP client, which the roof hands in as ``Ask``; a row of the database, which ``services.visits`` reads and writes. Only
``cli`` calls.
"""
