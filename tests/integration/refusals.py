#!/usr/bin/python3
"""Whose refusal is it? One person whom a target refuses costs the others no time, is named with the target's words, and is no silent leaver."""

import datetime
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import shipped_mapping
from agent_clock import clocked_agent
from bounded import await_condition
from directory import AGENT, AGENT_PASSWORD, SUFFIX
from okta import User
from tap import run, test

EVA = User("00ueva", "eva@abroad.example.com", "Eva Stone")
OTHERS = [User(f"00uother{i}", f"other{i}@people.example.com", f"Other {i}") for i in range(399)]
ABROAD = f"ou=abroad,{SUFFIX}"
AT_ONCE = 57  # of them in one body: 399 are seven
ROUNDS = 5
SLOWER_MOST = 1.2
ATTEMPTS = 4


# --- the targets

class Api:
    """A payroll that answers 403 to whatever is about Eva."""

    words = "Not allowed to see this employee."
    code = "403"

    def __init__(self, world):
        self.payroll = world.payroll()
        self.options = {"service": ("payroll", self.payroll), "mappings_": {"payroll.conf": shipped_mapping("payroll.conf")},
                        "settings": {"probe": "/employees?limit=1"}}

    def refuse_eva(self):
        self.payroll.trouble(status=403, about=EVA.id, say=self.words)

    def count(self):
        return len(self.payroll.employees())

    def clear(self):
        self.payroll.clear()


class Proxied:
    """A slapd that has Eva's part of the tree from another server, and answers 52 (unavailable) about it while that one is away."""

    words = "Proxy "  # … can't contact remote server, or … operation retry failed
    code = "unavailable 52"
    place = ("ou=people,dc=example,dc=org", "ou={login | after '@' | before '.'},dc=example,dc=org")

    def __init__(self, world):
        self.behind = world.own_directory("--nosync")
        self.behind.add(ABROAD, objectClass="organizationalUnit", ou="abroad")
        proxy = ["database ldap", f'suffix "{ABROAD}"', f"uri {self.behind.uri}", 'idassert-authzFrom "*"',
                 f'idassert-bind bindmethod=simple binddn="{AGENT}" credentials={AGENT_PASSWORD} mode=none']
        self.directory = world.own_directory("--nosync", "--module", "back_ldap", *[part for line in proxy for part in ("--before", line)])
        self.options = {"directory": self.directory, "mappings_": {"openldap-people.conf": shipped_mapping("openldap-people.conf", [self.place])}}

    def refuse_eva(self):
        self.behind.kill()

    def count(self):
        return len(self.directory.people())

    def clear(self):
        self.directory.clear()
        self.behind.restart()
        for dn, _ in self.behind.search(ABROAD, self.behind.ldap.SCOPE_ONELEVEL, attributes=["1.1"]):
            self.behind.delete(dn)
        self.directory.restart()  # its connections to the one behind are gone


# --- one run

def send_others(agent):
    for at in range(0, len(OTHERS), AT_ONCE):
        agent.send(*[event for user in OTHERS[at:at + AT_ONCE] for event in (okta.create(user), okta.activate(user))])


def wall_of(line):
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()


def others_done(agent):
    lines = [line for line in agent.log(outcome="applied") if line["id"] != EVA.id]
    return lines if len(lines) == len(OTHERS) else None


def time_of_the_others(agent, send_eva):
    """Seconds from when the target may be written to until the last of the others is done."""
    target = agent.target_status()["name"]
    assert agent.ctl("hold", target)[0] == 0
    await_condition("it is held", lambda: agent.target_status()["state"] == "held")
    send_eva()
    send_others(agent)
    begun = time.time()
    assert agent.ctl("resume", target)[0] == 0
    lines = await_condition("all others are done", lambda: others_done(agent), 60, every_s=0.1)
    return max(wall_of(line) for line in lines) - begun


def nobody():
    pass


def run_without(world, place, workers):
    agent = world.agent(**place.options, target=target_of(workers))
    took = time_of_the_others(agent, nobody)
    assert place.count() == len(OTHERS)
    agent.stop()
    place.clear()
    return took


def target_of(workers):
    return {"workers": workers, "retry": {"base": "50 ms", "most": "500 ms", "attempts": ATTEMPTS}}


def check_named(agent, place):
    lines = agent.log(user=EVA.login, outcome="retry")
    assert lines and all(place.code in line["reason"] for line in lines), lines
    assert place.words in lines[-1]["reason"], lines[-1]  # a slapd whose connection is just lost has no words for it
    states = [line["state"] for line in agent.log() if "state" in line]
    assert not {"down", "refusing"} & set(states), f"one person's refusals were taken for the target's: {states}"


# --- joiner and leaver

def join_refused(world, place, workers):
    agent = world.agent(**place.options, target=target_of(workers))
    place.refuse_eva()
    took = time_of_the_others(agent, lambda: agent.send(okta.create(EVA), okta.activate(EVA)))
    dead = agent.await_log(id=EVA.id, outcome="dead")
    assert f"gave up after {ATTEMPTS} attempts" in dead["reason"] and place.words in dead["reason"], dead
    check_named(agent, place)
    assert agent.target_status()["dead"] == 1 and [row["id"] for row in agent.ctl_json("dead")] == [EVA.id]
    agent.stop()
    place.clear()
    return took


def leave_refused(world, place, workers):
    with clocked_agent(world, **place.options, target=target_of(workers)) as (clock, agent):
        agent.send(okta.create(EVA), okta.activate(EVA))
        agent.await_log(id=EVA.id, action="create", outcome="applied")
        agent.settle()
        place.refuse_eva()
        took = time_of_the_others(agent, lambda: agent.send(okta.deactivate(EVA)))
        line = agent.await_log(id=EVA.id, outcome="retry", level="error")
        assert line["leaver"] == "not_out" and f"still has access after {line['attempt']} attempts" in line["reason"], line
        check_named(agent, place)
        clock.let_pass(61 * 1000000)
        code, text, _ = agent.ctl("status")
        assert code == 1 and f"1 leaver is not out of {agent.target_status()['name']} yet ({EVA.login})" in text, f"exit {code}: {text}"
        agent.stop()
    place.clear()
    return took


def one_refused(kind, what, workers, play):
    @test
    def stops_nobody(world):
        place = kind(world)
        without, with_eva = [], []
        for _ in range(ROUNDS):
            without.append(run_without(world, place, workers))
            with_eva.append(play(world, place, workers))
        ratio = min(with_eva) / min(without)  # whatever else this machine does only adds to some of them
        print(f"# {len(OTHERS)} others took {min(without):.2f} s without, {min(with_eva):.2f} s with the one refused: {ratio:.2f} times")
        assert ratio <= SLOWER_MOST, (without, with_eva)
    stops_nobody.__name__ = f"one_{what}_refused_{kind.code.split()[-1]}_stops_nobody_with_{workers}_worker{'s' if workers > 1 else ''}"


for kind_ in (Api, Proxied):
    for workers_ in (1, 4):
        one_refused(kind_, "joiner", workers_, join_refused)
        one_refused(kind_, "leaver", workers_, leave_refused)

run()
