#!/usr/bin/python3
"""A directory as they are: contexts that cannot be searched (an accesslog, an empty suffix, a referral, a proxy whose server is away), a second
suffix, a password policy, unique attributes and a size limit. What cannot be looked at hides nothing, and is told."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import TARGET, mappings
from bounded import await_condition, stays
from directory import AGENT, GROUPS, PEOPLE, SUFFIX, Directory389
from okta import Group, User
from tap import Skip, run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")
EVE = ANN.renamed("eve@example.com")
STAFF = Group("00gstaff", "Staff")
NOBODY = f"cn=nobody,{SUFFIX}"
STAFF_DN = f"cn=Staff,{GROUPS}"
OTHER = "o=other"
CREW_DN = f"cn=crew,{OTHER}"
LIMIT = 50

ACCESSLOG = ("--module", "accesslog", "--before", "database mdb", "--before", "suffix cn=accesslog", "--before", "directory @DIR@/accesslog",
             "--before", "rootdn cn=accesslog", "--before", "access to * by * none",
             "--line", "overlay accesslog", "--line", "logdb cn=accesslog", "--line", "logops writes")
EMPTY = ("--after", "database mdb", "--after", "suffix o=empty", "--after", "directory @DIR@/empty", "--after", "access to * by users read")
SECOND = ("--after", "database mdb", "--after", f"suffix {OTHER}", "--after", "directory @DIR@/other", "--after", f"rootdn cn=admin,{SUFFIX}",
          "--after", f'access to * by dn.exact="{AGENT}" write')
AWAY = ("--module", "back_ldap", "--after", "database ldap", "--after", "suffix dc=proxied", "--after", "uri ldap://127.0.0.1:1")
UNIQUE = ("--module", "unique", "--line", "overlay unique", "--line", "unique_uri ldap:///?mail?sub", "--line", "unique_uri ldap:///?uid?sub")
SIZE = ("--limits", f"size={LIMIT} time=unlimited")
UNREADABLE = ("cn=accesslog", "o=empty", "dc=proxied", "ldap://elsewhere.example.org")
PPOLICY = 'pwdAccountLockedTime = "000001010000Z";'


def dn_of(user):
    return f"uid={user.login.split('@')[0]},{PEOPLE}"


def start(world, *options, **more):
    """All of them at once, unless told otherwise."""
    directory = world.own_directory("--nosync", "--ppolicy", *(options or ACCESSLOG + EMPTY + SECOND + AWAY + UNIQUE + SIZE))
    if not options:
        directory.add(f"ou=elsewhere,{SUFFIX}", objectClass=["referral", "extensibleObject"], ou="elsewhere",
                      ref=f"ldap://elsewhere.example.org/ou=elsewhere,{SUFFIX}")
        directory.add(OTHER, objectClass="organization", o="other")
    return directory, world.agent(directory=directory, mappings_=mappings(people=[('passwordLock = "TRUE";', PPOLICY)]), **more)


def put_group(directory, dn, *members):
    directory.add(dn, objectClass="groupOfNames", cn=dn.split(",")[0][3:], member=list(members))


def join(agent, directory, user=ANN, groups=(STAFF,)):
    agent.send(okta.create(user), okta.activate(user))
    for group in groups:
        agent.send(okta.group_create(group), okta.member_add(user, group))
    agent.settle()
    assert directory.entry(dn_of(user)), "no account"
    for group in groups:
        assert dn_of(user) in directory.members(f"cn={group.name},{GROUPS}"), "the joiner is in no group"


def assert_calm(agent):
    """One attempt for each event, and the target was up throughout."""
    assert all(line.get("attempt", "1") == "1" for line in agent.log()), [line for line in agent.log() if line.get("attempt", "1") != "1"]
    states = [line["state"] for line in agent.log(target=TARGET) if "state" in line]
    assert set(states) <= {"up"} and len(states) <= 1, states
    assert agent.target_status()["state"] == "up", agent.target_status()


def assert_told(text):
    for place in UNREADABLE:
        assert place in text, f"{place} is not named: {text}"


# --- contexts

@test
def a_member_who_was_removed_is_out(world):
    directory, agent = start(world)
    join(agent, directory)
    agent.send(okta.member_remove(ANN, STAFF))
    line = agent.await_log(id="00uann", action="member_remove")
    assert line["outcome"] == "applied", line
    agent.settle()
    assert directory.members(STAFF_DN) == [NOBODY], directory.members(STAFF_DN)
    assert_told(line["note"])
    assert_calm(agent)


@test
def who_was_put_in_by_hand_is_out_too(world):
    directory, agent = start(world, start=False)
    agent.write_mapping("openldap-groups.conf", "adopt = true;" + agent.mapping_texts["openldap-groups.conf"])
    agent.start()
    join(agent, directory)
    put_group(directory, f"cn=Crew,{GROUPS}", NOBODY, dn_of(ANN))
    crew = Group("00gcrew", "Crew")
    agent.send(okta.group_create(crew))
    agent.settle()
    agent.send(okta.member_remove(ANN, crew))
    agent.settle()
    assert directory.members(f"cn=Crew,{GROUPS}") == [NOBODY], directory.members(f"cn=Crew,{GROUPS}")
    assert_calm(agent)


@test
def a_rename_carries_the_dn_in_each_suffix(world):
    directory, agent = start(world)
    join(agent, directory)
    put_group(directory, CREW_DN, NOBODY, dn_of(ANN))
    agent.send(okta.update(EVE))
    line = agent.await_log(id="00uann", action="rename", outcome="applied")
    agent.settle()
    assert_told(line["note"])
    assert directory.members(STAFF_DN) == sorted([NOBODY, dn_of(EVE)]), directory.members(STAFF_DN)
    assert directory.members(CREW_DN) == sorted([NOBODY, dn_of(EVE)]), directory.members(CREW_DN)
    assert_calm(agent)


@test
def a_leaver_is_locked_and_a_later_removal_is_made(world):
    directory, agent = start(world)
    join(agent, directory)
    agent.send(okta.deactivate(ANN))
    agent.await_log(id="00uann", action="disable", outcome="applied")
    agent.send(okta.member_remove(ANN, STAFF))
    agent.settle()
    locked = directory.search(dn_of(ANN), directory.ldap.SCOPE_BASE, attributes=["pwdAccountLockedTime"])
    assert locked[0][1].get("pwdAccountLockedTime"), "the leaver is not locked"
    assert directory.members(STAFF_DN) == [NOBODY]
    assert agent.target_status()["leavers"]["not_out"] == 0
    assert_calm(agent)


@test
def check_names_what_cannot_be_searched(world):
    _, agent = start(world)
    code, out, err = agent.ctl("check", "--connect")
    assert code == 0, out + err
    assert "groups were not looked for everywhere: " in out, out
    assert_told(out)
    assert_told(agent.ctl_json("check", "--connect")["targets"][0]["groups"]["note"])


@test
def check_refuses_a_place_of_groups_that_cannot_be_searched(world):
    directory, agent = start(world, *SECOND, start=False)
    agent.write_mapping("openldap-groups.conf", agent.mapping_texts["openldap-groups.conf"].replace(f"ou=groups,{SUFFIX}", f"ou=teams,{OTHER}"))
    code, out, _ = agent.ctl("check", "--connect")
    assert code == 1 and "a removed member may stay in: " in out and f"ou=teams,{OTHER}" in out, out
    directory.add(OTHER, objectClass="organization", o="other")
    directory.add(f"ou=teams,{OTHER}", objectClass="organizationalUnit", ou="teams")
    code, out, _ = agent.ctl("check", "--connect")
    assert code == 0 and "stay in" not in out and "everywhere" not in out, out


# --- unique attributes

@test
def a_unique_value_is_changed_and_the_account_renamed(world):
    directory, agent = start(world)
    join(agent, directory)
    agent.send(okta.update(EVE))
    agent.settle()
    assert directory.entry(dn_of(EVE))["mail"] == ["eve@example.com"], directory.dump()
    assert_calm(agent)


@test
def a_unique_value_that_another_still_has_is_waited_for(world):
    directory, agent = start(world, *UNIQUE)
    join(agent, directory, groups=())
    join(agent, directory, user=BOB, groups=())
    agent.send(okta.update(ANN.renamed("bob@example.com")))
    agent.await_log(id="00uann", outcome="retry")
    agent.send(okta.update(BOB.renamed("joe@example.com")))
    agent.settle()
    assert directory.entry(f"uid=bob,{PEOPLE}")["employeeNumber"] == ["00uann"], directory.dump()
    assert directory.entry(f"uid=joe,{PEOPLE}")["mail"] == ["joe@example.com"], directory.dump()
    assert not agent.log(outcome="rejected") and not agent.log(outcome="dead")


# --- the size limit

@test
def a_removal_is_made_though_more_groups_hold_the_member_than_the_server_shows(world):
    directory, agent = start(world, *SIZE)
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.settle()
    for number in range(LIMIT + 10):
        put_group(directory, f"cn=by-hand-{number:02},{GROUPS}", dn_of(ANN))
    join(agent, directory)
    agent.send(okta.member_remove(ANN, STAFF))
    line = agent.await_log(id="00uann", action="member_remove", outcome="applied")
    agent.settle()
    assert directory.members(STAFF_DN) == [NOBODY], directory.members(STAFF_DN)
    assert "sizeLimitExceeded 4" in line["note"], line
    assert_calm(agent)


@test
def more_joiners_than_the_limit_join_a_group_and_leave_it(world):
    directory, agent = start(world)
    users = [User(f"00u{n:03}", f"user{n:03}@example.com", f"User {n}") for n in range(LIMIT + 10)]
    agent.send(okta.group_create(STAFF), *(e for user in users for e in (okta.create(user), okta.activate(user), okta.member_add(user, STAFF))))
    agent.settle()
    assert directory.members(STAFF_DN) == sorted([NOBODY] + [dn_of(user) for user in users])
    agent.send(*(okta.member_remove(user, STAFF) for user in users))
    agent.settle()
    assert directory.members(STAFF_DN) == [NOBODY], directory.members(STAFF_DN)
    assert not agent.log(outcome="rejected") and not agent.log(outcome="dead")


# --- 389 Directory Server, which locks an account after three wrong passwords

def lets_agent_in(directory, password):
    connection = directory.ldap.initialize(directory.uri)
    try:
        connection.simple_bind_s(AGENT, password)
        return True
    except (directory.ldap.INVALID_CREDENTIALS, directory.ldap.CONSTRAINT_VIOLATION):
        return False
    finally:
        connection.unbind_s()


def wrong_passwords(directory):
    """Which a log-in with the right one would set back."""
    found = directory.search(AGENT, directory.ldap.SCOPE_BASE, attributes=["passwordRetryCount"])
    return int(found[0][1].get("passwordRetryCount", [b"0"])[0])


def replace(directory, dn, name, value):
    directory.connection().modify_s(dn, [(directory.ldap.MOD_REPLACE, name, [value.encode()])])


@test
def a_password_that_was_changed_does_not_lock_the_agents_account(world):
    if Directory389.lacks():
        raise Skip(Directory389.lacks())
    directory = world.own(Directory389(world.new_folder("389ds")))
    replace(directory, "cn=config", "passwordLockout", "on")
    replace(directory, "cn=config", "passwordMaxFailure", "3")
    agent = world.agent(directory=directory)
    join(agent, directory, groups=())
    replace(directory, AGENT, "userPassword", "another-secret")
    directory.restart()
    users = [User(f"00u{n:03}", f"user{n:03}@example.com", f"User {n}") for n in range(20)]
    agent.send(*(okta.create(user) for user in users))
    agent.await_log(state="down")
    stays("fewer than three wrong passwords", lambda: wrong_passwords(directory) < 3, 4)  # 20 probe intervals
    assert lets_agent_in(directory, "another-secret"), "the account is locked"
    assert agent.target_status()["state"] == "down", agent.target_status()
    agent.write("ldap.secret", "another-secret\n", 0o600)
    assert agent.ctl("reload")[0] == 0
    agent.settle()
    assert len(directory.people()) == 21, directory.people()
    assert not agent.log(outcome="dead") and not agent.log(outcome="retry")


run()
