#!/usr/bin/python3
"""`make bench`: how fast the agent takes events and makes accounts, beside what the machine could do in the same sitting.

    intake        durable answers per second (wrk), beside the same endpoint with a store that forgets (--null-store)
    provisioning  accounts per second in a private slapd, beside a bare libldap loop on the same slapd
    rest          joiners per second into an HTTP API, beside wrk sending the same requests (bench_rest.py)
    sessions      how soon an application refuses whom Okta reports; a sweep beside a bare SCAN (bench_sessions.py)
    memory        of an idle agent

Words on the command line choose of these.
Ratios are what to compare between machines; the aims are the design's. PROVOST_BENCH_SECONDS (default 8) is the length
of one wrk run, PROVOST_BENCH_ACCOUNTS (default 4000) the number of accounts. A busy machine misses aims: nothing fails.
"""

import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

import okta
from agent import BUILD, SECRET
from bench_rest import bench_rest
from bench_sessions import bench_sessions
from bounded import await_condition
from directory import ADMIN, ADMIN_PASSWORD, PEOPLE
from okta import User
from world import World

SECONDS = os.environ.get("PROVOST_BENCH_SECONDS", "8")
ACCOUNTS = int(os.environ.get("PROVOST_BENCH_ACCOUNTS", "4000"))
missed = []


def row(name, value, unit, aim=None, most=None):
    """One line; `aim` is the least that is right, `most` the most."""
    verdict = ""
    if aim is not None or most is not None:
        good = value >= aim if aim is not None else value <= most
        verdict = f"  aim {'>=' if aim is not None else '<='} {aim if aim is not None else most:g}: {'met' if good else 'MISSED'}"
        if not good:
            missed.append(name)
    print(f"  {name:<44} {value:>10,.{2 if value < 100 else 0}f} {unit:<9}{verdict}", flush=True)


def wrk(agent, connections, run):
    """Requests per second, p50 and p99 in ms."""
    environment = {**os.environ, "PROVOST_BENCH_SECRET": SECRET, "PROVOST_BENCH_RUN": str(run)}
    done = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{SECONDS}s", "-s", os.path.join(HERE, "intake.lua"),
                           f"http://127.0.0.1:{agent.port}"], env=environment, capture_output=True, text=True, check=True)
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT ")).split()
    requests, duration_us, p50_us, p99_us, errors = (float(word) for word in result[1:])
    assert errors == 0, f"{errors:.0f} answers were no 2xx, or connections broke"
    return requests / (duration_us / 1e6), p50_us / 1000, p99_us / 1000


def bench_intake(world):
    print("intake (1.5 KB bodies, one event each, one target that is held)")
    for connections in (64, 256):
        bare = intake_agent(world, "--null-store")
        forgotten, _, _ = wrk(bare, connections, 1)
        bare.stop()
        agent = intake_agent(world)
        durable, p50, p99 = wrk(agent, connections, 2 + connections)
        stored = agent.status()["store"]["events"]
        agent.end()
        row(f"{connections} connections: parsed and forgotten", forgotten, "events/s")
        row(f"{connections} connections: durable", durable, "events/s", 20_000)
        row(f"{connections} connections: durable / forgotten", durable / forgotten, "", 0.5)
        row(f"{connections} connections: p50", p50, "ms")
        row(f"{connections} connections: p99", p99, "ms")
        row(f"{connections} connections: events in the store", stored, "")


def intake_agent(world, *arguments):
    agent = world.agent(start=False, target={"hold": True}, arguments=arguments)
    return agent.start()


def bare_adds(directory, connections):
    done = subprocess.run([os.path.join(BUILD, "bench_ldap_adds"), directory.uri, ADMIN, ADMIN_PASSWORD, PEOPLE, str(ACCOUNTS), str(connections)],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def provisioned(world, directory, workers):
    """Accounts per second from a backlog, so that the endpoint's own work is out of the picture."""
    agent = world.agent(directory=directory, target={"workers": workers})
    agent.ctl("hold", "corp-ldap")
    users = [User(f"00ub{n}", f"b{n}@example.com", f"Bench {n}") for n in range(ACCOUNTS)]
    for first in range(0, ACCOUNTS, 500):
        agent.send(*[okta.create(user) for user in users[first:first + 500]])
    agent.ctl("resume", "corp-ldap")
    start = time.monotonic()
    await_condition("all accounts are made", lambda: lanes_left(agent) == 0, 300, every_s=0.05)
    rate = ACCOUNTS / (time.monotonic() - start)
    made = len(directory.people())
    assert made == ACCOUNTS, f"{made} of {ACCOUNTS} accounts are in the directory"
    agent.end()
    return rate


def lanes_left(agent):
    target = agent.target_status()
    return target["ready"] + target["leased"] + target["waiting"]


def bench_provisioning(world):
    for name, options in (("fsync for each change", ()), ("no fsync", ("--nosync",))):
        print(f"provisioning ({ACCOUNTS} accounts, slapd with {name})")
        for workers in (1, 4):
            directory = world.own_directory(*options)
            bare = bare_adds(directory, workers)
            directory.clear()
            agent = provisioned(world, directory, workers)
            row(f"bare libldap loop, {workers} connection(s)", bare, "adds/s")
            row(f"provostd, {workers} worker(s)", agent, "adds/s")
            row(f"provostd / bare, {workers} worker(s)", agent / bare, "", 0.85)
            directory.stop()


def bench_memory(world):
    print("memory")
    agent = world.agent()
    row("idle", agent.status()["agent"]["memory_bytes"] / 1048576, "MiB")
    agent.end()


def main():
    if shutil.which("wrk") is None and sys.argv[1:] != ["sessions"]:
        sys.exit("bench: wrk is missing (Debian: wrk)")
    parts = {"intake": bench_intake, "provisioning": bench_provisioning, "rest": lambda world: bench_rest(world, row),
             "sessions": lambda world: bench_sessions(world, row), "memory": bench_memory}
    world = World()
    try:
        for name, bench in parts.items():
            if len(sys.argv) < 2 or name in sys.argv[1:]:
                bench(world)
    finally:
        world.close()
    print("all aims met" if not missed else "aims missed: " + "; ".join(missed))


main()
