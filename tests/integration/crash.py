#!/usr/bin/python3
"""provostd killed (SIGKILL) under load, ten times: what was answered 2xx is in the store, and the directory ends as expected."""

import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from bounded import await_condition
from directory import GROUPS, PEOPLE
from load import Load
from okta import Group
from tap import run, test

STAFF = Group("00gstaff", "Staff")
KILLS = int(os.environ.get("PROVOST_KILLS", "10"))


def check_store(agent, load):
    stored = {row["event"] for row in agent.all_events()}
    lost = set(load.accepted) - stored
    assert not lost, f"{len(lost)} of {len(load.accepted)} accepted events are not in the store"


def check_directory(world, users):
    wanted = {f"uid={user.login.split('@')[0]},{PEOPLE}" for user in users}
    await_condition(f"{len(wanted)} accounts", lambda: wanted == set(world.directory().people()), 90)
    for _, values in world.directory().search(PEOPLE, 1):
        assert len(values["employeeNumber"]) == 1 and len(values["uid"]) == 1, values


@test
def killed_ten_times_under_load_loses_nothing_accepted(world):
    chance = random.Random(2)
    agent = world.agent()
    load = Load(agent, "crash").start()
    for turn in range(KILLS):
        enough = load.count() + chance.randrange(2, 200)
        await_condition("load goes on", lambda: load.count() >= enough, 30)
        agent.kill()
        agent.start()
    load.stop()
    check_store(agent, load)
    check_directory(world, load.users)
    agent.settle(60)
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]


@test
def killed_while_leavers_and_members_are_worked_on_ends_right(world):
    chance = random.Random(3)
    agent = world.agent()
    load = Load(agent, "mix", most=60).start()
    await_condition("all have joined", lambda: len(load.users) == 60)
    load.stop()
    agent.settle()
    agent.send(okta.group_create(STAFF))
    leavers, stayers = load.users[:30], load.users[30:]
    for turn in range(5):
        part = slice(turn * 6, turn * 6 + 6)
        agent.send(*[okta.deactivate(user) for user in leavers[part]], *[okta.member_add(user, STAFF) for user in stayers[part]])
        wanted = chance.randrange(0, 12)
        before = len(agent.log(outcome="applied"))
        await_condition("some of it is done", lambda: len(agent.log(outcome="applied")) >= before + wanted)
        agent.kill()
        agent.start()
    agent.settle(60)
    members = set(world.directory().members(f"cn=Staff,{GROUPS}"))
    assert {f"uid={user.login.split('@')[0]},{PEOPLE}" for user in stayers} <= members, members
    for user in leavers:
        entry = world.directory().entry(f"uid={user.login.split('@')[0]},{PEOPLE}")
        assert entry["description"][0].startswith("disabled"), entry


def at_point(name):
    @test
    def killed_at_a_named_point(world):
        agent = world.agent(faults=f"{name}=kill@3")
        load = Load(agent, "point", threads=2, most=20).start()
        agent.wait(30)
        agent.faults = None
        agent.start()
        load.stop()
        check_store(agent, load)
        check_directory(world, load.users)
    killed_at_a_named_point.__name__ = f"killed_at_{name.replace('.', '_')}_ends_right"


for point in ("store.commit", "store.committed", "deliver.applied"):
    at_point(point)

run()
