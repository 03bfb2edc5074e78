#!/usr/bin/python3
"""Where mapping files find and write entries: base_dn contains all of it, or the file is refused; outside its base a file adopts nothing, of
groups nothing unless it is told to, and what is protected never."""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import mappings
from bounded import await_condition
from directory import FORMER, GROUPS, PEOPLE, SUFFIX
from okta import Group, User
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


# --- protected

def refused(agent, **wanted):
    line = agent.await_log(**wanted, outcome="rejected")
    assert "is protected by (" in line["reason"], line
    return line["reason"]


def add_group(directory, cn, parent=GROUPS, members=(f"cn=nobody,{SUFFIX}",), **attributes):
    dn = f"cn={cn},{parent}"
    directory.add(dn, objectClass="groupOfNames", cn=cn, member=list(members), **attributes)
    return dn


def changes_nothing(directory, dn):
    found = directory.search(dn, directory.ldap.SCOPE_BASE, attributes=["*", "+"])
    return found[0] if found else None


@test
def an_administrators_group_is_never_adopted_changed_or_removed(world):
    directory, agent = world.directory(), world.agent()
    dn = add_group(directory, "Directory Administrators")
    before = changes_nothing(directory, dn)
    group = Group("00gadm", "directory  administrators")
    agent.send(okta.create(ANN), okta.activate(ANN), okta.group_create(group), okta.member_add(ANN, group))
    assert dn in refused(agent, id=group.id)
    assert group.name in agent.ctl("dead")[1].splitlines()[1].split("create")[0], agent.ctl("dead")  # by its name, not only by its id
    agent.send(okta.member_remove(ANN, group), okta.group_delete(group))
    agent.settle()
    assert changes_nothing(directory, dn) == before


@test
def a_group_that_became_protected_keeps_its_members_and_its_place(world):
    directory, agent = world.directory(), world.agent()
    staff = Group("00gstaff", "Staff")
    agent.send(okta.create(ANN), okta.activate(ANN), okta.create(BOB), okta.activate(BOB), okta.group_create(staff), okta.member_add(ANN, staff))
    agent.settle()
    dn = f"cn=Staff,{GROUPS}"
    directory.connection().modify_s(dn, [(directory.ldap.MOD_ADD, "cn", [b"wheel"])])
    before = changes_nothing(directory, dn)
    agent.send(okta.member_add(BOB, staff), okta.member_remove(ANN, staff))
    assert "(cn=wheel)" in refused(agent, id=BOB.id, action="member_add")
    refused(agent, id=ANN.id, action="member_remove")
    agent.send(okta.group_rename(Group(staff.id, "Crew")))
    refused(agent, id=staff.id, action="rename")
    agent.send(okta.group_delete(staff))
    refused(agent, id=staff.id, action="remove")
    assert changes_nothing(directory, dn) == before
    leavers = agent.target_status()["leavers"]
    assert leavers["not_out"] == 1, leavers


@test
def a_protected_person_is_neither_adopted_nor_touched(world):
    directory, agent = world.directory(), world.agent()
    dn = directory.add_person("root", mail="ann@example.com")
    before = changes_nothing(directory, dn)
    agent.send(okta.create(ANN), okta.activate(ANN))
    assert dn in refused(agent, id=ANN.id)
    agent.send(okta.deactivate(ANN))
    agent.settle()
    assert changes_nothing(directory, dn) == before
    assert directory.people() == [dn]


@test
def no_protected_entry_is_created(world):
    directory, agent = world.directory(), world.agent()
    agent.send(okta.group_create(Group("00gwheel", "Wheel")))
    assert f"cn=Wheel,{GROUPS}" in refused(agent, id="00gwheel", action="create")
    assert directory.entry(f"cn=Wheel,{GROUPS}") is None


# --- groups that are there before

STAFF = Group("00gstaff", "Staff")
APPS = f"ou=apps,{SUFFIX}"
NOBODY = f"cn=nobody,{SUFFIX}"
ADOPT = ('kind   = "group";', 'kind = "group"; adopt = true;')


def join_staff(agent, group=STAFF):
    agent.send(okta.create(ANN), okta.activate(ANN), okta.group_create(group), okta.member_add(ANN, group))
    agent.settle()


@test
def a_group_of_the_same_name_is_left_alone_wherever_it_is(world):
    directory = world.own_directory("--nosync")
    directory.add(APPS, objectClass="organizationalUnit", ou="apps")
    inside, elsewhere = add_group(directory, "Staff"), add_group(directory, "Crew", APPS)
    before = [changes_nothing(directory, dn) for dn in (inside, elsewhere)]
    agent = world.agent(directory=directory)
    crew = Group("00gcrew", "Crew")
    join_staff(agent)
    join_staff(agent, crew)
    for group, dn in ((STAFF, inside), (crew, elsewhere)):
        line = agent.await_log(id=group.id, outcome="rejected")
        assert f"provostctl link corp-ldap {group.id} '{dn}'" in line["reason"], line
        agent.send(okta.group_delete(group))
    agent.settle()
    assert [changes_nothing(directory, dn) for dn in (inside, elsewhere)] == before
    assert directory.entry(f"cn=Crew,{GROUPS}") is None


@test
def a_file_that_adopts_leaves_what_it_adopted_as_it_was(world):
    directory = world.directory()
    dn = add_group(directory, "Staff", members=[NOBODY, f"uid=guest,{PEOPLE}"])
    uuid = directory.uuid(dn)
    agent = world.agent(mappings_=mappings(groups=[ADOPT]))
    join_staff(agent)
    assert directory.members(dn) == sorted([NOBODY, f"uid=guest,{PEOPLE}", ANN_DN])
    agent.send(okta.group_delete(STAFF))
    await_condition("ann is taken out", lambda: directory.members(dn) == sorted([NOBODY, f"uid=guest,{PEOPLE}"]))
    agent.settle()
    assert directory.uuid(dn) == uuid
    again = Group("00gnext", "Staff")
    agent.send(okta.group_create(again), okta.member_add(ANN, again))
    await_condition("the next group of the name has it", lambda: ANN_DN in directory.members(dn))
    assert directory.uuid(dn) == uuid


@test
def a_file_that_adopts_takes_nothing_elsewhere_and_creates_nothing_beside_what_is_protected(world):
    directory = world.own_directory("--nosync")
    directory.add(APPS, objectClass="organizationalUnit", ou="apps")
    plain, admins = add_group(directory, "Staff", APPS), add_group(directory, "Domain Admins", APPS)
    before = [changes_nothing(directory, dn) for dn in (plain, admins)]
    agent = world.agent(directory=directory, mappings_=mappings(groups=[ADOPT, ('"(cn=Domain Admins)", ', f'"(entryDN={admins})", ')]))
    join_staff(agent)
    assert ANN_DN in directory.members(f"cn=Staff,{GROUPS}")
    agent.send(okta.group_create(Group("00gadm", "Domain Admins")))
    assert admins in refused(agent, id="00gadm")
    assert directory.entry(f"cn=Domain Admins,{GROUPS}") is None
    assert [changes_nothing(directory, dn) for dn in (plain, admins)] == before


@test
def nobody_is_added_to_a_group_whose_own_work_is_dead(world):
    directory, agent = world.directory(), world.agent()
    agent.send(okta.group_create(STAFF), okta.create(ANN), okta.activate(ANN))
    agent.settle()
    wheel = Group(STAFF.id, "wheel")
    agent.send(okta.group_rename(wheel))
    assert f"cn=wheel,{GROUPS}" in refused(agent, id=STAFF.id, action="rename")
    agent.send(okta.member_add(ANN, wheel))
    agent.settle()
    assert any("the group's own work is a dead letter" in line.get("note", "") for line in agent.log(id=ANN.id)), agent.log(id=ANN.id)
    assert directory.members(f"cn=Staff,{GROUPS}") == [NOBODY]
    agent.send(okta.group_rename(Group(STAFF.id, "Crew")))
    await_condition("ann is in", lambda: directory.members(f"cn=Crew,{GROUPS}") == sorted([NOBODY, ANN_DN]))


# --- provostctl link

@test
def an_administrator_links_a_group(world):
    directory, agent = world.directory(), world.agent()
    dn = add_group(directory, "Staff", members=[NOBODY, f"uid=guest,{PEOPLE}"])
    uuid = directory.uuid(dn)
    join_staff(agent)
    agent.await_log(id=STAFF.id, outcome="rejected")
    code, out, err = agent.ctl("link", "corp-ldap", "Staff", dn.upper())
    assert code == 0 and STAFF.id in out, out + err
    await_condition("ann is in", lambda: ANN_DN in directory.members(dn))
    agent.send(okta.group_rename(Group(STAFF.id, "Crew")))
    await_condition("it is renamed", lambda: directory.uuid(f"cn=Crew,{GROUPS}") == uuid)
    agent.send(okta.group_delete(STAFF))
    await_condition("ann is out", lambda: directory.members(f"cn=Crew,{GROUPS}") == sorted([NOBODY, f"uid=guest,{PEOPLE}"]))


@test
def no_link_is_made_to_what_is_protected_or_not_there(world):
    directory, agent = world.directory(), world.agent()
    admins = add_group(directory, "Directory Administrators")
    before = changes_nothing(directory, admins)
    agent.send(okta.group_create(STAFF))
    agent.settle()
    crew = Group("00gcrew", "Crew")
    add_group(directory, "Crew")
    agent.send(okta.group_create(crew))
    agent.await_log(id=crew.id, outcome="rejected")
    assert agent.ctl("link", "corp-ldap", crew.id, admins)[0] == 0
    await_condition("it is refused", lambda: "is protected by (" in agent.log(id=crew.id)[-1].get("reason", ""))
    assert agent.ctl("link", "corp-ldap", crew.id, f"cn=nowhere,{GROUPS}")[0] == 0
    await_condition("it is refused", lambda: "there is no such entry" in agent.log(id=crew.id)[-1].get("reason", ""))
    assert changes_nothing(directory, admins) == before


@test
def a_link_that_cannot_be_meant_is_refused_at_once(world):
    _, agent = world.directory(), world.agent()
    agent.send(okta.create(ANN), okta.activate(ANN), okta.group_create(STAFF))
    agent.settle()
    for operands, word in ((("corp-ldap", "Staff", GROUPS), "linked to"), (("corp-ldap", ANN.login, GROUPS), "is a user"),
                           (("corp-ldap", "Nobody", GROUPS), "Nobody"), (("corp-ldpa", "Staff", GROUPS), "corp-ldpa")):
        code, out, err = agent.ctl("link", *operands)
        assert code != 0 and word in out + err, (operands, out, err)


run()
