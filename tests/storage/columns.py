"""Every column of every authority table, with SQL values to try: good ones, odd ones, and ones the schema must refuse.

``test_truth`` compares this list with the database's own, so a new column or table cannot be forgotten.
"""

from __future__ import annotations

NO_AUTHORITY = frozenset(
    {
        "schema_migrations",
        "used_names",
        "session_seen",
        "api_key_seen",
        "app_seen",
        "applied",
        "audit",
        "installation",
        "replicas",
    }
)
"""Tables that announce nothing, because no answer is made from them (or, for last uses, only deadlines that move on)."""

Values = list[str]

ID = ["DEFAULT", *map(str, range(1, 8))]
TENANT = ["1", "2", "3"]
USER = ["1", "2", "3", "4"]
TRUTH = ["true", "false"]
TEXT = ["''", "'one'", "'two words'"]
WORDS = ["'{}'", "'{one}'", "'{NULL}'", "'{{a,b},{c,d}}'"]
PLACE = ["0", "1", "5"]
NEVER_OR_NOW = ["NULL", "now()", "'infinity'"]
# Never two rows at one moment: which of two sessions is the freshest must not be a matter of microseconds.
MADE = ["now() - interval '1 day' * (1 + random())", "now() - interval '3 days' * (1 + random())"]
ENDS = ["now() + interval '1 day'", "now() - interval '1 hour'", "'infinity'", "'-infinity'"]
IDLE = ["'90 days'", "'1 hour'", "'36500 days'", "'300000 years'", "'0'"]
PATHS = ["''", "'/'", "'/internal'", "'no slash'", "'/a/../b'"]
HEADERS = [
    "'[]'",
    """'[["X-Name", "{user}"]]'""",
    """'[["X-Name", "{email}"]]'""",
    """'[["Host", "x"]]'""",
    """'[["X-Name", null]]'""",
    "'[1]'",
    "'{}'",
    "'7'",
]
HOSTS = [
    *("'app.example.com'", "'admin.example.com'", "'pub.example.com'", "'*.deep.example.com'"),
    *("'new.example.com'", "'other.example.net'", "'Upper.example.com'"),
]
DIGEST = ["{digest}"] * 15
"""Filled in with the digests of the tokens that are asked about, living and unknown: fifteen of them."""

TABLES: dict[str, dict[str, Values]] = {
    "tenants": {"id": ID, "name": ["'default'", "'other'", "'third'", "'Bad Name'"]},
    "users": {
        "id": ID,
        "tenant_id": TENANT,
        "name": ["'alice'", "'bob'", "'carol'", "'dave'", "'erin'", "'Root'", "'a,b'"],
        "display": ["''", "'Alice A.'", "'Zoë'"],
        "email": ["''", "'a@example.com'", "'b@example.com'"],
        "email_verified": TRUTH,
        "created_at": MADE,
        "disabled_at": NEVER_OR_NOW,
    },
    "groups": {"id": ID, "tenant_id": TENANT, "name": ["'users'", "'admins'", "'staff'", "'temporary'", "'a,b'"]},
    "memberships": {"tenant_id": TENANT, "user_id": USER, "group_id": ["1", "2", "3"]},
    "factors": {
        "id": ID,
        "tenant_id": TENANT,
        "user_id": USER,
        "kind": ["'password'", "'totp'", "'passkey'", "'shoe size'"],
        "secret": TEXT,
        "label": TEXT,
        "created_at": MADE,
    },
    "sessions": {
        "id": ID,
        "tenant_id": TENANT,
        "user_id": USER,
        "parent_id": ["NULL", "NULL", "1", "2", "3"],
        "kind": ["'portal'", "'session'"],
        "digest": DIGEST,
        "audience": ["''", "'example.com'", "'other.net'"],
        "level": ["1", "2", "3"],
        "label": TEXT,
        "created_at": [*MADE, "'-infinity'"],
        "expires_at": ENDS,
        "idle": IDLE,
        "ended_at": NEVER_OR_NOW,
    },
    "api_keys": {
        "id": ID,
        "tenant_id": TENANT,
        "user_id": USER,
        "digest": DIGEST,
        "label": TEXT,
        "apps": ["NULL", "'{app}'", "'{admin,pub}'", *WORDS],
        "created_at": [*MADE, "'infinity'"],
        "expires_at": ["NULL", *ENDS],
        "ended_at": NEVER_OR_NOW,
    },
    "apps": {
        "id": ID,
        "tenant_id": TENANT,
        "name": ["'app'", "'admin'", "'pub'", "'extra'", "'Bad Name'"],
        "title": TEXT,
        "position": PLACE,
        "upstream": ["''", "'http://app:80'"],
        "authorization": ["'app'", "'gateway'", "'nobody'"],
        "preflight": ["'check'", "'pass'"],
        "origins": WORDS,
        "headers": HEADERS,
        "upgrades": ["'{spdy/3.1}'", "'{h2c}'", *WORDS],
    },
    "app_hosts": {"host": HOSTS, "tenant_id": TENANT, "app_id": ["1", "2", "3", "4", "5"], "position": PLACE},
    "rules": {
        "id": ID,
        "tenant_id": TENANT,
        "app_id": ["1", "2", "3", "4", "5"],
        "position": PLACE,
        "policy": ["'bypass'", "'one_factor'", "'two_factor'", "'deny'", "'perhaps'"],
        "path": PATHS,
        "path_exact": PATHS,
        "path_regex": ["''", "'^/'", "'('"],
        "methods": ["'{GET}'", "'{POST}'", "'{get}'", *WORDS],
        "networks": ["'{203.0.113.0/24}'", "'{10.0.0.0/8}'", *WORDS],
        "users": ["'{alice}'", "'{bob}'", "'{NOBODY}'", *WORDS],
        "groups": ["'{users}'", "'{admins,staff}'", *WORDS],
        "outage": TRUTH,
    },
    "policy_state": {"tenant_id": TENANT, "revision": ["0", "1", "7", "1000", "-1"]},
    "signing_keys": {
        "id": ["'0a0b0c0d'", "'11111111'", "'22222222'", "'no key'"],
        "created_at": MADE,
        "withdrawn_at": NEVER_OR_NOW,
    },
}
