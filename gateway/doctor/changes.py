"""What to change, one sentence for each proxy whose setting has a name of its own; ``gateway`` is for all of them.

Data only. The names are those of the shipped files in ``config/proxies``.
"""

from __future__ import annotations

from gateway.doctor.words import Change

ASK = Change(
    {
        "traefik": "give the app's router the middleware `gateway`, alone or first; every router of that host needs it",
        "caddy": "in that site's block, `import gateway ...` in place of a bare `reverse_proxy`",
        "nginx": "`include gateway/protect.conf` in the location that serves the page, and all others with a proxy_pass",
        "haproxy": "let `http-request lua.gateway-ask`, and the `return status 503` behind it, hold for this host and path",
        "envoy": "remove `disabled: true` of `envoy.filters.http.ext_authz` from that route's typed_per_filter_config",
    }
)
TRUST = Change(
    {
        "gateway": "give proxy and gateway one secret (trust.secret_file), or name the proxy in trust.proxies",
        "traefik": "start it with GATEWAY_PROXY_SECRET, and put `gateway-vouch` before `gateway-ask` in the chain",
        "caddy": "start it with GATEWAY_PROXY_SECRET; `header_up X-Gateway-Secret` inside `forward_auth`",
        "nginx": "the text in gateway/http.secret; `proxy_set_header X-Gateway-Secret` where the gateway is asked",
        "haproxy": "start it with GATEWAY_PROXY_SECRET, which gateway.lua sends",
        "envoy": "start it with GATEWAY_PROXY_SECRET; x-gateway-secret in `headers_to_add` of authorization_request",
    }
)
QUESTION = Change(
    {
        "gateway": "let the proxy ask at the path that bears its name, as its file in config/proxies does",
        "traefik": "`address` of forwardAuth ends in /auth/traefik",
        "caddy": "`uri /auth/caddy`; forward_auth sets the X-Forwarded-* that it needs by itself",
        "nginx": "`proxy_set_header X-Original-URL` and `X-Original-Method` where /auth/nginx is asked",
        "haproxy": "/auth/haproxy in gateway.lua; X-Forwarded-For, -Host and -Proto set before `lua.gateway-ask`",
        "envoy": "`path_prefix: /auth/envoy`, and x-forwarded-proto in `allowed_headers`",
    }
)
REACH = Change(
    {
        "gateway": "start the gateway, and let the proxy ask where server.listen says; its log says more if it was asked",
        "traefik": "start it with GATEWAY_URL",
        "caddy": "start it with GATEWAY_URL",
        "nginx": "`upstream gateway` in gateway/http.conf",
        "haproxy": "start it with GATEWAY_ADDRESS",
        "envoy": "the address of the cluster `gateway`",
    }
)
ROUTE = Change({"gateway": "give the proxy a route for this host and path; it answers 404 before it asks anybody"})
REFUSED = Change({"gateway": "look into the gateway's log: its line `denied` or `refused to read` says why"})
REDIRECTS = Change(
    {
        "traefik": "leave `authSigninURL` out: the gateway redirects whom it should",
        "caddy": "leave out what turns 401 into a redirect (`handle_errors`)",
        "nginx": "in `@gateway_sign_in`, redirect only where the gateway offered $gateway_login",
        "haproxy": "answer what the gateway answered, instead of a redirect of your own",
        "envoy": "leave out what turns 401 into a redirect (`local_reply_config`)",
    }
)
NAVIGATION = Change(
    {
        "gateway": "pass the visitor's Accept and Sec-Fetch-Mode to the gateway, and its redirect to the visitor",
        "traefik": "leave `authRequestHeaders` out, or name Accept and the Sec-Fetch-* there",
        "nginx": "`auth_request_set $gateway_login`, and `error_page 401 = @gateway_sign_in`",
        "haproxy": "accept and sec-fetch-mode in ASKED of gateway.lua",
        "envoy": "accept and the prefix sec-fetch- in `allowed_headers`",
    }
)
LOCATION = Change(
    {
        "gateway": "let the visitor have the Location of the gateway's redirect unchanged; compare server.portal_url",
        "traefik": "`preserveLocationHeader: true`",
        "caddy": "no `header_down Location`",
        "envoy": "list location in `allowed_client_headers`",
    }
)
KEYS = Change(
    {"gateway": "run this command with the configuration (server.keys_file) of the gateway that the proxy asks"}
)
ADDRESS = Change(
    {
        "gateway": "say what visitors see: the scheme, host and port of the address bar",
        "traefik": "behind another proxy, name that one in `forwardedHeaders.trustedIPs` and set trustForwardHeader: true;"
        " else false, and no middleware that sets X-Forwarded-Proto or -Host before `gateway-ask`",
        "caddy": "behind another proxy, name that one in `trusted_proxies`; no `header_up` of X-Forwarded-* or Host",
        "nginx": "$gateway_scheme and $http_host in X-Original-URL; `map` in gateway/http.conf says which scheme it is",
        "haproxy": "X-Forwarded-Host from Host, X-Forwarded-Proto from `ssl_fc`, set before `lua.gateway-ask`",
        "envoy": "x-forwarded-proto in `allowed_headers`; behind another proxy, `xff_num_trusted_hops: 1`",
    }
)
PATH = Change(
    {
        "gateway": "ask about the path that the visitor asked for; rewrite it afterwards",
        "traefik": "put stripPrefix, replacePath and addPrefix after `gateway`",
        "caddy": "no `rewrite`, `uri` or `handle_path` before `import gateway`",
        "nginx": "$request_uri, not $uri, in X-Original-URL",
        "haproxy": "no `set-path` or `set-uri` of yours before `lua.gateway-ask`",
        "envoy": "no path rewriting before ext_authz (`normalize_path: false`, `path_prefix: /auth/envoy`)",
    }
)
RESERVED = Change(
    {
        "gateway": "route the paths under /.gateway/ of every app's host to the gateway, unasked",
        "traefik": "a router like `demo-reserved`: PathPrefix(`/.gateway/`), a higher priority, service `gateway`",
        "caddy": "`handle @reserved` before `forward_auth`, as in the snippet `(gateway)`",
        "nginx": "`include gateway/server.conf` in that server { }, which has `location ^~ /.gateway/`",
        "haproxy": "`use_backend gateway` for `path -m beg /.gateway/`, and no `lua.gateway-ask` there",
        "envoy": "a route with prefix /.gateway/ to the cluster `gateway`, first, with ext_authz disabled",
    }
)
DOORS = Change(
    {
        "gateway": "keep the paths under /auth/ away from visitors: they would ask with the proxy's good name",
        "traefik": "the portal's rule ends in && !PathPrefix(`/auth/`)",
        "caddy": "`respond @doors 404` in the portal's block, before `import gateway-itself`",
        "nginx": "`include gateway/portal.conf`, which has `location /auth/ { return 404; }`",
        "haproxy": "`http-request return status 404 if portal { path -m beg /auth/ }`",
        "envoy": "a route with prefix /auth/ and direct_response 404 before the portal's",
    }
)
DIRECT = Change(
    {
        "gateway": "set trust.secret_file and send that secret from the proxy, or listen on a Unix socket (server.listen)"
        " that only the proxy may open, or name fewer addresses in trust.proxies"
    }
)
FAILING = Change(
    {
        "traefik": "no `errors` middleware on this router whose service is the app",
        "caddy": "no `handle_errors` or second `handle_response` that goes on to the app",
        "nginx": "no `error_page 500` (or 502, 503) that leads to the app; `error_page 500 = @gateway_away`",
        "haproxy": "keep the `return status 503` behind `lua.gateway-ask`: that line is what lets in",
        "envoy": "`failure_mode_allow: false`",
    }
)
COOKIE = Change(
    {
        "gateway": "pass the visitor's Cookie to the gateway",
        "traefik": "leave `authRequestHeaders` out, or name Cookie there",
        "caddy": "no `header_up -Cookie` inside `forward_auth`",
        "nginx": "no `proxy_set_header Cookie` where /auth/nginx is asked",
        "haproxy": "cookie in ASKED of gateway.lua",
        "envoy": "cookie in `allowed_headers`",
    }
)
API_KEY = Change(
    {
        "gateway": "pass the visitor's X-Api-Key to the gateway",
        "traefik": "leave `authRequestHeaders` out, or name X-Api-Key there",
        "caddy": "no `header_up -X-Api-Key` inside `forward_auth`",
        "nginx": "no `proxy_set_header X-Api-Key` where /auth/nginx is asked",
        "haproxy": "x-api-key in ASKED of gateway.lua",
        "envoy": "x-api-key in `allowed_headers`",
    }
)
IDENTITY = Change(
    {
        "gateway": "pass each of these headers from the gateway's answer to the app, in place of the visitor's",
        "traefik": "name them in `authResponseHeaders`, and empty them in no middleware behind `gateway-ask`",
        "caddy": "name them under `copy_headers`",
        "nginx": "an `auth_request_set` and a `proxy_set_header` for each, as in gateway/protect.conf",
        "haproxy": "name them in IDENTITY of gateway.lua",
        "envoy": "name them in `allowed_upstream_headers`",
    }
)
FORGED = Change(
    {
        "gateway": "take away, under every spelling, what visitors send under these names",
        "traefik": "name them in `gateway-vouch` and in `authResponseHeaders`; `aliasHeadersStrategy: delete` on the entry"
        " point, for dots and underscores",
        "caddy": "2.11.2 or later; `import gateway-clean` first, with them in it (and -*_* and -*.*), and in copy_headers",
        "nginx": "`proxy_set_header` for each; `underscores_in_headers off` and `ignore_invalid_headers on`, the defaults",
        "haproxy": "`http-request del-header` for each, and `del-header [^A-Za-z0-9-] -m reg`, before `lua.gateway-ask`",
        "envoy": "in gateway-clean, `remove` for each, and `remove_on_match` for names with a dot or an underscore",
    }
)
SECRET = Change(
    {
        "gateway": "take X-Gateway-Secret away before the app; then make a new secret, since the app has seen this one",
        "traefik": "`gateway-forget` last in the chain",
        "caddy": "set it inside `forward_auth` only",
        "nginx": "as in gateway/protect.conf, an empty X-Gateway-Secret for the app",
        "haproxy": "set it in backend `gateway` and in gateway.lua only, never in a frontend",
        "envoy": "in `headers_to_add` of ext_authz and on routes to the gateway only",
    }
)
UNSAID = Change({name: f"{text}; {QUESTION.by_proxy[name]}" for name, text in TRUST.by_proxy.items()})
"""Where a proxy keeps the reason to itself."""
