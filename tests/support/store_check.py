"""What must be true of the store's file, whoever was killed when: looked at in a copy, so that the agent finds it as it was left."""

import collections
import os
import shutil
import sqlite3
import tempfile

DEAD = 5  # lane.state, as in agent/store/store_private.h


def _pending(database):
    """delivery → how often it hangs at a lane; those of dead lanes."""
    previous = dict(database.execute("SELECT id, previous FROM delivery WHERE outcome IS NULL"))
    hanging, dead = collections.Counter(), set()
    for newest, count, state in database.execute("SELECT delivery, deliveries, state FROM lane"):
        while newest and count:
            hanging[newest] += 1
            if state == DEAD:
                dead.add(newest)
            newest, count = previous.get(newest), count - 1
    return hanging, dead


def _check(database, accepted):
    verdict = database.execute("PRAGMA integrity_check").fetchall()
    assert verdict == [("ok",)], verdict
    rows = {}
    for uuid, first, count in database.execute("SELECT uuid, delivery, deliveries FROM event"):
        assert uuid not in rows, f"event {uuid} is stored twice"
        rows[uuid] = (first, count)
    lost = set(accepted) - set(rows)
    assert not lost, f"{len(lost)} of {len(accepted)} accepted events are not in the store: {sorted(lost)[:3]}"
    forgotten = [uuid for uuid in accepted if rows[uuid][1] == 0]
    assert not forgotten, f"{len(forgotten)} of {len(accepted)} accepted events have no delivery: {sorted(forgotten)[:3]}"
    outcomes = dict(database.execute("SELECT id, outcome FROM delivery"))
    hanging, dead = _pending(database)
    states = collections.Counter()
    for uuid, (first, count) in rows.items():
        for number in range(first, first + count) if count else ():
            assert number in outcomes, f"event {uuid} has lost its delivery {number}"
            if outcomes[number] is None:
                assert hanging[number] == 1, f"event {uuid}: its delivery {number} is pending, and {hanging[number]} lanes would do it"
            states["done" if outcomes[number] else "dead" if number in dead else "pending"] += 1
    return states


def check_store(path, accepted):
    """Sound, each accepted uuid once and with a delivery, each delivery done, dead or pending in one lane. How many of each.
    `accepted` are events that change something a mapping of some target reads: others have no delivery, and rightly."""
    with tempfile.TemporaryDirectory(prefix="pv-store-") as folder:
        copy = os.path.join(folder, "copy.db")
        for suffix in ("", "-wal"):
            if os.path.exists(path + suffix):
                shutil.copyfile(path + suffix, copy + suffix)
        database = sqlite3.connect(copy)
        try:
            return _check(database, accepted)
        finally:
            database.close()
