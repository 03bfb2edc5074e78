#!/usr/bin/python3
"""Random lives (lives.c) in a real slapd: each ends as the model folds it.

The program writes a seed's mappings, hook bodies and the directory that is to come of them; here they are sent to a real
agent with a real directory, with the rests and restarts of the telling. PROVOST_LIVES=N plays N seeds (default 20).
"""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from agent import BUILD, TARGET
from bounded import await_condition
from tap import run, test

LIVES = int(os.environ.get("PROVOST_LIVES", "20"))
FIRST = int(os.environ.get("FIRST", "1"))


class Seed:
    """What the program wrote of one seed."""

    def __init__(self, number, folder):
        os.makedirs(folder)
        subprocess.run([os.path.join(BUILD, "lives"), "--write", str(number), folder], check=True)
        self.folder = folder
        self.mappings = {name: self.read(name).replace('target = "directory"', f'target = "{TARGET}"') for name in ("people.conf", "groups.conf")}
        self.steps = self.read("bodies").splitlines()
        self.expected = json.loads(self.read("expected.json"))

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()


def rest(agent):
    """Until nothing can go on now; what waits for a later event may wait."""
    await_condition("no lane could go on", lambda: all(agent.target_status()[state] == 0 for state in ("ready", "leased")))


def tell(agent, step, by_hand):
    if step == "-- rest":
        rest(agent)
    elif step == "-- restart":
        agent.restart()
    elif by_hand:
        code, _, said = agent.ctl("send", "-", stdin=step)
        assert code == 0, said
    else:
        assert agent.post(step.encode()) == 204, step


def play(world, number, by_hand=False):
    seed = Seed(number, world.new_folder(f"seed-{number}"))
    agent = world.agent(mappings_=seed.mappings, target={"workers": 4, "retry": {"attempts": 1000, "base": "10 ms", "most": "100 ms"}})
    for step in seed.steps:
        tell(agent, step, by_hand)
    agent.settle(60)
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]
    found = world.directory().dump()
    different = {dn: (seed.expected.get(dn), found.get(dn)) for dn in {*seed.expected, *found} if seed.expected.get(dn) != found.get(dn)}
    bodies = "\n".join(seed.steps)
    assert not different, f"seed {number}: place: (expected, found) {different}\nafter these bodies:\n{bodies}"
    world.end_test()


@test
def lives_end_in_a_real_directory_as_the_model_folds_them(world):
    for number in range(FIRST, FIRST + LIVES):
        play(world, number)


@test
def a_life_is_replayed_with_provostctl_send(world):
    play(world, FIRST, by_hand=True)


run()
