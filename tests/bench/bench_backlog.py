"""The store's part of the bench: memory and start-up with a million deliveries waiting, and the intake's rate as the
tables grow.

The rows are put in by SQL, as the intake would have written them but for the body of an event, of which two bytes are
kept: those pages are only ever appended to, and the identities, keys, lanes and indexes are what a rate could suffer from.
"""

import os
import shutil
import sqlite3
import time
from statistics import mean, median

from bench_intake import wrk

WAITING = 1_000_000
SIZES = {10_000: "intake_per_s_at_10k", WAITING: "intake_per_s_at_1m", 5_000_000: "intake_per_s_at_5m"}
ROUNDS = 2
CONNECTIONS = 256

# Ids that go to random places of their index, as Okta's do.
ID = "printf('00u%08x%09x', (i * 2654435761) & 4294967295, i)"
FILL = f"""
INSERT INTO identity (n, kind, id, last_event, status, status_at, live, live_at, login, login_at, name, name_at, present, present_at, profile_at)
    SELECT i, 0, {ID}, i, 'STAGED', at, 'STAGED', at, 'w' || i || '@example.com', at, 'Waiting ' || i, at, 1, at, 0 FROM bench;
INSERT INTO seen (t, key, event) SELECT at, randomblob(16), i FROM bench;
INSERT INTO event (id, received, published, uuid, type, outcome, effect, kind, subject_id, subject_name, previous, delivery, deliveries, raw)
    SELECT i, at, at, printf('%08x-0000-4000-8000-000000000000', i), 'user.lifecycle.create', 'SUCCESS', 4, 0, {ID},
           'w' || i || '@example.com', 0, i, 1, '{{}}' FROM bench;
INSERT INTO delivery (id, event, lane, previous, received) SELECT i, i, target << 40 | i, 0, at FROM bench;
INSERT INTO lane (key, target, state, rank, at, priority, delivery, deliveries, since, oldest)
    SELECT target << 40 | i, target, 0, 1, at, 1, i, 1, at, at FROM bench;
UPDATE counter SET (event, delivery, identity, events) = (SELECT most, most, most, most FROM (SELECT max(id) AS most FROM event));
"""


def run_script(db, script):
    """executescript() would commit first."""
    for statement in script.split(";"):
        db.execute(statement)


def fill(path, first, last):
    """Events `first` to `last`, each about somebody who waits in the one target there is."""
    at = int(time.time() * 1e6) - 10**11
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -200000", "temp_store = MEMORY"):
        db.execute("PRAGMA " + pragma).fetchall()
    db.execute("BEGIN")
    indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('identity', 'lane')").fetchall()
    for name, _ in indexes:
        db.execute("DROP INDEX " + name)
    db.execute(f"CREATE TEMP VIEW bench AS WITH RECURSIVE n(i) AS (VALUES ({first}) UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
               f"SELECT i, {at} + i AS at, (SELECT id FROM target) AS target FROM n")
    run_script(db, FILL)
    for _, sql in indexes:
        db.execute(sql)
    db.execute("COMMIT")
    db.close()
    settle(path)


def settle(path):
    """On the disk: the agent's own fsync shall not wait for these pages."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def prepared(world, sizes):
    """size → an agent that is not started, with a store of that size."""
    agents, filled, before = {}, 0, None
    for size in sizes:
        agent = agents[size] = world.agent(target={"hold": True})
        agent.send()
        assert agent.stop() == 0
        if before is not None:
            shutil.copyfile(before.path("provost.db"), agent.path("provost.db"))
        fill(agent.path("provost.db"), filled + 1, size)
        filled, before = size, agent
    return agents


def timed_start(agent):
    """Seconds until it listens."""
    start = time.monotonic()
    agent.start()
    return time.monotonic() - start


def bench_waiting(agent, row):
    """With as many deliveries waiting as its store has."""
    starts = []
    for _ in range(3):
        starts.append(timed_start(agent))
        status = agent.status()
        agent.stop()
    assert status["targets"][0]["ready"] >= WAITING, status["targets"][0]
    print(f"{WAITING:,} deliveries waiting")
    row("resident memory", status["agent"]["memory_bytes"] / 1048576, "MiB", most=64, key="rss_backlog_mib")
    row("from the start until it listens", median(starts), "s", most=2, key="start_backlog_s")


def intake_rate(agent, run):
    agent.start()
    rate, _, _ = wrk(agent, CONNECTIONS, run)
    agent.end()
    return rate


def bench_backlog(world, row):
    idle = world.agent()
    print("idle")
    row("resident memory", idle.status()["agent"]["memory_bytes"] / 1048576, "MiB", most=16, key="rss_idle_mib")
    idle.end()
    agents = prepared(world, SIZES)
    bench_waiting(agents[WAITING], row)
    print(f"intake with many events stored, each about another person ({CONNECTIONS} connections, the mean of {ROUNDS})")
    rounds = [[intake_rate(agent, run) for agent in agents.values()] for run in range(ROUNDS)]
    for (size, key), rates in zip(SIZES.items(), zip(*rounds)):
        row(f"{size:,} events stored", mean(rates), "events/s", key=key)
    few, many = mean(each[0] for each in rounds), mean(each[-1] for each in rounds)
    row(f"{max(SIZES):,} / {min(SIZES):,}", many / few, "", 0.9)
    for agent in agents.values():
        os.unlink(agent.path("provost.db"))
