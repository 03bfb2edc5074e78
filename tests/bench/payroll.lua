-- wrk: what the agent sends for a joiner, each about a person of its own: looked up twice, then created.
local thread_number = 0

function setup(thread)
    thread:set("number", thread_number)
    thread_number = thread_number + 1
end

local step, person = 0, 0
local run = os.getenv("PROVOST_BENCH_RUN")
local headers = { ["Authorization"] = "Bearer " .. os.getenv("PROVOST_BENCH_SECRET"), ["Content-Type"] = "application/json" }
local form = '{"external_id":"00u%s-%d-%d","email":"b%s-%d-%d@example.com","name":{"given":"Bench","family":"Bench"},"start_date":"2026-03-02"}'

function request()
    step = step % 3 + 1
    if step == 1 then
        person = person + 1
        return wrk.format("GET", ("/employees?external_id=00u%s-%d-%d"):format(run, number, person), headers)
    elseif step == 2 then
        return wrk.format("GET", ("/employees?email=b%s-%d-%d%%40example.com"):format(run, number, person), headers)
    end
    headers["Idempotency-Key"] = ("%s-%d-%d"):format(run, number, person)
    local text = wrk.format("POST", "/employees", headers, form:format(run, number, person, run, number, person))
    headers["Idempotency-Key"] = nil
    return text
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %.0f %.0f %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
