"""The bench's part for sessions: how soon an application refuses whom Okta reports.

With an own index: from the POST of the hook to the first request that an Express application (connect-redis) refuses,
while nothing else goes on. Without one, in a Redis of PROVOST_BENCH_SESSIONS sessions (default 1,000,000): how long a
sweep takes, beside a bare SCAN over the same keys, in turn: redis-cli --scan, and a loop with the sweep's own step. A sweep
also reads each value, which costs the server as much again. share = 100 lets it take what it needs, as a bare SCAN does.
"""

import http.client
import os
import subprocess
import time

import okta
import redis_store
import web_app
from agent import BUILD, shipped_mapping
from bounded import await_condition
from okta import User
from redis_store import RedisStore

SAMPLES = int(os.environ.get("PROVOST_BENCH_SAMPLES", "300"))
SESSIONS = int(os.environ.get("PROVOST_BENCH_SESSIONS", "1000000"))
ROUNDS = 5
STEP = 500  # the option's default
REPORT = "user.account.report_suspicious_activity_by_enduser"
# No second sweep while it is measured.
LATER = ('request_timeout = "30 s"', 'request_timeout = "1 h"')


def portal_agent(world, redis, **settings):
    target = {"name": "portal-sessions", "connector": "session", "mappings": ["sessions-redis.conf"],
              "settings": {"store": "redis", "address": [f"127.0.0.1:{redis.port}"], **settings}}
    mapping = shipped_mapping("sessions-redis.conf", (LATER,))
    return world.agent(directory=None, mappings_={"sessions-redis.conf": mapping}, top={"targets": (target,)})


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def report_user(user):
    return okta.body(okta.event(REPORT, user))


# --- from the hook to the refusal

class Requests:
    """One browser's, over a connection that stays."""

    def __init__(self, app, browser):
        self.connection = http.client.HTTPConnection(app.url.removeprefix("http://"))
        self.cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)

    def who(self):
        self.connection.request("GET", "/who", headers={"Cookie": self.cookie})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


def one_refusal(agent, app, number):
    """Milliseconds."""
    user = User(f"00ubench{number}", f"bench{number}", "Bench Bench")
    browser = Requests(app, app.signed_in(user.login))
    assert browser.who() == 200
    body = report_user(user)
    start = time.monotonic()
    assert agent.post(body) == 204
    while browser.who() != 401:
        assert time.monotonic() - start < 10, "the session is still there after 10 s"
    return (time.monotonic() - start) * 1000


def bench_refusals(world, row):
    print(f"sessions: from the POST to the first request refused ({SAMPLES} samples, idle, own index)")
    redis = world.own(RedisStore(world.new_folder("redis")))
    app = web_app.express(world, redis.port)
    agent = portal_agent(world, redis, index=True, index_configure=True)
    one_refusal(agent, app, "warm")
    taken = [one_refusal(agent, app, number) for number in range(SAMPLES)]
    revokes = await_condition("all sweeps are in status",
                              lambda: (lambda seen: seen["sweeps"] >= SAMPLES and seen)(agent.target_status()["revokes"]))
    row("p50", percentile(taken, 0.50), "ms")
    row("p99", percentile(taken, 0.99), "ms", most=20)
    row("most", max(taken), "ms")
    row("revoke_ms of the same in status: p50", revokes["p50_ms"], "ms")
    row("revoke_ms of the same in status: p99", revokes["p99_ms"], "ms")
    agent.end()
    app.stop()
    redis.stop()


# --- a sweep over all keys

# As express-session writes them.
FILL = """for n = ARGV[1], ARGV[2] do
    redis.call('SET', 'sess:' .. redis.sha1hex(n), '{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},' ..
               '"passport":{"user":"many' .. n .. '"}}', 'EX', 86400)
end"""


def fill(redis):
    """Sessions of as many people."""
    for first in range(0, SESSIONS, 50000):
        redis.cli("EVAL", FILL, "0", str(first), str(min(first + 50000, SESSIONS) - 1))


def bare_scan(redis):
    """Seconds."""
    done = subprocess.run([os.path.join(BUILD, "bench_redis_scan"), str(redis.port), "sess:*", str(STEP)], capture_output=True, text=True, check=True)
    seen, seconds = done.stdout.split()
    assert int(seen) >= SESSIONS - ROUNDS, f"SCAN saw {seen} of {SESSIONS} keys"
    return float(seconds)


def cli_scan(redis):
    """The same by the ordinary tool, which asks in steps of 10."""
    start = time.monotonic()
    done = subprocess.run(["redis-cli", "-p", str(redis.port), "--scan", "--pattern", "sess:*"], capture_output=True, check=True)
    assert done.stdout.count(b"\n") >= SESSIONS - ROUNDS
    return time.monotonic() - start


def sweep(agent, number):
    """Seconds that the agent took, from the event's arrival to the end of the first sweep."""
    user = User(f"00umany{number}", f"many{number}", "Many Many")
    assert agent.post(report_user(user)) == 204
    line = agent.await_log(300, action="revoke", user=user.login)
    assert line["sessions_ended"] == "1", line
    return int(line["revoke_ms"]) / 1000


def bench_sweeps(world, row):
    print(f"sessions: a sweep through {SESSIONS:,} without an index, beside a bare SCAN (best of {ROUNDS})")
    redis = world.own(RedisStore(world.new_folder("redis"), "appendonly no"))
    fill(redis)
    agent = portal_agent(world, redis, share=100, step=STEP)
    rounds = [(cli_scan(redis), bare_scan(redis), sweep(agent, number)) for number in range(ROUNDS)]
    by_cli, bare, swept = (min(one[i] for one in rounds) for i in range(3))
    row("redis-cli --scan", by_cli, "s")
    row(f"a loop of SCAN COUNT {STEP} that reads no value", bare, "s")
    row("sweep", swept, "s")
    row("sweep / redis-cli --scan", swept / by_cli, "", most=1.2)
    row("sweep / loop", swept / bare, "")
    agent.end()
    redis.stop()


def bench_sessions(world, row):
    if not redis_store.present():
        print("sessions: there is no Redis (Debian: redis-tools)")
        return
    bench_refusals(world, row)
    bench_sweeps(world, row)
