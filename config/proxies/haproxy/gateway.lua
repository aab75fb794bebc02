-- Asks the gateway about one request: `http-request lua.gateway-ask` in haproxy.cfg, which says what it needs before
-- and behind it. 200 lets in; every other answer of the gateway goes to the visitor as it is; no answer is 503.

local ADDRESS = os.getenv("GATEWAY_ADDRESS") or "127.0.0.1:8000"
local SECRET = os.getenv("GATEWAY_PROXY_SECRET") or ""
-- Milliseconds; longer than the gateway waits for its database. HAProxy asks up to four times (`httpclient.retries`,
-- from 2.8 on), so a gateway that says nothing at all is given up after four times as long.
local PATIENCE = 5000

-- What the app is told, in place of anything that the visitor sent (haproxy.cfg has taken that away). If an app in
-- apps.yaml has `headers` of its own, add their names here and there, in small letters.
local IDENTITY = { "remote-user", "remote-groups", "remote-name", "remote-email" }

-- What decides, and where the answer goes; nothing else of the visitor's is the gateway's business.
local ASKED = {
    "cookie", "authorization", "proxy-authorization", "x-api-key",
    "accept", "accept-language", "user-agent", "x-requested-with", "origin",
    "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user",
    "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
    "access-control-request-method", "access-control-request-headers",
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
}
-- HAProxy's HTTP client writes past the end of its own table from 101 headers on (2.6: tune.http.maxhdr), and a visitor
-- may send nearly as many cookies. No honest browser comes near this.
local MOST = 64

-- About the connection with the gateway, not about its answer (RFC 9110 section 7.6.1); HAProxy writes its own.
local HOP_BY_HOP = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
    ["date"] = true,
}

-- Ours, by every name that it can have. They are for the gateway alone.
local COOKIES = {
    ["gateway_session"] = true, ["__Secure-gateway_session"] = true, ["__Host-gateway_session"] = true,
    ["gateway_portal"] = true, ["__Host-gateway_portal"] = true,
}

-- The values of one header in order; HAProxy counts them from 0. Repeated headers stay apart: joined, two cookies or
-- two Authorizations would be one that nobody has sent.
local function values(headers, name)
    local found, given = {}, headers[name]
    if given then
        for number = 0, #given do
            if given[number] ~= nil then found[#found + 1] = given[number] end
        end
    end
    return found
end

-- The headers of the question, or nil where there are too many.
local function question(txn, sent)
    local headers, count = {}, 0
    for _, name in ipairs(ASKED) do
        local found = values(sent, name)
        if #found > 0 then
            headers[name], count = found, count + #found
        end
    end
    if count > MOST then return nil end
    headers["x-forwarded-method"] = { txn.f:method() }
    headers["x-forwarded-uri"] = { txn.f:pathq() }
    if SECRET ~= "" then headers["x-gateway-secret"] = { SECRET } end
    return headers
end

local function answer(txn, status, headers, body)
    local reply = txn:reply({ status = status })
    for name, found in pairs(headers) do
        for _, value in ipairs(found) do reply:add_header(name, value) end
    end
    reply:set_body(body)
    txn:done(reply)
end

-- A Cookie header without our cookies, the others byte for byte.
local function without_ours(header)
    local kept, first_went = {}, false
    for pair in (header .. ";"):gmatch("([^;]*);") do
        if COOKIES[pair:match("^[ \t]*([^=]-)[ \t]*=") or pair:match("^[ \t]*(.-)[ \t]*$")] then
            first_went = first_went or #kept == 0
        else
            kept[#kept + 1] = pair
        end
    end
    local left = table.concat(kept, ";")
    return first_went and left:gsub("^[ \t]+", "") or left
end

-- The app's request: who it is, and nothing that is between the visitor and the gateway.
local function rewrite(txn, sent, told)
    for _, name in ipairs(IDENTITY) do
        local value = values(told, name)[1] or ""
        txn.http:req_del_header(name)
        if value ~= "" then txn.http:req_add_header(name, value) end
    end
    txn.http:req_del_header("proxy-authorization")
    for _, key in ipairs(values(sent, "x-api-key")) do
        if key:sub(1, 4) == "gwk_" then txn.http:req_del_header("x-api-key") end
    end
    txn.http:req_del_header("cookie")
    for _, header in ipairs(values(sent, "cookie")) do
        local left = without_ours(header)
        if left ~= "" then txn.http:req_add_header("cookie", left) end
    end
end

local function carried(headers)
    local kept = {}
    for name in pairs(headers) do
        if not HOP_BY_HOP[name] then kept[name] = values(headers, name) end
    end
    return kept
end

core.register_action("gateway-ask", { "http-req" }, function(txn)
    local sent = txn.http:req_get_headers()
    local headers = question(txn, sent)
    if headers == nil then
        return answer(txn, 431, { ["cache-control"] = { "no-store" } }, "Too many headers.\n")
    end
    local told = core.httpclient():get({
        url = "http://" .. ADDRESS .. "/auth/haproxy", headers = headers, timeout = PATIENCE,
    })
    if told and told.status == 200 then
        rewrite(txn, sent, told.headers)
        -- Last, so that a fault above lets nobody in.
        txn:set_var("txn.gateway_allows", true)
    elseif told and told.headers and told.headers["x-request-id"] then
        -- Every no of the gateway has a number. What has none is HAProxy's own words for "no answer"; for those the
        -- line behind this action says 503.
        answer(txn, told.status, carried(told.headers), told.body or "")
    end
end)
