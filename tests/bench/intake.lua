-- wrk: each request is a hook body with one event of its own, about a person of its own. A request costs the generator one
-- format: it shares the machine with what it measures. Numbers are of one width, so that all bodies have one length.
local thread_number = 0

function setup(thread)
    thread:set("number", thread_number)
    thread_number = thread_number + 1
end

local count = 0
local secret = os.getenv("PROVOST_BENCH_SECRET")
local run = os.getenv("PROVOST_BENCH_RUN")
local published = os.date("!%Y-%m-%dT%H:%M:%S.000Z")
-- 1.5 KB, as Okta's bodies are.
local padding = string.rep("Mozilla/5.0 (X11; Linux x86_64) ", 22)
local form = '{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","cloudEventsVersion":"0.1",' ..
    '"source":"https://example.okta.com/api/v1/eventHooks/who1","eventId":"%s-%d-%08d","data":{"events":[{"uuid":"%08x-%04x-4000-8000-%012x",' ..
    '"published":"' .. published .. '","eventType":"user.lifecycle.create","version":"0","severity":"INFO","displayMessage":"Create okta user",' ..
    '"client":{"userAgent":{"rawUserAgent":"' .. padding .. '"},"ipChain":[]},"outcome":{"result":"SUCCESS","reason":null},' ..
    '"target":[{"id":"00u%s-%d-%08d","type":"User","alternateId":"b%s-%d-%08d@example.com","displayName":"Bench %08d"}],"transaction":{"type":"WEB","id":"t"}}]},' ..
    '"eventTime":"' .. published .. '","contentType":"application/json"}'

local whole -- the request, head and body

function init()
    local length = #form:format(run, number, 0, 0, number, 0, run, number, 0, run, number, 0, 0)
    whole = ("POST /okta/events HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n")
        :format(wrk.headers["Host"], secret, length) .. form
end

function request()
    count = count + 1
    return whole:format(run, number, count, tonumber(run) or 0, number, count, run, number, count, run, number, count, count)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %.0f %.0f %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
    io.write(string.format("connect %d, read %d, write %d, status %d, timeout %d\n", errors.connect, errors.read, errors.write, errors.status,
        errors.timeout))
end
