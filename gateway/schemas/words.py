"""What the keys of both files mean, in a sentence each, for whoever sees them in an editor. Conditions describe
themselves, by their own docstrings."""

from __future__ import annotations

from collections.abc import Mapping

SETTINGS: Mapping[str, str] = {
    "server.listen": "Where reverse proxies reach the gateway: host:port, or unix:/path (mode 0660).",
    "server.internal_listen": "Where metrics and health are answered: host:port, or unix:/path.",
    "server.portal_url": "Where people sign in. https, or http for hosts under .localhost.",
    "server.workers": "Processes. One answers thousands of checks a second.",
    "server.express": "Answer checks that memory knows before the web framework is asked.",
    "server.data_dir": "What must survive a restart: the embedded PostgreSQL and generated keys.",
    "server.keys_file": "The keys that sign sessions; replicas share one file. keys.json in data_dir unless given.",
    "database.url": "PostgreSQL; without it the embedded one is used. It holds a password, so better use url_file.",
    "database.listen_url": "The same database around a transaction pooler, because LISTEN needs a connection of its own.",
    "database.pool_size": "Connections for changes, and for facts that memory does not hold yet.",
    "database.migrate": "Bring the schema up to date at start.",
    "cache.max_identities": "People, keys and sessions held in memory.",
    "cache.preload": "How many of them are read again after a lost connection.",
    "cache.max_age": "What is older is asked again, even if nothing was announced.",
    "cache.grace": "How long memory is trusted after the database was last heard from.",
    "cache.outage": "How long it is trusted while the database does not answer at all.",
    "trust.proxies": "Networks or addresses of the proxies that are believed about host, path and client.",
    "trust.unix": "Believe whoever can open the Unix socket named in server.listen.",
    "trust.secret": "What a proxy sends in X-Gateway-Secret to be believed; better use secret_file.",
    "session.idle": "A sign-in ends when it was not used for this long.",
    "session.absolute": "A sign-in ends after this long in any case.",
    "session.cookie_domain": "The domain whose hosts share a sign-in, or a list; the portal must be under one of them.",
    "session.reach": "One cookie for all hosts of the domain.",
    "upstream.connect": "How long opening a connection to an app may take.",
    "upstream.answer": "How long the first byte of an app's answer may take; 0s: for ever.",
    "upstream.idle": "How long an unused connection to an app is kept; shorter than the app keeps it.",
    "upstream.connections": "Connections to one app at once.",
    "upstream.ca_file": "A PEM file of authorities by which https apps are trusted, beside the system's.",
    "log.format": "auto is console on a terminal and json elsewhere.",
    "log.level": "Which lines are written: this level and above.",
}

APP: Mapping[str, str] = {
    "name": "What the app is called in commands and logs: small letters, digits and -.",
    "title": "What people see; the name, unless given.",
    "hosts": 'Its host names; "*.example.com" is every name below that domain.',
    "upstream": "Where it listens, for the gateway to carry it without another proxy: http(s)://host:port, or unix:/path.",
    "upgrades": "Protocols beside WebSocket that it may be upgraded to, such as spdy/3.1; never HTTP or TLS.",
    "authorization": "Whose the Authorization header is: app leaves it alone, gateway takes Basic and Bearer as ours.",
    "preflight": "pass lets CORS preflights reach the app unasked.",
    "origins": "Other pages that may open its WebSockets, such as https://other.example.com.",
    "headers": "Headers beside Remote-User and its like; {user}, {groups}, {name} and {email} are filled in.",
    "rules": "Walked in order; the first whose conditions all hold decides. If none holds, nobody gets in.",
}

RULE: Mapping[str, str] = {
    "policy": "bypass (everybody, known or not), one_factor (whoever signed in), two_factor, or deny.",
    "outage": "false: this rule is never answered from memory alone while the database is away.",
}
