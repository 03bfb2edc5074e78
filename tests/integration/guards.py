#!/usr/bin/python3
"""Never somebody else's account: each shipped mapping and each example that we print leaves an account alone that carries another id.

An example is cut out of its page by its first words, `match = (`, up to the bracket that closes it; it is put into a mapping of its
kind that writes {id} into the attributes which the examples use, and `provostctl check` reads it.
"""

import glob
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from agent import shipped_mapping
from directory import SOURCE
from tap import run, test

PAGES = ["README.md", "mappings/README.md", *sorted(os.path.relpath(path, SOURCE) for path in glob.glob(SOURCE + "/packaging/man/*.[58]"))]
LDAP = """target = "t"; kind = "user"; %s
account: { dn = "uid={login},ou=people,dc=example,dc=org"; objectClass = [ "inetOrgPerson" ]; cn = "{name}"; employeeNumber = "{id}"; };
disable: { passwordLock = "TRUE"; };
"""
REST = """target = "t"; kind = "user"; requests: { %s read: { path = "/e/{account.key}"; }; };
account: { email = "{login}"; external_id = "{id}"; externalId = "{id}"; };
on: { suspended = "keep"; deactivated = "keep"; deleted = "keep"; left_scope = "keep"; };
"""


def connector_of(text):
    return "session" if re.search(r"^sessions\s*:", text, re.M) else "rest" if re.search(r"requests\s*:", text) else "ldap"


def check(world, text):
    """What provostctl check says of one mapping file, which must be right: its warnings."""
    connector, name = connector_of(text), re.search(r'target\s*=\s*"([^"]*)"', text)[1]
    agent = world.agent(start=False, directory=None, mappings_={"m.conf": text})
    settings = {"ldap": {"uri": "ldap://127.0.0.1:1", "bind_dn": "cn=x", "password": "file:" + agent.path("ldap.secret")},
                "rest": {"url": "http://127.0.0.1:1"}}
    agent.top = {"targets": ({"name": name, "connector": connector, "mappings": ["m.conf"], "settings": settings[connector]},)}
    agent.write_config()
    code, out, err = agent.ctl("check", "--json")
    result = json.loads(out)
    assert code == 0 and result["ok"], f"{out}{err}\n{text}"
    return [note for note in result["notes"] if note["text"].startswith("warning: ")]


def shipped():
    names = sorted(os.path.basename(path) for path in glob.glob(SOURCE + "/mappings/*.conf"))
    return [name for name in names if not name.endswith(".test.conf") and connector_of(shipped_mapping(name)) != "session"]


@test
def every_shipped_match_goes_on_to_the_next_page(world):
    for name in shipped():
        text = shipped_mapping(name)
        start = re.search(r"requests:.*?\bmatch = \(", text, re.S)
        entries = text[start.end():text.index("\n  );", start.end())] if start else ""
        lists = [entry for entry in entries.split("{ path =")[1:] if "items =" in entry]
        assert all("next:" in entry for entry in lists) and (lists or not start), (name, entries)


def examples(page):
    """The `match`es of a page."""
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        text = file.read().replace("\\-", "-").replace("\\(dq", '"').replace("\\e", "\\")
    for start in re.finditer(r"\bmatch\s*=\s*\(", text):
        depth, quoted, end = 1, False, start.end()
        while depth:
            quoted ^= text[end] == '"' and text[end - 1] != "\\"
            depth += 0 if quoted else {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if "…" not in text[start.start():end]:
            yield text[start.start():end] + ";"


@test
def every_shipped_mapping_leaves_other_peoples_accounts_alone(world):
    assert len(shipped()) >= 5, shipped()
    for name in shipped():
        warnings = check(world, shipped_mapping(name))
        assert not warnings, (name, warnings)


@test
def every_example_in_a_manual_leaves_other_peoples_accounts_alone(world):
    found = [(page, example) for page in PAGES for example in examples(page)]
    assert {page for page, _ in found} >= {"mappings/README.md", "packaging/man/provost-mapping.5"}, found
    for page, example in found:
        text = (LDAP if re.search(r'\(\s*"', example) else REST) % example
        warnings = check(world, text)
        assert not warnings, (page, example, warnings)


GUARDS = (("openldap-people.conf", "(!(employeeNumber=*))", "(!(employeeNumber=*)))\""),
          ("scim2-users.conf", 'externalId = [ "", "{id}" ];', 'externalId = [ "", "{id}" ]; }'),
          ("scim2-groups.conf", 'externalId = [ "", "{id}" ];', 'externalId = [ "", "{id}" ]; }'),
          ("payroll.conf", 'external_id = [ "", "{id}" ];', 'external_id = [ "", "{id}" ]; }'))


@test
def a_match_without_the_guard_is_warned_of_with_its_line_and_the_line_to_write(world):
    for name, guard, line in GUARDS:
        text = shipped_mapping(name, [(guard, "")])
        warnings = check(world, text)
        assert len(warnings) == shipped_mapping(name).count(guard) > 0, (name, warnings)
        for warning in warnings:
            told = text.splitlines()[warning["line"] - 1]
            assert line in warning["text"] and ("match" in told or "where" in told), (name, told, warning)


@test
def the_line_that_is_told_is_the_right_one(world):
    for filter_ in ("(mail={login})", "(&(mail={login})(objectClass=person))", "(|(employeeNumber={id})(mail={login}))"):
        [warning] = check(world, LDAP % f'match = ( "(employeeNumber={{id}})", "{filter_}" );')
        right = re.search(r'right would be "(.*)"$', warning["text"])[1]
        assert not check(world, LDAP % f'match = ( "{right}" );'), right


run()
