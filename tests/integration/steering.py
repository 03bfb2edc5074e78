#!/usr/bin/python3
"""What people do to a running agent: a hold that is over stays over, who did what is told, what was given up stays visible, and reading is
another right than steering."""

import os
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


run()
