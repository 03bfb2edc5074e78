#!/usr/bin/python3
"""Joiners, movers, leavers and groups, from the hook's body to the directory's entry, with the shipped mappings."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import TARGET, mappings
from bounded import await_condition, stays
from directory import GROUPS, PEOPLE
from okta import Group, User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")
STAFF = Group("00gstaff", "Staff")


def dn_of(user):
    return f"uid={user.login.split('@')[0]},{PEOPLE}"


def group_dn(group):
    return f"cn={group.name},{GROUPS}"


def await_entry(world, dn, what=lambda entry: True):
    found = lambda: (lambda entry: entry if entry and what(entry) else None)(world.directory().entry(dn))
    return await_condition(f"{dn} in the directory", found)


def await_gone(world, dn):
    await_condition(f"{dn} gone from the directory", lambda: world.directory().entry(dn) is None)


def disabled(entry):
    return any(text.startswith("disabled") for text in entry.get("description", []))


def join(world, agent, user):
    agent.send(okta.create(user), okta.activate(user))
    return await_entry(world, dn_of(user))


# --- people

@test
def a_joiner_gets_an_account(world):
    agent = world.agent()
    entry = join(world, agent, ANN)
    assert entry["cn"] == ["Ann Lee"] and entry["sn"] == ["Lee"] and entry["mail"] == ["ann@example.com"], entry
    assert entry["employeeNumber"] == ["00uann"] and "inetOrgPerson" in entry["objectClass"], entry
    agent.await_log(id="00uann", action="create", outcome="applied", target=TARGET)


@test
def the_log_line_names_account_event_and_attempt(world):
    agent = world.agent()
    created = okta.create(ANN)
    agent.send(created)
    line = agent.await_log(action="create", outcome="applied")
    assert line["user"] == "ann@example.com" and line["account"] == dn_of(ANN) and line["event"] == created["uuid"], line
    assert line["type"] == "user.lifecycle.create" and line["attempt"] == "1" and int(line["took_ms"]) >= 0, line
    assert int(line["lag_ms"]) >= 0 and line["level"] == "info", line


@test
def a_mover_is_renamed_and_keeps_the_entry(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.settle()
    before = world.directory().uuid(dn_of(ANN))
    married = ANN.renamed("ann.roe@example.com", "Ann Roe")
    agent.send(okta.update(married))
    entry = await_entry(world, dn_of(married), lambda e: e["sn"] == ["Roe"] and e["mail"] == ["ann.roe@example.com"])
    await_gone(world, dn_of(ANN))
    assert world.directory().uuid(dn_of(married)) == before, "a new entry instead of a rename"
    assert entry["uid"] == ["ann.roe"], entry


@test
def the_same_event_again_changes_nothing(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.settle()
    before = world.directory().search(dn_of(ANN), 0, attributes=["entryCSN"])
    agent.send(okta.activate(ANN))
    agent.settle()
    assert world.directory().search(dn_of(ANN), 0, attributes=["entryCSN"]) == before, "the entry was written again"


@test
def a_failed_outcome_changes_nothing(world):
    agent = world.agent()
    agent.send(okta.create(ANN, result="FAILURE"))
    agent.send(okta.create(BOB))
    await_entry(world, dn_of(BOB))
    assert world.directory().entry(dn_of(ANN)) is None


@test
def a_leaver_is_disabled_and_comes_back(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_entry(world, dn_of(ANN), disabled)
    agent.await_log(id="00uann", action="disable", outcome="applied")
    agent.send(okta.event("user.lifecycle.reactivate", ANN))
    await_entry(world, dn_of(ANN), lambda entry: not disabled(entry))
    agent.await_log(id="00uann", action="enable", outcome="applied")


@test
def a_suspended_person_is_disabled_until_unsuspended(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.suspend(ANN))
    await_entry(world, dn_of(ANN), disabled)
    agent.send(okta.unsuspend(ANN))
    await_entry(world, dn_of(ANN), lambda entry: not disabled(entry))


@test
def late_create_does_not_revive_a_leaver(world):
    agent = world.agent()
    first, second, left = okta.hours_ago(3), okta.hours_ago(2), okta.hours_ago(1)
    agent.send(okta.deactivate(ANN, published=left))
    agent.settle()
    agent.send(okta.create(ANN, published=first))
    agent.send(okta.activate(ANN, published=second))
    agent.settle()
    entry = world.directory().entry(dn_of(ANN))
    assert entry is None or disabled(entry), entry


@test
def a_name_that_is_free_only_later_is_taken_then(world):
    agent = world.agent()
    join(world, agent, ANN)
    heir = User("00ubob", "ann@example.com", "Bob Roe")
    agent.send(okta.create(heir), okta.activate(heir))
    agent.await_log(id="00ubob", outcome="retry")
    agent.send(okta.update(User("00uann", "ann.old@example.com", "Ann Lee")))
    await_entry(world, f"uid=ann,{PEOPLE}", lambda entry: entry["employeeNumber"] == ["00ubob"])
    await_entry(world, f"uid=ann.old,{PEOPLE}", lambda entry: entry["employeeNumber"] == ["00uann"])
    agent.settle()


GRACE = [('deactivated = "disable";', 'deactivated = "disable, remove after 2 s";')]


@test
def a_leaver_is_removed_after_the_grace_period(world):
    agent = world.agent(mappings_=mappings(people=GRACE))
    join(world, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_entry(world, dn_of(ANN), disabled)
    await_gone(world, dn_of(ANN))
    agent.await_log(id="00uann", action="remove", outcome="applied")


@test
def a_return_cancels_the_removal(world):
    agent = world.agent(mappings_=mappings(people=GRACE))
    join(world, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_entry(world, dn_of(ANN), disabled)
    agent.send(okta.activate(ANN))
    await_entry(world, dn_of(ANN), lambda entry: not disabled(entry))
    stays("the account is there past the old due time", lambda: world.directory().entry(dn_of(ANN)), for_s=2.5)


@test
def the_removal_comes_due_after_a_restart_too(world):
    agent = world.agent(mappings_=mappings(people=GRACE))
    join(world, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_entry(world, dn_of(ANN), disabled)
    agent.restart()
    await_gone(world, dn_of(ANN))


# --- accounts that were there before

@test
def an_existing_account_is_adopted_not_duplicated(world):
    dn = world.directory().add_person("ann.old", mail="ann@example.com", telephoneNumber="123")
    before = world.directory().uuid(dn)
    agent = world.agent()
    entry = join(world, agent, ANN)
    assert world.directory().people() == [dn_of(ANN)] and world.directory().uuid(dn_of(ANN)) == before
    assert entry["telephoneNumber"] == ["123"], "an attribute that the mapping does not name was lost"


@test
def two_matching_accounts_are_ambiguous_and_named(world):
    one = world.directory().add_person("ann1", mail="ann@example.com")
    two = world.directory().add_person("ann2", mail="ann@example.com")
    agent = world.agent()
    agent.send(okta.create(ANN))
    line = agent.await_log(id="00uann", outcome="ambiguous")
    assert one in line["reason"] and two in line["reason"], line
    assert agent.target_status()["dead"] == 1
    world.directory().delete(two)
    assert agent.ctl("retry", TARGET)[0] == 0
    await_entry(world, dn_of(ANN))
    await_gone(world, one)


@test
def the_groups_of_a_strangers_account_are_left_alone(world):
    guest = User("00uguest", "guest@contractor.example.org", "Guest")  # the mapping leaves contractors out
    dn = world.directory().add_person("guest", mail=guest.login)
    world.directory().add(f"cn=Ops,{GROUPS}", objectClass="groupOfNames", cn="Ops", member=[dn])
    agent = world.agent()
    agent.send(okta.create(guest), okta.activate(guest))
    agent.await_log(id=guest.id, outcome="out_of_scope")
    agent.settle()
    assert world.directory().members(f"cn=Ops,{GROUPS}") == [dn], "a stranger was taken out of a group"


# --- groups

@test
def a_group_is_created_renamed_and_removed(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    agent.settle()
    before = world.directory().uuid(group_dn(STAFF))
    crew = Group(STAFF.id, "Crew")
    agent.send(okta.group_rename(crew))
    await_entry(world, group_dn(crew), lambda entry: dn_of(ANN) in entry["member"])
    await_gone(world, group_dn(STAFF))
    assert world.directory().uuid(group_dn(crew)) == before
    agent.send(okta.group_delete(crew))
    await_gone(world, group_dn(crew))
    assert world.directory().entry(dn_of(ANN)), "the member's account went with the group"


@test
def a_membership_that_comes_before_the_account_follows_it(world):
    agent = world.agent()
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF), okta.member_add(BOB, STAFF))
    agent.settle()
    join(world, agent, ANN)
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    join(world, agent, BOB)
    await_entry(world, group_dn(STAFF), lambda entry: {dn_of(ANN), dn_of(BOB)} <= set(entry["member"]))


@test
def a_group_that_comes_after_its_members_takes_them_in(world):
    agent = world.agent()
    join(world, agent, ANN)
    join(world, agent, BOB)
    agent.send(okta.member_add(ANN, STAFF, published=okta.hours_ago(2)), okta.member_add(BOB, STAFF, published=okta.hours_ago(2)))
    agent.settle()
    agent.send(okta.group_create(STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: {dn_of(ANN), dn_of(BOB)} <= set(entry["member"]))


@test
def a_member_is_taken_out_and_the_others_stay(world):
    agent = world.agent()
    join(world, agent, ANN)
    join(world, agent, BOB)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF), okta.member_add(BOB, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: {dn_of(ANN), dn_of(BOB)} <= set(entry["member"]))
    agent.send(okta.member_remove(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) not in entry["member"] and dn_of(BOB) in entry["member"])


@test
def the_last_member_can_leave_and_another_come(world):
    agent = world.agent()
    join(world, agent, ANN)
    join(world, agent, BOB)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    agent.send(okta.member_remove(ANN, STAFF))
    await_condition("nobody in the group", lambda: dn_of(ANN) not in (world.directory().members(group_dn(STAFF)) or []))
    agent.send(okta.member_add(BOB, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(BOB) in entry["member"])
    agent.settle()
    assert agent.target_status()["dead"] == 0


@test
def the_last_member_leaves_a_group_that_lives_by_its_members_while_another_comes(world):
    groups = [('placeholder = "cn=nobody,dc=example,dc=org";', "with_first_member = true;")]
    agent = world.agent(mappings_=mappings(groups=groups), target={"workers": 1})
    join(world, agent, ANN)
    join(world, agent, BOB)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    agent.settle()
    agent.send(okta.member_add(BOB, STAFF), okta.member_remove(ANN, STAFF))  # who leaves goes first
    await_condition("one for the other", lambda: world.directory().members(group_dn(STAFF)) == [dn_of(BOB)])
    agent.settle()
    assert agent.target_status()["dead"] == 0


@test
def a_renamed_member_is_renamed_in_its_groups(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    married = ANN.renamed("ann.roe@example.com")
    agent.send(okta.update(married))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(married) in entry["member"] and dn_of(ANN) not in entry["member"])


@test
def a_member_is_taken_out_of_a_group_that_was_renamed_by_hand(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    agent.settle()
    world.directory().connection().modrdn_s(group_dn(STAFF), "cn=Byhand")
    agent.send(okta.member_remove(ANN, STAFF))
    await_condition("she is out of it", lambda: dn_of(ANN) not in world.directory().members(f"cn=Byhand,{GROUPS}"))


@test
def a_leaver_whose_account_went_by_hand_leaves_her_groups_too(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    agent.settle()
    world.directory().delete(dn_of(ANN))
    agent.send(okta.deactivate(ANN))
    await_condition("her name is out of it", lambda: dn_of(ANN) not in world.directory().members(group_dn(STAFF)))


@test
def whoever_has_the_place_of_an_account_that_went_by_hand_inherits_no_groups(world):
    agent = world.agent()
    join(world, agent, ANN)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_entry(world, group_dn(STAFF), lambda entry: dn_of(ANN) in entry["member"])
    agent.settle()
    world.directory().delete(dn_of(ANN))
    world.directory().add_person("ann")  # another Ann
    agent.send(okta.deactivate(ANN))
    agent.await_log(id=ANN.id, type="user.lifecycle.deactivate")
    agent.settle()
    assert dn_of(ANN) not in world.directory().members(group_dn(STAFF))
    assert world.directory().entry(dn_of(ANN)) is not None, "the other Ann's account was touched"


# --- text that wants to be more than text

@test
def hostile_names_land_in_their_place_and_nowhere_else(world):
    agent = world.agent()
    world.directory().add("ou=admins," + PEOPLE, objectClass="organizationalUnit")
    world.directory().add_person("victim", mail="victim@example.com")
    victim = world.directory().uuid(f"uid=victim,{PEOPLE}")
    logins = [")(uid=*@example.com", "x,ou=admins@example.com", "*@example.com", "#hash@example.com", "a+cn=b@example.com",
              "back\\slash@example.com", '"quoted"@example.com']
    for number, login in enumerate(logins):
        agent.send(okta.create(User(f"00uevil{number}", login, "Evil Name")))
    agent.settle()
    for number, login in enumerate(logins):
        found = world.directory().search(PEOPLE, 2, f"(employeeNumber=00uevil{number})")
        assert len(found) == 1, f"{login}: {len(found)} entries; {agent.log(id=f'00uevil{number}')}"
        dn, values = found[0]
        assert values["uid"] == [login.split("@")[0].lower().encode()], (dn, values)
        assert dn.endswith("," + PEOPLE) and ",ou=admins," not in dn.replace("\\,", ""), dn
    assert world.directory().uuid(f"uid=victim,{PEOPLE}") == victim, "a stranger's entry was touched"
    for entry in world.directory().search("ou=admins," + PEOPLE, 1):
        raise AssertionError(f"{entry} landed in ou=admins")
    world.directory().clear()


@test
def hostile_group_names_land_in_their_place(world):
    agent = world.agent()
    join(world, agent, ANN)
    for number, name in enumerate(("x,ou=people", "*)(objectClass=*", "a+b=c", " space ", "#1")):
        group = Group(f"00gevil{number}", name)
        agent.send(okta.group_create(group), okta.member_add(ANN, group))
    agent.settle()
    names = sorted(values["cn"][0].decode() for _, values in world.directory().search(GROUPS, 1))
    assert len(names) == 5 and "x,ou=people" in names and "*)(objectClass=*" in names, names
    assert world.directory().people() == [dn_of(ANN)]


@test
def ten_million_letters_are_a_dead_letter_and_hold_up_nobody(world):
    agent = world.agent(listen={"body_limit": "32 MiB"})
    agent.send(okta.create(User("00ulong", "l" * 10_000_000 + "@example.com", "Long Name")))
    join(world, agent, ANN)
    line = agent.await_log(id="00ulong", outcome="rejected")
    assert len(line["reason"]) < 10_000, "the reason repeats the whole name"
    agent.send(okta.create(User("00uname", "name@example.com", "Long " + "n" * 10_000_000)))
    join(world, agent, BOB)
    agent.settle()
    assert agent.running()


run()
