#!/usr/bin/python3
"""What an administrator does with provostctl: dead letters, holds, reloads, looking things up, checking files."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import REFUSED_LOCK, TARGET, mappings, out_of, shipped_mapping
from bounded import await_condition, stays
from directory import PEOPLE
from okta import User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")


def dn_of(user):
    return f"uid={user.login.split('@')[0]},{PEOPLE}"


def await_account(world, user):
    return await_condition(f"{dn_of(user)} in the directory", lambda: world.directory().entry(dn_of(user)))


def bad_class(agent):
    """A mapping whose accounts the directory's schema refuses."""
    text = shipped_mapping("openldap-people.conf")
    assert 'employeeNumber = "{id}"' in " ".join(text.split()), "the shipped mapping has changed: mend this test"
    return text.replace("account: {", 'account: {\n  homeDirectory = "/home/{id}";', 1)


# --- dead letters

def one_dead(world):
    agent = world.agent(start=False)
    agent.write_mapping("openldap-people.conf", bad_class(agent))
    agent.start()
    agent.send(okta.create(ANN))
    line = agent.await_log(id="00uann", outcome="rejected")
    assert "homeDirectory" in line["reason"], f"not the directory's own reason: {line}"
    return agent


@test
def a_schema_violation_is_a_dead_letter_with_the_directorys_reason(world):
    agent = one_dead(world)
    dead = agent.ctl_json("dead")
    assert len(dead) == 1 and dead[0]["id"] == "00uann" and "homeDirectory" in dead[0]["reason"], dead
    text = out_of(agent, "dead")
    assert "ann@example.com" in text and "homeDirectory" in text, text
    assert agent.target_status()["dead"] == 1


@test
def a_dead_letter_holds_up_nobody_else(world):
    agent = world.agent()
    agent.send(okta.create(User("00usp", "", "")), okta.create(BOB))
    await_account(world, BOB)


@test
def retry_after_mending_the_mapping_makes_the_account(world):
    agent = one_dead(world)
    agent.write_mapping("openldap-people.conf", shipped_mapping("openldap-people.conf"))
    out_of(agent, "reload")
    out_of(agent, "retry", TARGET)
    await_account(world, ANN)
    await_condition("no dead letters", lambda: agent.target_status()["dead"] == 0)


@test
def drop_forgets_the_dead_letter_and_a_newer_event_starts_anew(world):
    agent = one_dead(world)
    out_of(agent, "drop", TARGET)
    assert agent.ctl_json("dead") == [] and world.directory().people() == []
    agent.write_mapping("openldap-people.conf", shipped_mapping("openldap-people.conf"))
    out_of(agent, "reload")
    agent.send(okta.activate(ANN))
    await_account(world, ANN)


# --- leavers

def refused_leaver(world):
    """Ann has an account, and the directory refuses to disable it."""
    agent = world.agent(mappings_=mappings(people=[REFUSED_LOCK]))
    agent.send(okta.create(ANN), okta.activate(ANN))
    await_account(world, ANN)
    agent.send(okta.deactivate(ANN))
    return agent, agent.await_log(id="00uann", outcome="rejected")


@test
def a_leaver_who_cannot_be_disabled_is_told_everywhere(world):
    agent, line = refused_leaver(world)
    assert line["leaver"] == "not_out" and line["level"] == "error" and "pwdAccountLockedTime" in line["reason"], line
    leavers = agent.target_status()["leavers"]
    assert leavers["not_out"] == 1 and leavers["since"], leavers
    assert "not_out" in out_of(agent, "dead")
    assert "1 leaver is not out" in out_of(agent, "status", code=1)


@test
def a_leaver_is_dropped_only_when_it_is_said(world):
    agent, _ = refused_leaver(world)
    assert "--leavers" in out_of(agent, "drop", TARGET, code=1)
    assert len(agent.ctl_json("dead")) == 1
    out_of(agent, "drop", TARGET, "--leavers")
    assert agent.ctl_json("dead") == [] and agent.target_status()["leavers"]["not_out"] == 0


@test
def a_leaver_is_out_once_the_mapping_is_mended(world):
    agent, _ = refused_leaver(world)
    agent.write_mapping("openldap-people.conf", shipped_mapping("openldap-people.conf"))
    out_of(agent, "reload")
    out_of(agent, "retry", TARGET)
    await_condition("nobody is left to go", lambda: agent.target_status()["leavers"]["not_out"] == 0)
    out_of(agent, "status")


# --- hold, resume, reload

@test
def a_held_target_takes_events_and_does_nothing_until_resumed(world):
    agent = world.agent()
    out_of(agent, "hold", TARGET)
    agent.send(okta.create(ANN))
    stays("nothing is made while held", lambda: world.directory().people() == [])
    assert agent.target_status()["state"] == "held"
    agent.restart()
    stays("nor after a restart", lambda: world.directory().people() == [])
    out_of(agent, "resume", TARGET)
    await_account(world, ANN)


@test
def an_unknown_target_is_named_as_such(world):
    agent = world.agent()
    code, out, err = agent.ctl("hold", "corp-ldpa")
    assert code != 0 and "corp-ldpa" in out + err, out + err


@test
def a_reload_with_a_bad_mapping_keeps_the_old_one(world):
    agent = world.agent()
    agent.write_mapping("openldap-people.conf", 'target = "corp-ldap"; kind = "user"; account: { dn = "uid={nobody"; };')
    code, out, err = agent.ctl("reload")
    assert code != 0 and "openldap-people.conf:" in out + err, f"exit {code}: {out}{err}"
    agent.send(okta.create(ANN))
    await_account(world, ANN)


@test
def a_reload_takes_the_new_mapping(world):
    agent = world.agent()
    text = shipped_mapping("openldap-people.conf").replace("account: {", 'account: {\n  employeeType = "Colleague {id}";', 1)
    agent.write_mapping("openldap-people.conf", text)
    agent.hang_up()
    await_condition("the reload is said", lambda: "reload" in agent.read("stderr").lower())
    agent.send(okta.create(ANN))
    assert await_account(world, ANN)["employeeType"] == ["Colleague 00uann"]


@test
def hang_up_reopens_the_status_log_after_logrotate(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.await_log(id="00uann", outcome="applied")
    os.rename(agent.path("status.log"), agent.path("status.log.1"))
    agent.hang_up()
    await_condition("a new log file", lambda: os.path.exists(agent.path("status.log")))
    agent.send(okta.create(BOB))
    agent.await_log(id="00ubob", outcome="applied")


# --- looking things up

@test
def status_tells_agent_store_and_targets(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.settle()
    seen = agent.ctl_json("status")
    assert seen["agent"]["listening"].endswith(f":{agent.port}/okta/events"), seen["agent"]
    assert seen["store"]["events"] == 1 and seen["endpoint"]["accepted"] == 1, seen
    target = seen["targets"][0]
    assert target["name"] == TARGET and target["state"] == "up" and target["dead"] == 0 and target["last_success"], target
    text = out_of(agent, "status")
    assert TARGET in text and "up" in text and "\x1b" not in text, text


def end_of_status(agent, *advised, code=0):
    """Its last line, after advice that has these words, each in a line of its own."""
    text = out_of(agent, "status", code=code)
    advice = [line for line in text.splitlines() if line.startswith("* ")]
    for word in advised:
        assert [line for line in advice if word in line], f"no advice has {word!r}:\n{text}"
    well = [line for line in advice if "is well" in line]
    assert len(advice) == len(advised) + len(well) and well in ([], advice[-1:]), text
    return advice[-1]


def advised_by_status(advised, do):
    """Worth a look, though it needs nobody at once: exit 0."""
    @test
    def no_all_is_well(world):
        agent = world.agent()
        assert end_of_status(agent) == "* All is well."
        do(agent)
        assert end_of_status(agent, advised) == "* All else is well."
    no_all_is_well.__name__ = f"status_does_not_say_that_all_is_well_after_{do.__name__}"


def a_hold(agent):
    out_of(agent, "hold", TARGET)


def a_wrong_secret(agent):
    assert agent.post(okta.body(okta.create(ANN)), secret="guess") == 401
    agent.send(okta.create(ANN))  # and then the right one


def a_body_in_quarantine(agent):
    assert agent.post(b"{") == 400
    await_condition("it is kept", lambda: agent.status()["store"]["quarantined"] == 1)


advised_by_status("is held", a_hold)
advised_by_status("wrong or no secret", a_wrong_secret)
advised_by_status("in quarantine", a_body_in_quarantine)


@test
def status_says_no_word_of_well_where_somebody_is_needed(world):
    agent = one_dead(world)
    assert "dead letter" in end_of_status(agent, "dead letter", code=1)
    out_of(agent, "hold", TARGET)
    assert "dead letter" in end_of_status(agent, "dead letter", "is held", code=1)


@test
def a_leaver_who_has_just_left_is_told_by_status_and_needs_nobody_yet(world):
    agent = world.agent()
    agent.send(okta.create(ANN), okta.activate(ANN))
    await_account(world, ANN)
    agent.settle()
    out_of(agent, "hold", TARGET)
    agent.send(okta.deactivate(ANN))
    await_condition("she is to go", lambda: agent.target_status()["leavers"]["not_out"] == 1)
    assert end_of_status(agent, "is held", "1 leaver is not out") == "* All else is well."


@test
def show_tells_all_that_followed_from_an_event_and_a_person(world):
    agent = world.agent()
    created = okta.create(ANN)
    agent.send(created)
    agent.settle()
    text = out_of(agent, "show", created["uuid"])
    assert "user.lifecycle.create" in text and "applied" in text, text
    for word in ("00uann", "ann@example.com"):
        assert dn_of(ANN) in json.dumps(agent.ctl_json("show", word)), word
    code, out, err = agent.ctl("show", "no-such-thing")
    assert code != 0 and "no-such-thing" in out + err


@test
def events_and_log_are_filtered(world):
    agent = world.agent()
    agent.send(okta.create(ANN), okta.create(BOB))
    agent.settle()
    assert {row["event"] for row in agent.ctl_json("events")} == {row["event"] for row in agent.all_events()}
    rows = agent.ctl_json("events", "--user", "ann@example.com")
    assert len(rows) == 1 and rows[0]["type"] == "user.lifecycle.create", rows
    await_condition("both in the log", lambda: len(agent.log(outcome="applied")) == 2)
    text = out_of(agent, "log", "--user", "bob@example.com")
    assert "bob@example.com" in text and "ann@example.com" not in text, text
    assert "ann@example.com" in out_of(agent, "log", "--outcome", "applied")
    assert "example.com" not in out_of(agent, "log", "--outcome", "rejected")
    assert "example.com" not in out_of(agent, "log", "--target", "elsewhere")


@test
def send_posts_a_file_as_okta_would(world):
    agent = world.agent()
    agent.write("body.json", okta.body(okta.create(ANN)).decode())
    agent.write("bad.json", "{")
    out_of(agent, "send", agent.path("body.json"))
    await_account(world, ANN)
    assert agent.ctl("send", agent.path("bad.json"))[0] != 0


@test
def an_agent_that_does_not_run_is_told_apart(world):
    agent = world.agent(start=False)
    code, out, err = agent.ctl("status")
    assert code == 3 and "control.sock" in out + err, f"exit {code}: {out}{err}"


@test
def a_running_agent_is_asked_even_while_mistakes_are_in_the_file(world):
    agent = world.agent()
    agent.target = {"wrkers": 2}
    agent.write_config()
    assert end_of_status(agent) == "* All is well."
    code, out, err = agent.ctl("reload")
    assert code == 1 and err.count("wrkers") == 1 and "workers" in err, f"exit {code}: {out}{err}"


@test
def a_word_that_names_nothing_is_no_empty_list(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.settle()
    for command in ("dead", "events"):
        for option, word in (("--target", "elsewhere"), ("--user", "nobody@example.com")):
            code, out, err = agent.ctl(command, option, word)
            assert code == 1 and word in err, f"{command} {option}: exit {code}: {out}{err}"
    for command in ("log", "events"):
        code, out, err = agent.ctl(command, "--outcome", "aplied")
        assert code == 2 and "applied" in err, f"{command}: exit {code}: {out}{err}"
    assert "No dead letters" in out_of(agent, "dead", "--user", "ann@example.com", "--target", TARGET)


# --- files

@test
def check_accepts_what_runs(world):
    agent = world.agent(start=False)
    out_of(agent, "check")
    out_of(agent, "check", "--connect")


@test
def check_tells_all_mistakes_at_once_with_their_places(world):
    agent = world.agent(start=False)
    people = shipped_mapping("openldap-people.conf")
    agent.write_mapping("openldap-people.conf", people.replace("account: {", 'account: {\n  employeeType = "{login | upprr}";', 1))
    agent.top = {"stroe": "/x", "keep": "ninety days"}
    agent.target = {"workers": 0}
    agent.settings = {"network_timout": "1 s"}
    agent.write_config()
    code, out, err = agent.ctl("check")
    text = out + err
    assert code == 1, f"exit {code}: {text}"
    for hint in ("stroe", "store", "ninety days", "workers", "network_timout", "network_timeout", "upprr", "upper",
                 "openldap-people.conf:", "provost.conf:"):
        assert hint in text, f"{hint!r} is not in:\n{text}"


@test
def a_start_with_mistakes_ends_before_anything_starts(world):
    agent = world.agent(start=False)
    agent.target = {"workers": 0}
    agent.write_config()
    agent.launch()
    assert agent.wait() != 0
    assert "provost.conf:" in agent.read("stderr") and "workers" in agent.read("stderr"), agent.read("stderr")
    assert not os.path.exists(agent.path("provost.db"))


@test
def a_secret_that_others_can_read_is_refused(world):
    agent = world.agent(start=False)
    os.chmod(agent.path("ldap.secret"), 0o644)
    code, out, err = agent.ctl("check")
    assert code == 1 and "ldap.secret" in out + err and "chmod" in out + err, out + err


@test
def try_renders_one_account_offline(world):
    agent = world.agent(start=False)
    agent.write("ann.json", json.dumps({"id": "00uann", "login": "ann@example.com", "name": "Ann Lee", "status": "ACTIVE"}))
    text = out_of(agent, "try", agent.path("mappings/openldap-people.conf"), agent.path("ann.json"))
    assert dn_of(ANN) in text and "Ann Lee" in text, text


@test
def try_shows_the_request_that_an_api_would_get(world):
    agent = world.agent(start=False)
    for name in ("payroll.conf", "payroll.test.conf"):
        agent.write_mapping(name, shipped_mapping(name))
    agent.write("ann.json", json.dumps({"id": "00uann", "login": "ann@example.com", "name": "Ann Lee", "status": "ACTIVE"}))
    text = out_of(agent, "try", agent.path("mappings/payroll.conf"), agent.path("ann.json"))
    assert "external_id: 00uann" in text and "requests.create:\n    path: /employees\n" in text, text
    shown = json.loads(out_of(agent, "try", "--json", agent.path("mappings/payroll.conf"), agent.path("ann.json")))
    assert shown["operations"][0]["settings"]["requests"]["create"] == {"path": "/employees"}, shown


SHIPPED_TESTS = ("openldap-people", "openldap-groups", "payroll", "scim2-users", "scim2-groups")


@test
def the_shipped_mapping_tests_pass(world):
    agent = world.agent(start=False)
    for name in SHIPPED_TESTS:
        agent.write_mapping(f"{name}.conf", shipped_mapping(f"{name}.conf"))
        agent.write_mapping(f"{name}.test.conf", shipped_mapping(f"{name}.test.conf"))
    text = out_of(agent, "test", "--tap", agent.path("mappings"))
    assert "ok 1 " in text and "not ok" not in text, text


@test
def a_failing_mapping_test_shows_the_difference(world):
    agent = world.agent(start=False)
    agent.write_mapping("openldap-people.test.conf", shipped_mapping("openldap-people.test.conf"))
    agent.write_mapping("openldap-people.conf", shipped_mapping("openldap-people.conf").replace("ou=people", "ou=persons"))
    text = out_of(agent, "test", agent.path("mappings"), code=1)
    assert "ou=persons" in text and "ou=people" in text, text
    result = json.loads(out_of(agent, "test", "--json", agent.path("mappings"), code=1))
    failed = [test for test in result["tests"] if not test["passed"]]
    assert result["failed"] == len(failed) > 0 and "ou=persons" in failed[0]["difference"], result


@test
def no_secret_is_in_any_log(world):
    agent = one_dead(world)
    agent.ctl("check", "--connect")
    for name in ("stderr", "status.log"):
        assert "provost-secret" not in agent.read(name) and "the hook's secret" not in agent.read(name), name


run()
