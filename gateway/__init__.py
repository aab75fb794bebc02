"""A forwardAuth gateway whose checks are answered from memory. This is the map of the house.

::

    __main__                                        the process: hands its environment on
    cli   asgi   demo   schemas                     the roof: verbs, worker processes, uvicorn; the only rooms that
    app                                             read the environment. app makes every object once, and no logic
    endpoints/   relay/   streams                   doors: bytes and ASGI in and out; Starlette lives here
    doctor/                                         what is asked of a running proxy, and what a wrong answer means
    services/                                       use cases: one function, one transaction, one audit record
    storage/   observe/                             the world: PostgreSQL and its ear; logs and metrics;
    clocks   deadlines   outbox   collector         time, and turns of the event loop
    check                                           the product on one page: request -> decision, or what is missing
    cache   remembered                              the only mutable state of the hot path, and the shape it is kept in
    policy   appsfile                               judgement: rules compiled once, walked in order
    conditions/  credentials/  logins/  dialects/   fans: every file a sibling of one small contract;
    direct                                          and the request that is its own question
    tokens  passwords  target  questions  forwarded  headers  messages/  cleaning/      small pure
    replies  originals  handshakes  probes                                                          tools
    settings  documents  addresses  lookups  signals  model  errors  values   words

Imports go down only, and siblings of a fan never meet: ``tests/test_floors.py`` says so, with a reason for each thing
that is forbidden. What that buys: ``check`` cannot query a database, because nothing that it stands on can import one.

One check: bytes -> door -> ``Question`` -> dialect -> ``AccessRequest`` -> credentials -> cache -> policy ->
``Decision`` -> dialect -> ``Reply`` -> door -> bytes. A warm one awaits nothing. What memory misses is a value; the door
that gets it waits for ``services.recall``, and checks again.

Two doors, one judgement: ``endpoints.forwardauth`` is plain ASGI; ``endpoints.express`` answers the same from the bytes,
before there is an ASGI scope, and hands everything else to ``endpoints.front``, uvicorn's own protocol with one reading of
a message. A browser's questions differ in their path: what does not look at the path is read once (``endpoints.familiar``)
and decided once (``check.Standing``), for as long as memory holds the very facts that it was decided on.

A host that the gateway carries itself: the same judgement (``endpoints.sidecar``), then ``relay`` moves the bytes, which
knows nothing of sessions or policy and is handed in by ``app``. Heads are read by the doors, cleaned (``cleaning``) and
written anew; what stays open stands in ``streams``, and ends with its right.

One change: a use case writes -> triggers announce inside the transaction -> COMMIT -> every replica's ear hears, its
own writes included -> ``signals.changed`` -> ``cache.forget`` -> the ear acknowledges the fence -> the use case returns.

Words: a *subject* may be known, an *identity* is one proven now; a *credential* is presented, unproven; *recall* fills one
missing fact; *announce* and *hear* are NOTIFY and LISTEN; *deaf*: the ear is lost; *fence*: everything before this was
heard, by everybody who hears.
"""
