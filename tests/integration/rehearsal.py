#!/usr/bin/python3
"""check --connect rehearses the first joiner and the first leaver: each planted mistake is named, at slapd and at 389 Directory Server."""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from agent import mappings
from directory import AGENT, FORMER, GROUPS, PEOPLE, SUFFIX, Directory389
from tap import Skip, run, test

LOCK = 'passwordLock = "TRUE";'
NO_SUFFIX = "dc=exmaple,dc=org"


def moves(place):
    return [(LOCK, f"{LOCK} dn = \"uid={{id}},{place}\";")]


def hidden(what):
    return ("--access", f"access to {what} by * none")


# what is planted → what is said, at any server: settings, replaced text of the people's and of the groups' file
MISTAKES = [
    ("a base that is not there", {"base_dn": "dc=org"}, [], [], r'base_dn: "dc=org" cannot be read'),
    ("a suffix in the people's dn", {}, [(SUFFIX, NO_SUFFIX)], [], rf'account\.dn \(\S+people\.conf:\d+\): this server does not hold "ou=people,{NO_SUFFIX}"'),
    ("a suffix in the groups' dn", {}, [], [(SUFFIX, NO_SUFFIX)], rf'account\.dn \(\S+groups\.conf:\d+\): this server does not hold "ou=groups,{NO_SUFFIX}"'),
    ("a suffix in the place of the disabled", {}, moves(f"ou=former,{NO_SUFFIX}"), [], rf'disable\.dn \(\S+:\d+\): this server does not hold'),
    ("a parent of people", {}, [("ou=people,", "ou=persons,")], [], rf'there is no entry "ou=persons,{SUFFIX}"'),
    ("a parent of groups", {}, [], [("ou=groups,", "ou=teams,")], rf'there is no entry "ou=teams,{SUFFIX}"'),
    ("a parent of the disabled", {}, moves(f"ou=gone,{SUFFIX}"), [], rf'disable\.dn \(\S+:\d+\): there is no entry "ou=gone,{SUFFIX}"'),
    ("a place in base", {}, [('kind   = "user";', f'kind = "user"; base = [ "{PEOPLE}", "ou=gone,{SUFFIX}" ];')], [], rf'base \(\S+:\d+\): there is no entry "ou=gone,{SUFFIX}"'),
    ("a key attribute", {"key_attribute": "entryUID"}, [], [], r'shows no entryUID, .*write key_attribute = "entryUUID";'),
    ("an attribute of people", {}, [("telephoneNumber =", "telefoneNumber =")], [], r"telefoneNumber is not in this server's schema"),
    ("an attribute of groups", {}, [], [("description = ", "descripton = ")], r"descripton is not in this server's schema"),
    ("an attribute of disable", {}, [('description = "disabled', 'descripton = "disabled'), ('policy: { description = "merge"; };', "")], [], r"descripton is not in this server's schema"),
    ("an object class of people", {}, [('[ "inetOrgPerson" ]', '[ "inetOrgPersn" ]')], [], r"objectClass: inetOrgPersn is not in"),
    ("an object class of groups", {}, [], [('[ "groupOfNames" ]', '[ "groupOfName" ]')], r"objectClass: groupOfName is not in"),
    ("an attribute that no class has", {}, [("  title  ", "  gidNumber = \"7\";\n  title  ")], [], r"gidNumber: none of the object classes in the mapping has it"),
    ("an attribute that a class demands", {}, [("  sn             =", "  initials ="), ('"cn", "sn"', '"cn"')], [], r"sn: the object classes in the mapping demand it"),
    ("the members' attribute", {}, [], [('attribute   = "member"', 'attribute = "membr"')], r"membr is not in this server's schema"),
    ("an attribute of match", {}, [('"(employeeNumber={id})"', '"(employeNumber={id})"')], [], r"match: employeNumber is not in this server's schema"),
    ("an attribute of the groups' match", {}, [], [("(cn={name})", "(cnn={name})")], r"match: cnn is not in this server's schema"),
    ("the naming attribute", {}, [('dn             = "uid={', 'dn = "uidd={')], [], r"uidd is not in this server's schema"),
]


def check(world, directory, settings=None, people=(), groups=()):
    agent = world.agent(directory=directory, start=False, settings=settings or {}, mappings_=mappings(people=people, groups=groups))
    code, out, err = agent.ctl("check", "--connect")
    json, after = agent.ctl_json("check", "--connect"), directory.dump()
    assert after == {}, f"it has written: {after}"
    return code, out + err, json


def told(json):
    return [problem for target in json["targets"] for file in target["rehearsed"] for problem in file["problems"]]


def assert_named(world, directory, expected, **mistake):
    code, said, json = check(world, directory, **mistake)
    assert code == 1 and re.search(expected, said), f"{mistake}: exit {code}: {said}"
    assert not re.search(r"^ +answers", said, re.M), said
    assert not json["ok"] and any(re.search(expected, problem) for problem in told(json)), json


def assert_all_are_named(world, directory):
    for what, settings, people, groups, expected in MISTAKES:
        print(f"# {what}")
        assert_named(world, directory, expected, settings=settings, people=people, groups=groups)


def server_389(world):
    reason = Directory389.lacks()
    if reason:
        raise Skip(reason)
    return world.own(Directory389(world.new_folder("389ds")))


def modify_389(directory, dn, *changes):
    directory.connection().modify_s(dn, [(getattr(directory.ldap, change), name, [value.encode()]) for change, name, value in changes])


@test
def what_is_right_is_well_at_slapd(world):
    assert len(MISTAKES) >= 20
    code, said, json = check(world, world.directory(), people=moves(FORMER))
    assert code == 0 and json["ok"] and re.search(r"^ +answers", said, re.M), said
    assert said.count("not seen: whether the agent may write (the server does not tell without a change)") == 1, said


@test
def each_mistake_is_named_at_slapd(world):
    assert_all_are_named(world, world.directory())


@test
def what_the_agent_may_not_see_is_named_at_slapd(world):
    for access, expected in ((hidden("attrs=entryUUID"), r"shows no entryUUID, so no account can be linked; let the agent read it"),
                             (hidden(f'dn.subtree="{PEOPLE}"'), rf'there is no entry "{PEOPLE}", or the agent may not see it'),
                             (hidden(f'dn.subtree="{GROUPS}"'), rf'there is no entry "{GROUPS}", or the agent may not see it'),
                             (hidden(f'dn.subtree="{FORMER}"'), rf'there is no entry "{FORMER}", or the agent may not see it'),
                             (("--access", f'access to dn.subtree="{SUFFIX}" by anonymous auth by * none'), rf'"{PEOPLE}"'),
                             (("--access", f'access to dn.subtree="{PEOPLE}" by * disclose'), rf'"{PEOPLE}" cannot be read \(insufficientAccessRights 50')):
        directory = world.own_directory("--nosync", *access)
        assert_named(world, directory, expected, people=moves(FORMER))


@test
def a_match_that_is_refused_for_want_of_an_index_is_named_at_slapd(world):
    directory = world.own_directory("--nosync", "--limits", "size=unlimited size.unchecked=disabled")
    anywhere = (LOCK, f'{LOCK} dn = "{{profile.formerDn}}";')  # then the entries of `match` have no place, either
    for below, people in ((PEOPLE, []), (SUFFIX, [anywhere])):
        expected = rf'match: \(roomNumber=provostctl-check\) cannot be searched for below "{below}"; is each of its attributes indexed\?'
        assert_named(world, directory, expected, people=[('"(employeeNumber={id})"', '"(roomNumber={id})"'), *people])


@test
def a_wrong_password_is_named_at_slapd(world):
    directory = world.own_directory("--nosync")
    agent = world.agent(directory=directory, start=False)
    agent.write("ldap.secret", "wrong\n", 0o600)
    code, out, _ = agent.ctl("check", "--connect")
    assert code == 1 and "not usable: " in out and "answers" not in out, out


@test
def what_is_right_is_well_at_389ds(world):
    code, said, json = check(world, server_389(world), people=moves(FORMER))
    assert code == 0 and json["ok"], said
    assert "may write" not in said, said


@test
def each_mistake_is_named_at_389ds(world):
    assert_all_are_named(world, server_389(world))


@test
def rights_that_are_missing_are_named_at_389ds(world):
    directory = server_389(world)
    rule = '(targetattr="{}")(version 3.0; acl "agent"; allow ({}) userdn="ldap:///' + AGENT + '";)'
    for target, rights, expected in (("*", "read, search, compare", rf'account\.dn \(\S+\): {AGENT} may not add entries below "{PEOPLE}"'),
                                     ("*", "read, search, compare, add, delete", rf'mail: {AGENT} may not write it below "{PEOPLE}"'),
                                     ("*", "add", rf'there is no entry "{PEOPLE}", or the agent may not see it|cannot be read')):
        modify_389(directory, SUFFIX, ("MOD_REPLACE", "aci", rule.format(target, rights)))
        assert_named(world, directory, expected)
    modify_389(directory, SUFFIX, ("MOD_REPLACE", "aci", rule.format("userPassword", "all").replace('="userPassword"', '!="userPassword"')))
    assert_named(world, directory, rf'userPassword: {AGENT} may not write it below "{PEOPLE}"')


@test
def a_match_that_is_refused_for_want_of_an_index_is_named_at_389ds(world):
    directory = server_389(world)
    modify_389(directory, AGENT, ("MOD_REPLACE", "nsLookThroughLimit", "2"))
    suffix = ('kind   = "user";', f'kind = "user"; base = "{SUFFIX}";')  # below an entry that holds few others it is not refused
    assert_named(world, directory, r"match: \(employeeNumber=provostctl-check\) cannot be searched for below .*indexed\? \(adminLimitExceeded 11", people=[suffix])


run()
