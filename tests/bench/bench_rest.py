"""The REST connector's part of the bench: joiners a second into an HTTP API, beside wrk sending the same requests to it.

A joiner is two look-ups and a create. Two peers: the test payroll (Python, SQLite), which limits both at 0 ms, and an
nginx that says "nobody" and "created" without looking, so that what is left is the agent's own work.
"""

import os
import subprocess
import time
from types import SimpleNamespace

import nginx
import okta
from agent import shipped_mapping
from bounded import await_condition
from okta import User
from payroll_service import TOKEN

HERE = os.path.dirname(os.path.abspath(__file__))
WORKERS = 16
SECONDS = "4"
REQUESTS = 3  # for one joiner
# Answers at once and remembers nothing.
NGINX = """access_log off; gzip off; keepalive_requests 100000000;
        location / {
            if ($request_method = POST) { return 201 '{"id": "$request_id", "status": "active"}'; }
            return 200 '{"items": [], "next": null}';
        }"""


def wrk_rate(peer, run):
    """Joiners per second."""
    environment = {**os.environ, "PROVOST_BENCH_SECRET": TOKEN, "PROVOST_BENCH_RUN": run}
    done = subprocess.run(["wrk", "-t1", f"-c{WORKERS}", f"-d{SECONDS}s", "-s", os.path.join(HERE, "payroll.lua"), peer.url],
                          env=environment, capture_output=True, text=True, check=True)
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT ")).split()
    requests, duration_us, _, _, errors = (float(word) for word in result[1:])
    assert errors == 0, f"{errors:.0f} answers were no 2xx, or connections broke"
    return requests / REQUESTS / (duration_us / 1e6)


def agent_rate(world, peer, accounts, run):
    """Joiners per second from a backlog, so that the endpoint's own work is out of the picture."""
    agent = world.agent(service=("payroll", peer), mappings_={"payroll.conf": shipped_mapping("payroll.conf")}, target={"workers": WORKERS})
    agent.ctl("hold", "payroll")
    users = [User(f"00u{run}{n}", f"{run}{n}@example.com", "Bench Bench") for n in range(accounts)]
    for first in range(0, accounts, 500):
        agent.send(*[okta.activate(user) for user in users[first:first + 500]])
    agent.ctl("resume", "payroll")
    start = time.monotonic()
    left = lambda: (lambda target: target["ready"] + target["leased"] + target["waiting"])(agent.target_status())
    await_condition("all are on the payroll", lambda: left() == 0, 300, every_s=0.05)
    rate = accounts / (time.monotonic() - start)
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]
    agent.end()
    return rate


def bench_rest(world, row):
    print(f"payroll ({WORKERS} workers; a joiner is two look-ups and a create)")
    for delay_ms, accounts, aim in ((0, 3000, 0.8), (10, 2000, 0.8), (100, 300, 0.8)):
        payroll = world.payroll("--trouble", '{"delay_ms": %d}' % delay_ms)
        bare = wrk_rate(payroll, f"w{delay_ms}")
        rate = agent_rate(world, payroll, accounts, f"p{delay_ms}x")
        assert payroll.unexpected() == [], payroll.unexpected()
        report(row, f"{delay_ms} ms", bare, rate, aim)
        payroll.stop()
    if nginx.find_program() is None:
        print("  nginx cannot be had: no figures for a peer that costs nothing")
        return
    server = world.own(nginx.Nginx(world.new_folder("nginx"), {"api": ("", NGINX)}))
    peer = SimpleNamespace(url=f"http://127.0.0.1:{server.ports['api']}", token_file=payroll.token_file, probe=payroll.probe)
    report(row, "nginx", wrk_rate(peer, "n"), agent_rate(world, peer, 6000, "n"), None)


def report(row, name, bare, rate, aim):
    row(f"{name}: wrk", bare, "joiners/s")
    row(f"{name}: provostd", rate, "joiners/s")
    row(f"{name}: provostd / wrk", rate / bare, "", aim)
