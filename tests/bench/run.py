#!/usr/bin/python3
"""`make bench`: how fast the agent takes events and makes accounts, beside what the machine could do in the same sitting.

    intake        durable answers per second (wrk), beside the same endpoint with a store that forgets (bench_intake.py)
    provisioning  accounts per second in a private slapd, beside a bare libldap loop on the same slapd (bench_accounts.py)
    latency       from the POST of an event to the account in slapd, idle (bench_accounts.py)
    backlog       memory, start-up with a million deliveries waiting, intake beside 5,000,000 stored events (bench_backlog.py)
    rest          joiners per second into an HTTP API, beside wrk sending the same requests (bench_rest.py)
    sessions      how soon an application refuses whom Okta reports; a sweep beside a bare SCAN (bench_sessions.py)

Words on the command line choose of these (make bench BENCH="rest sessions"); without, the first four: under five minutes.
Ratios are what to compare between machines; the aims are the design's. tests/bench/results.json in the build folder has
the main figures, each from the last run that measured it. PROVOST_BENCH_SECONDS (default 3) is the length of one wrk
run, PROVOST_BENCH_ACCOUNTS (default 2000) the number of accounts, PROVOST_BENCH_SAMPLES (default 300) of latencies. A busy
machine misses aims: nothing fails.
"""

import os
import shutil
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

from agent import BUILD
from bench_accounts import bench_latency, bench_provisioning
from bench_backlog import bench_backlog
from bench_intake import bench_intake
from bench_rest import bench_rest
from bench_sessions import bench_sessions
from table import Table, machine
from world import World

PARTS = {"intake": bench_intake, "provisioning": bench_provisioning, "latency": bench_latency, "backlog": bench_backlog,
         "rest": bench_rest, "sessions": bench_sessions}
DEFAULT = ("intake", "provisioning", "latency", "backlog")


def main():
    names = sys.argv[1:] or DEFAULT
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"bench: there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if shutil.which("wrk") is None and names != ["sessions"]:
        sys.exit("bench: wrk is missing (Debian: wrk)")
    print(machine())
    start = time.monotonic()
    table, world = Table(), World()
    try:
        for name in names:
            PARTS[name](world, table.row)
    finally:
        world.close()
    folder = os.path.join(BUILD, "tests", "bench")
    os.makedirs(folder, exist_ok=True)
    table.close(os.path.join(folder, "results.json"))
    print(f"took {time.monotonic() - start:.0f} s")


main()
