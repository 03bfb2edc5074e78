#!/usr/bin/python3
"""Where mapping files find and write entries: base_dn contains all of it, or the file is refused; outside its base a file adopts nothing."""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import mappings
from bounded import await_condition
from directory import FORMER, GROUPS, PEOPLE, SUFFIX
from okta import User
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


# --- base of a mapping file

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")
ANN_DN = f"uid=ann,{PEOPLE}"
STAFF_PLACE = f"ou=staff,{SUFFIX}"


def add_staff(directory, uid="ann", **attributes):
    """Somebody whom nothing but the place tells from a person whom the mapping would adopt."""
    directory.add(STAFF_PLACE, objectClass="organizationalUnit", ou="staff")
    return directory.add_person(uid, parent=STAFF_PLACE, mail=f"{uid}@example.com", **attributes)


@test
def an_entry_outside_the_place_of_the_dn_is_never_adopted(world):
    directory = world.own_directory("--nosync")
    other = add_staff(directory)
    before = directory.entry(other)
    agent = world.agent(directory=directory)
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.settle()
    agent.send(okta.deactivate(ANN))
    agent.settle()
    assert directory.entry(other) == before, directory.entry(other)
    assert "disabled" in directory.entry(ANN_DN)["description"][0], directory.entry(ANN_DN)


@test
def a_base_says_where_else_entries_are_adopted(world):
    directory = world.own_directory("--nosync")
    other = add_staff(directory)
    uuid = directory.uuid(other)
    base = ('kind   = "user";', f'kind = "user"; base = [ "{PEOPLE}", "{STAFF_PLACE}" ];')
    agent = world.agent(directory=directory, mappings_=mappings(people=[base]))
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.settle()
    assert directory.uuid(ANN_DN) == uuid, "it was not adopted"


@test
def two_places_with_a_hit_each_are_ambiguous(world):
    directory = world.own_directory("--nosync")
    other = add_staff(directory)
    directory.add_person("lee", mail="ann@example.com")
    base = ('kind   = "user";', f'kind = "user"; base = [ "{PEOPLE}", "{STAFF_PLACE}" ];')
    agent = world.agent(directory=directory, mappings_=mappings(people=[base]))
    agent.send(okta.create(ANN), okta.activate(ANN))
    line = agent.await_log(id="00uann", outcome="ambiguous")
    assert other in line["reason"] and f"uid=lee,{PEOPLE}" in line["reason"], line
    assert directory.entry(ANN_DN) is None


@test
def a_leaver_is_found_where_disable_has_put_him_without_a_link(world):
    directory = world.directory()
    gone = directory.add_person("ann", parent=FORMER, employeeNumber=ANN.id)
    uuid = directory.uuid(gone)
    agent = world.agent(mappings_=mappings(people=[MOVES]))
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.settle()
    assert directory.uuid(ANN_DN) == uuid, "a second account was made"


@test
def a_place_that_is_not_there_yet_holds_nobody(world):
    directory = world.directory()
    moves = (MOVES[0], MOVES[1].replace(FORMER, f"ou=later,{SUFFIX}"))
    agent = world.agent(mappings_=mappings(people=[moves]))
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.settle()
    assert directory.entry(ANN_DN), agent.log()


@test
def who_is_linked_is_found_wherever_somebody_has_moved_the_entry(world):
    directory = world.directory()
    agent = world.agent()
    agent.send(okta.create(BOB), okta.activate(BOB))
    agent.settle()
    uuid = directory.uuid(f"uid=bob,{PEOPLE}")
    directory.connection().rename_s(f"uid=bob,{PEOPLE}", "uid=bob", FORMER)
    agent.send(okta.deactivate(BOB))
    agent.settle()
    assert [directory.uuid(dn) for dn in directory.people()] == [uuid], directory.people()
    assert "disabled" in directory.entry(f"uid=bob,{PEOPLE}")["description"][0]


run()
