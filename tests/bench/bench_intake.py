"""The intake's part of the bench: durable answers a second, beside the same endpoint with a store that forgets."""

import os
import subprocess
from statistics import median

from agent import SECRET

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = os.environ.get("PROVOST_BENCH_SECONDS", "3")
ROUNDS = 3
KEYS = {256: ("intake_per_s", "intake_ratio")}


def wrk(agent, connections, run):
    """Requests per second, p50 and p99 in ms. Each `run` is about other people and events."""
    environment = {**os.environ, "PROVOST_BENCH_SECRET": SECRET, "PROVOST_BENCH_RUN": str(run)}
    done = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "20s", "-s", os.path.join(HERE, "intake.lua"),
                           f"http://127.0.0.1:{agent.port}"], env=environment, capture_output=True, text=True, check=True)
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT ")).split()
    requests, duration_us, p50_us, p99_us, errors = (float(word) for word in result[1:])
    assert errors == 0, f"answers that were no 2xx, or connections that broke: {done.stdout.splitlines()[-1]}"
    return requests / (duration_us / 1e6), p50_us / 1000, p99_us / 1000


def one_round(bare, agent, connections, run):
    """In turn, so that another's load falls on both."""
    forgotten, _, _ = wrk(bare, connections, run)
    durable, p50, p99 = wrk(agent, connections, run)
    return forgotten, durable, durable / forgotten, p50, p99


def bench_intake(world, row):
    print(f"intake (1.5 KB bodies, one event each, one target that is held; the middle one of {ROUNDS})")
    bare = world.agent(target={"hold": True}, arguments=["--null-store"])
    agent = world.agent(target={"hold": True})
    for connections in (64, 256):
        rounds = [one_round(bare, agent, connections, connections * 10 + i) for i in range(ROUNDS)]
        forgotten, durable, ratio, p50, p99 = (median(column) for column in zip(*rounds))
        rate_key, ratio_key = KEYS.get(connections, (None, None))
        row(f"{connections} connections: parsed and forgotten", forgotten, "events/s")
        row(f"{connections} connections: durable", durable, "events/s", 20_000, key=rate_key)
        row(f"{connections} connections: durable / forgotten", ratio, "", 0.5, key=ratio_key)
        row(f"{connections} connections: p50", p50, "ms")
        row(f"{connections} connections: p99", p99, "ms")
    bare.end()
    agent.end()
