#!/usr/bin/python3
"""Where mapping files find and write entries: base_dn contains all of it, or the file is refused."""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from agent import mappings
from bounded import await_condition
from directory import FORMER, GROUPS, PEOPLE, SUFFIX
from tap import run, test

MOVES = ('passwordLock = "TRUE";', f'passwordLock = "TRUE"; dn = "uid={{login | before \'@\' | lower}},{FORMER}";')


def line_of(text, start):
    """The number of the first line that begins with it."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(start))


# --- base_dn

def problems(agent):
    code, out, err = agent.ctl("check")
    assert code == 1, out + err
    return out


@test
def a_base_beside_the_groups_is_refused_with_both_lines(world):
    agent = world.agent(start=False, settings={"base_dn": PEOPLE})
    said = problems(agent)
    mapping = line_of(agent.mapping_texts["openldap-groups.conf"], "dn ")
    option = line_of(agent.read("provost.conf"), "base_dn")
    found = [line for line in said.splitlines() if GROUPS in line]
    assert len(found) == 1, said
    assert re.search(rf"openldap-groups\.conf:{mapping}(:\d+)?: account\.dn: ", found[0]), found
    assert f"provost.conf:{option}" in found[0] and f'base_dn = "{SUFFIX}";' in found[0], found
    assert "openldap-people.conf" not in said, said


@test
def a_base_beside_the_place_of_the_disabled_is_refused(world):
    groups = [(GROUPS, f"ou=groups,{PEOPLE}")]
    agent = world.agent(start=False, settings={"base_dn": PEOPLE.upper()}, mappings_=mappings(people=[MOVES], groups=groups))
    found = [line for line in problems(agent).splitlines() if "outside base_dn" in line]
    assert len(found) == 1 and "disable.dn" in found[0] and FORMER in found[0], found
    assert f":{line_of(agent.mapping_texts['openldap-people.conf'], MOVES[1])}:" in found[0], found


@test
def a_base_of_another_suffix_is_to_be_removed(world):
    agent = world.agent(start=False, settings={"base_dn": "o=elsewhere"})
    said = problems(agent)
    assert said.count("remove base_dn") == 2, said


@test
def a_wide_base_is_right_however_it_is_spelled(world):
    agent = world.agent(start=False, settings={"base_dn": "DC=Example, dc=\\6frg"}, mappings_=mappings(people=[MOVES]))
    code, out, err = agent.ctl("check")
    assert code == 0, out + err


@test
def the_start_refuses_a_narrow_base(world):
    agent = world.agent(start=False, settings={"base_dn": PEOPLE})
    agent.launch()
    assert agent.wait() != 0
    assert "outside base_dn" in agent.read("stderr") and "openldap-groups.conf" in agent.read("stderr"), agent.read("stderr")


@test
def a_reload_refuses_a_narrow_base_and_keeps_what_was(world):
    agent = world.agent()
    agent.settings["base_dn"] = PEOPLE
    agent.write_config()
    code, out, err = agent.ctl("reload")
    assert code != 0, out + err
    await_condition("provostd says why", lambda: "outside base_dn" in agent.read("stderr"))
    assert agent.target_status()["state"] == "up"


run()
