#!/usr/bin/python3
"""What people do to a running agent: a hold that is over stays over, who did what is told, what was given up stays visible, and reading is
another right than steering."""

import os
import pwd
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import TARGET
from bounded import await_condition, stays
from directory import PEOPLE
from okta import User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")


def out_of(agent, *arguments, code=0):
    """Standard output of provostctl, which must exit so."""
    seen, out, err = agent.ctl(*arguments)
    assert seen == code, f"provostctl {' '.join(arguments)}: exit {seen} instead of {code}\n{out}\n{err}"
    return out


def await_account(world, user):
    dn = f"uid={user.login.split('@')[0]},{PEOPLE}"
    return await_condition(f"{dn} in the directory", lambda: world.directory().entry(dn))


# --- holds

@test
def a_hold_of_the_configuration_is_over_with_the_first_resume(world):
    agent = world.agent(target={"hold": True})
    agent.send(okta.create(ANN))
    stays("nothing is made at first", lambda: world.directory().people() == [])
    agent.restart()
    stays("nor after a restart", lambda: world.directory().people() == [])
    out_of(agent, "resume", TARGET)
    await_account(world, ANN)
    agent.target["workers"] = 2  # the target is started anew
    agent.write_config()
    out_of(agent, "reload")
    assert agent.target_status()["state"] != "held"
    agent.restart()
    agent.send(okta.create(BOB))
    await_account(world, BOB)
    out_of(agent, "hold", TARGET)
    agent.restart()
    await_condition("it is held", lambda: agent.target_status()["state"] == "held")
    assert "held until its first" in out_of(agent, "check")


# --- who did what

def acts(agent, **wanted):
    return [line for line in agent.log(**wanted) if "act" in line]


@test
def each_act_of_a_person_is_a_line_with_who_did_it(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.settle()
    for act, arguments, code, wanted in (
            ("hold", (TARGET,), 0, {"target": TARGET, "outcome": "done", "level": "info"}),
            ("resume", (TARGET,), 0, {"target": TARGET, "outcome": "done"}),
            ("retry", (TARGET, "--user", ANN.login), 0, {"target": TARGET, "user": ANN.login, "lanes": "0"}),
            ("drop", (TARGET, "--leavers"), 0, {"target": TARGET, "leavers": "too", "lanes": "0", "level": "warning"}),
            ("reload", (), 0, {"outcome": "done"}),
            ("hold", ("elsewhere",), 1, {"target": "elsewhere", "outcome": "failed", "level": "warning"})):
        out_of(agent, act, *arguments, code=code)
        line = acts(agent, act=act)[-1]
        assert line["uid"] == str(os.getuid()) and line["by"] == pwd.getpwuid(os.getuid()).pw_name, line
        assert wanted.items() <= line.items(), line
    assert "elsewhere" in acts(agent, act="hold")[-1]["reason"]
    seen = len(acts(agent))
    for look in (("status",), ("waiting",), ("dead",), ("show", ANN.id), ("events",)):
        out_of(agent, *look)
    assert len(acts(agent)) == seen == 6
    assert "by=" in out_of(agent, "log", "--outcome", "failed")


# --- what was given up

def refused_leaver(world):
    """Ann has an account, and the directory refuses to disable it."""
    agent = world.agent(start=False)
    text = agent.mapping_texts["openldap-people.conf"]
    lock = 'passwordLock = "TRUE";'
    assert text.count(lock) == 1, "the shipped mapping has changed: mend this test"
    agent.write_mapping("openldap-people.conf", text.replace(lock, 'pwdAccountLockedTime = "000001010000Z";'))  # there is no ppolicy
    agent.start()
    agent.send(okta.create(ANN), okta.activate(ANN))
    await_account(world, ANN)
    agent.settle()
    left = okta.deactivate(ANN)
    agent.send(left)
    agent.await_log(id=ANN.id, outcome="rejected")
    return agent, left


def mend(agent):
    agent.write_mapping("openldap-people.conf", agent.mapping_texts["openldap-people.conf"])
    out_of(agent, "reload")


@test
def a_leaver_who_was_given_up_stays_visible_until_that_is_taken_back(world):
    agent, left = refused_leaver(world)
    out_of(agent, "drop", TARGET, "--leavers")
    agent.restart()
    for _ in range(2):
        text = out_of(agent, "status", code=1)
        assert "1 leaver" in text and ANN.login in text and f"retry {TARGET} --dropped" in text and "is well" not in text, text
        out_of(agent, "retry", TARGET)  # dead letters alone
    dropped, = agent.ctl_json("show", ANN.login)["dropped"]
    assert dropped["outcome"] == "rejected" and "pwdAccountLockedTime" in dropped["reason"] and dropped["time"], dropped
    assert f"uid {os.getuid()}" in dropped["dropped_by"] and dropped["leaver"] == "not_out", dropped
    delivery, = agent.ctl_json("show", left["uuid"])["deliveries"]
    assert delivery["outcome"] == "dropped" and "pwdAccountLockedTime" in delivery["reason"] and "given up by" in delivery["reason"], delivery
    mend(agent)
    out_of(agent, "retry", TARGET, "--dropped")
    agent.settle()
    assert "All is well" in out_of(agent, "status") and "dropped" not in agent.ctl_json("show", ANN.login)
    agent.await_log(id=ANN.id, outcome="applied", action="disable")


@test
def taking_back_before_it_is_mended_makes_the_dead_letter_again(world):
    agent, _ = refused_leaver(world)
    since = agent.ctl_json("waiting", "--leavers")[0]["since"]
    out_of(agent, "drop", TARGET, "--leavers")
    out_of(agent, "retry", "--user", ANN.login, "--dropped")
    await_condition("it is dead again", lambda: agent.target_status()["dead"] == 1)
    row, = agent.ctl_json("waiting", "--leavers")
    assert row["since"] == since and agent.target_status()["dropped"]["leavers"] == 0, row


@test
def a_newer_event_that_is_done_ends_what_was_given_up(world):
    agent, _ = refused_leaver(world)
    out_of(agent, "drop", TARGET, "--leavers")
    mend(agent)
    agent.send(okta.deactivate(ANN))
    agent.await_log(id=ANN.id, outcome="applied", action="disable")
    agent.settle()
    assert "All is well" in out_of(agent, "status")


@test
def a_joiner_who_was_given_up_is_shown_and_worries_nobody(world):
    agent = world.agent(start=False)
    text = agent.mapping_texts["openldap-people.conf"]
    agent.write_mapping("openldap-people.conf", text.replace("account: {", 'account: {\n  homeDirectory = "/home/{id}";', 1))  # no such class
    agent.start()
    agent.send(okta.create(BOB))
    agent.await_log(id=BOB.id, outcome="rejected")
    out_of(agent, "drop", TARGET)
    assert "All is well" in out_of(agent, "status")
    assert "homeDirectory" in agent.ctl_json("show", BOB.login)["dropped"][0]["reason"]


run()
