#!/usr/bin/python3
"""Out means out: whoever left tries to log in at a real slapd with the old password, and whoever returned does, too."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import mappings
from bounded import await_condition
from directory import ADMIN_PASSWORD, GROUPS, PEOPLE, SUFFIX
from ldap_interposer import Interposer
from okta import Group, User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
DN = f"uid=ann,{PEOPLE}"
LOCK = 'passwordLock = "TRUE";'
PPOLICY = 'pwdAccountLockedTime = "000001010000Z";'


def lets_in(directory, password, dn=DN):
    connection = directory.ldap.initialize(directory.uri)
    try:
        connection.simple_bind_s(dn, password)
        return True
    except directory.ldap.INVALID_CREDENTIALS:
        return False
    finally:
        connection.unbind_s()


def set_password(directory, password, dn=DN):
    """As an administrator does; the server hashes it."""
    directory.connection().passwd_s(dn, None, password)


def stored(directory, dn=DN):
    return (directory.entry(dn) or {}).get("userPassword", [])


def modify(directory, dn, *changes):
    directory.connection().modify_s(dn, [(op, name, [v.encode() for v in values] if values else None) for op, name, values in changes])


def join(agent, directory, password="old-pass"):
    agent.send(okta.create(ANN), okta.activate(ANN))
    await_condition("Ann has an account", lambda: directory.entry(DN))
    agent.settle()
    if password is not None:
        set_password(directory, password)
        assert lets_in(directory, password), "the joiner's password does not work"


def leave(agent, event=okta.deactivate, **wanted):
    seen = len(agent.log(id="00uann"))
    agent.send(event(ANN))
    await_condition("a line about the leaver", lambda: len(agent.log(id="00uann")) > seen)
    agent.settle()
    line = agent.log(id="00uann")[seen]
    for key, value in wanted.items():
        assert line.get(key) == value, line
    return line


def come_back(agent, event=okta.activate):
    agent.send(event(ANN))
    agent.await_log(id="00uann", action="enable", outcome="applied")
    agent.settle()


def start(world, *options, lock=LOCK, groups=(), **more):
    directory = world.own_directory("--nosync", *options) if options else world.directory()
    return directory, world.agent(directory=directory, mappings_=mappings(people=[(LOCK, lock)] if lock != LOCK else [], groups=groups), **more)


# --- a plain slapd

@test
def a_leaver_is_refused_and_the_returned_person_let_in(world):
    directory, agent = start(world)
    join(agent, directory)
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "old-pass"), "the leaver logs in with the old password"
    leave(agent, outcome="unchanged")
    come_back(agent)
    assert lets_in(directory, "old-pass"), "the returned person's password does not work"
    assert agent.target_status()["leavers"]["not_out"] == 0


@test
def each_of_several_passwords_is_refused(world):
    directory, agent = start(world)
    join(agent, directory)
    modify(directory, DN, (directory.ldap.MOD_ADD, "userPassword", ["second-pass", "{CRYPT}x"]))
    leave(agent, okta.suspend, outcome="applied")
    assert not lets_in(directory, "old-pass") and not lets_in(directory, "second-pass")
    come_back(agent, okta.unsuspend)
    assert lets_in(directory, "old-pass") and lets_in(directory, "second-pass")
    assert "{CRYPT}x" in stored(directory), stored(directory)


@test
def a_password_set_while_somebody_is_out_is_locked_at_the_next_event(world):
    directory, agent = start(world)
    join(agent, directory)
    leave(agent, okta.suspend, outcome="applied")
    set_password(directory, "new-pass")
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "new-pass") and not lets_in(directory, "old-pass")
    come_back(agent)
    assert lets_in(directory, "new-pass") and not lets_in(directory, "old-pass")


@test
def who_has_no_password_is_locked_and_may_be_given_one_on_return(world):
    directory, agent = start(world)
    join(agent, directory, password=None)
    leave(agent, action="disable", outcome="applied")
    assert len(stored(directory)) == 1 and not lets_in(directory, stored(directory)[0])
    leave(agent, outcome="unchanged")
    come_back(agent)
    assert stored(directory) == []
    set_password(directory, "first-pass")
    assert lets_in(directory, "first-pass")


@test
def a_password_set_in_the_same_moment_is_locked(world):
    directory, agent = start(world)
    join(agent, directory)
    interposer = world.own(Interposer(directory.uri))
    agent.stop()
    agent.settings["uri"] = interposer.uri
    agent.write_config()
    agent.start()
    interposer.before_next_modify(lambda: set_password(directory, "just-now"))
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "just-now") and not lets_in(directory, "old-pass")
    interposer.before_next_modify(lambda: modify(directory, DN, (directory.ldap.MOD_ADD, "userPassword", ["one-more"])))
    come_back(agent)
    assert lets_in(directory, "just-now") and lets_in(directory, "one-more")
    interposer.after_next_modify(lambda: modify(directory, DN, (directory.ldap.MOD_ADD, "userPassword", ["behind-us"])))
    leave(agent, okta.suspend, action="disable", outcome="applied")
    assert not any(lets_in(directory, password) for password in ("just-now", "one-more", "behind-us"))


@test
def a_refused_attribute_does_not_keep_a_leaver_in(world):
    directory, agent = start(world)
    join(agent, directory)
    renamed = ANN.renamed("ann@exämple.com")  # mail is IA5String: invalidAttributeSyntax 21
    agent.send(okta.deactivate(renamed))
    await_condition("the refusal is told", lambda: agent.log(id="00uann", outcome="rejected"))
    assert not lets_in(directory, "old-pass"), "a refused mail address keeps the leaver in"
    assert "mail" in agent.log(id="00uann", outcome="rejected")[0]["reason"]


LOCKED, SECRET = Group("00glocked", "Locked"), Group("00gsecret", "Secret")
LOCKED_DN, SECRET_DN = f"cn=Locked,{GROUPS}", f"cn=Secret,{GROUPS}"
NOT_LOCKED = f'access to dn.exact="{LOCKED_DN}" by * read'


def lift_first_rule(directory):
    """Of the server's access rules, as an administrator of it does."""
    config = directory.ldap.initialize(directory.uri)
    config.simple_bind_s("cn=config", ADMIN_PASSWORD)
    [(database, _)] = config.search_s("cn=config", directory.ldap.SCOPE_SUBTREE, f"(olcSuffix={SUFFIX})", ["1.1"])
    config.modify_s(database, [(directory.ldap.MOD_DELETE, "olcAccess", [b"{0}"])])
    config.unbind_s()


@test
def a_group_that_cannot_be_written_keeps_nobody_in_another_and_is_named(world):
    directory, agent = start(world, "--access", NOT_LOCKED, target={"retry": {"base": "50 ms", "most": "200 ms", "attempts": 2}},
                             groups=[('kind   = "group";', 'kind = "group"; adopt = true;')])
    agent.send(okta.group_create(SECRET), okta.member_add(ANN, SECRET))
    join(agent, directory)
    directory.add(LOCKED_DN, objectClass="groupOfNames", cn="Locked", member=[DN])
    agent.send(okta.group_create(LOCKED), okta.member_remove(ANN, LOCKED), okta.member_remove(ANN, SECRET))
    line = agent.await_log(id="00uann", leaver="not_out", step="member_remove", level="error")  # and is not given up
    assert "insufficientAccess" in line["reason"] and "access is still left after" in line["reason"], line
    assert DN in directory.members(LOCKED_DN) and DN not in directory.members(SECRET_DN), directory.dump()
    assert agent.target_status()["leavers"]["not_out"] == 1
    _, told, _ = agent.ctl("status")
    assert "1 leaver is not out of corp-ldap yet (ann@example.com)" in told, told
    _, shown, _ = agent.ctl("show", "ann@example.com")
    assert "member_remove" in shown and "not_out" in shown, shown
    agent.send(okta.update(ANN.renamed(name="Ann Roe"), changed="displayName"))  # nobody is frozen by one group
    await_condition("she is renamed", lambda: directory.entry(DN)["sn"] == ["Roe"])
    lift_first_rule(directory)
    await_condition("she is out of it", lambda: DN not in directory.members(LOCKED_DN))
    agent.settle()
    assert agent.target_status()["leavers"]["not_out"] == 0 and agent.target_status()["dead"] == 0


@test
def no_password_is_told_or_kept(world):
    directory, agent = start(world)
    join(agent, directory)
    secrets = stored(directory) + ["old-pass"]
    leave(agent, outcome="applied")
    secrets += stored(directory)
    come_back(agent)
    _, shown, _ = agent.ctl("show", "ann@example.com")
    agent.stop()
    kept = b"".join(open(agent.path(name), "rb").read() for name in os.listdir(agent.folder) if name.startswith("provost.db"))
    for secret in secrets:
        assert secret.encode() not in kept, "the store has it"
        assert not any(secret in text for text in (shown, agent.read("status.log"), agent.read("stderr"))), secret


# --- other servers

@test
def a_password_that_the_agent_may_not_read_is_replaced_and_said_so(world):
    directory, agent = start(world, "--hide-passwords")
    join(agent, directory)
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "old-pass")
    _, shown, _ = agent.ctl("show", "ann@example.com")
    assert "no password could be read" in shown, shown
    agent.send(okta.activate(ANN))
    agent.settle()
    set_password(directory, "new-pass")
    assert lets_in(directory, "new-pass")


@test
def a_password_policy_lock_shuts_the_leaver_out_and_lets_the_returned_in(world):
    directory, agent = start(world, "--ppolicy", lock=PPOLICY)
    join(agent, directory)
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "old-pass")
    set_password(directory, "new-pass")  # at which ppolicy lifts any lock
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "new-pass")
    come_back(agent)
    assert lets_in(directory, "new-pass")


@test
def a_lock_after_wrong_passwords_survives_any_event(world):
    directory, agent = start(world, "--ppolicy", lock=PPOLICY)
    modify(directory, f"cn=policy,{SUFFIX}", (directory.ldap.MOD_REPLACE, "pwdMaxFailure", ["2"]))
    join(agent, directory)
    assert not lets_in(directory, "wrong") and not lets_in(directory, "wrong") and not lets_in(directory, "old-pass")
    locked = directory.search(DN, directory.ldap.SCOPE_BASE, attributes=["pwdAccountLockedTime"])[0][1]["pwdAccountLockedTime"]
    married = ANN.renamed(name="Ann Roe")
    agent.send(okta.update(married, changed="displayName"))
    await_condition("the event arrived", lambda: directory.entry(DN)["sn"] == ["Roe"])
    agent.send(okta.activate(married))
    agent.settle()
    assert directory.search(DN, directory.ldap.SCOPE_BASE, attributes=["pwdAccountLockedTime"])[0][1]["pwdAccountLockedTime"] == locked
    assert not lets_in(directory, "old-pass"), "an event lifted the lock"


@test
def the_shipped_lock_works_under_a_password_policy_too(world):
    directory, agent = start(world, "--ppolicy")
    join(agent, directory)
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "old-pass")
    come_back(agent)
    assert lets_in(directory, "old-pass")


@test
def a_server_that_hashes_the_lock_lets_nobody_in(world):
    directory, agent = start(world, "--ppolicy-hash")
    join(agent, directory)
    before = stored(directory)[0]
    leave(agent, action="disable", outcome="applied")
    assert not lets_in(directory, "old-pass") and not lets_in(directory, "{PROVOST-LOCKED}" + before) and not lets_in(directory, "{PROVOST-LOCKED}")
    _, shown, _ = agent.ctl("show", "ann@example.com")
    assert "the old password is gone" in shown, shown


# --- check

def check(agent, code=0):
    got, out, err = agent.ctl("check", "--connect")
    assert got == code, f"exit {got}: {out}{err}"
    return out


@test
def check_refuses_a_mapping_that_locks_nobody_out(world):
    _, agent = start(world)
    path = agent.path("mappings/openldap-people.conf")
    text = agent.mapping_texts["openldap-people.conf"]
    agent.write_mapping("openldap-people.conf", text.replace(LOCK, ""))
    out = check(agent, code=1)
    line = 1 + text[:text.index("\ndisable: {")].count("\n") + 1
    assert f"{path}:{line}: nothing in disable stops a log-in (it has description" in out and LOCK in out, out
    code, _, err = agent.ctl("reload")
    assert code != 0 and "stops a log-in" in err, err
    agent.write_mapping("openldap-people.conf", text.replace(LOCK, "") + "disable_locks = false;\n")
    check(agent)


@test
def check_says_what_locks_at_the_server(world):
    directory, agent = start(world)
    join(agent, directory)
    assert "the server has no lock of its own; passwordLock is the one that works here" in check(agent)
    agent.write_mapping("openldap-people.conf", agent.mapping_texts["openldap-people.conf"].replace(LOCK, PPOLICY))
    out = check(agent, code=1)
    assert "a leaver stays in: pwdAccountLockedTime is not in this server's schema" in out, out
    _, text, _ = agent.ctl("check", "--connect", "--json")
    assert '"ok": false' in text and '"locks"' in text, text


@test
def check_prefers_the_servers_own_lock(world):
    directory, agent = start(world, "--ppolicy")
    join(agent, directory)
    assert "which is better than passwordLock" in check(agent) and PPOLICY in check(agent)
    modify(directory, f"cn=policy,{SUFFIX}", (directory.ldap.MOD_REPLACE, "pwdLockout", ["FALSE"]))
    agent.write_mapping("openldap-people.conf", agent.mapping_texts["openldap-people.conf"].replace(LOCK, PPOLICY))
    assert "no password policy has pwdLockout TRUE" in check(agent, code=1)


@test
def check_says_that_passwords_cannot_be_read(world):
    directory, agent = start(world, "--hide-passwords")
    join(agent, directory)
    assert "shows a userPassword: they have none, or the agent may not read it" in check(agent)


run()
