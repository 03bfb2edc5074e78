#!/usr/bin/python3
"""Whose refusal is it? One person whom a target refuses costs the others no time, is named with the target's words, and is no silent leaver. A
target that refuses everybody is left alone for longer and longer, and all goes on by itself."""

import datetime
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import shipped_mapping
from agent_clock import clocked_agent
from bounded import SCALE, await_condition, stays
from directory import AGENT, AGENT_PASSWORD, PEOPLE, SUFFIX
from ldap_cutter import Cutter
from okta import User
from tap import run, test

EVA = User("00ueva", "eva@abroad.example.com", "Eva Stone")
OTHERS = [User(f"00uother{i}", f"other{i}@people.example.com", f"Other {i}") for i in range(399)]
ABROAD = f"ou=abroad,{SUFFIX}"
AT_ONCE = 57  # of them in one body: 399 are seven
ROUNDS = 5 if SCALE == 1 else 1  # a program under sanitizers is slow in its own way, and is not timed
ROUNDS_MOST = 3 * ROUNDS  # whatever else this machine does only adds to a round: the least of more of them says more
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
        assert line["leaver"] == "not_out" and f"access is still left after {line['attempt']} attempts" in line["reason"], line
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
        while len(without) < ROUNDS or (len(without) < ROUNDS_MOST and min(with_eva) > SLOWER_MOST * min(without)):
            without.append(run_without(world, place, workers))
            with_eva.append(play(world, place, workers))
        ratio = min(with_eva) / min(without)
        print(f"# {len(OTHERS)} others took {min(without):.2f} s without, {min(with_eva):.2f} s with the one refused: {ratio:.2f} times")
        assert ratio <= SLOWER_MOST or SCALE != 1, (without, with_eva)
    stops_nobody.__name__ = f"one_{what}_refused_{kind.code.split()[-1]}_stops_nobody_with_{workers}_worker{'s' if workers > 1 else ''}"


for kind_ in (Api, Proxied):
    for workers_ in (1, 4):
        one_refused(kind_, "joiner", workers_, join_refused)
        one_refused(kind_, "leaver", workers_, leave_refused)


# --- a target that may be read and not written

PROBE_S = 2
WATCHED_S = 5 * PROBE_S
WORK_S = 2  # for the work itself, and for seeing that it is done
LEAVERS_NAMED = 4  # each try takes a leaver first, and says so in the log
APART_S = 0.2  # requests that are closer are of one try


class LockedApi:
    """A payroll that answers its probe and every look."""

    words = "The payroll is closed for the month's end."

    def __init__(self, world):
        self.payroll = world.payroll()
        self.options = {"service": ("payroll", self.payroll), "mappings_": {"payroll.conf": shipped_mapping("payroll.conf")}}

    def lock(self):
        self.payroll.trouble(status=403, only="POST", say=self.words)

    def unlock(self):
        self.payroll.trouble()

    def count_changes(self):
        return sum(count for request, count in self.payroll.counts()["by"].items() if request.startswith("POST"))


class LockedDirectory:
    """A slapd that no longer lets the agent write."""

    words = "insufficientAccessRights 50"
    rule = f'{{0}}to dn.subtree="{PEOPLE}" by dn.exact="{AGENT}" read by * none'

    def __init__(self, world):
        self.directory = world.own_directory("--nosync")
        self.relay = world.own(Cutter(self.directory.uri, every=10 ** 9))  # which counts changes
        self.options = {"directory": self.directory, "settings": {"uri": self.relay.uri}}

    def lock(self):
        self.directory.configure("olcAccess", "MOD_ADD", self.rule)

    def unlock(self):
        self.directory.configure("olcAccess", "MOD_DELETE", self.rule)

    def count_changes(self):
        return self.relay.changes


def watch_tries(agent, place):
    """When the target was tried; it refuses all the while."""
    tries, counts = [], [place.count_changes()]

    def refuses():
        counts.append(place.count_changes())
        if counts[-1] > counts[-2]:
            now = time.monotonic()
            tries[-1:] = [now] if tries and now - tries[-1] < APART_S else tries[-1:] + [now]
        return agent.target_status()["state"] == "refusing"

    stays("the target refuses", refuses, for_s=WATCHED_S)
    return tries


def states_of(agent):
    return [line["state"] for line in agent.log() if "state" in line]


def check_refusing(agent, place, leavers):
    target = agent.target_status()
    assert target["state"] == "refusing" and place.words in target["last_error"] and target["dead"] == 0, target
    code, text, _ = agent.ctl("status")
    assert code == 1 and "refuses everybody's changes" in text and f"{len(leavers)} leavers are not out" in text, f"exit {code}: {text}"
    assert any(user.login in text for user in leavers), text
    lines = [line for line in agent.log() if line.get("leaver") == "not_out"]
    assert len({line["id"] for line in lines}) >= LEAVERS_NAMED and all(place.words in line["reason"] for line in lines), lines
    assert states_of(agent) == ["up", "refusing"], states_of(agent)


def all_done(agent, leavers, joiners):
    done = {(line["id"], line["action"]) for line in agent.log(outcome="applied")}
    return {(user.id, "disable") for user in leavers} | {(user.id, "create") for user in joiners} <= done


def may_read_only(kind):
    @test
    def tried(world):
        place = kind(world)
        leavers, joiners = OTHERS[:8], OTHERS[8:16]
        agent = world.agent(**place.options, target={**target_of(4), "probe": f"{PROBE_S} s"})
        agent.send(*[event for user in leavers for event in (okta.create(user), okta.activate(user))])
        await_condition("they are there", lambda: all_done(agent, [], leavers))
        agent.settle()
        place.lock()
        agent.send(*[okta.deactivate(user) for user in leavers], *[event for user in joiners for event in (okta.create(user), okta.activate(user))])
        await_condition("the target refuses", lambda: agent.target_status()["state"] == "refusing")
        tries = watch_tries(agent, place)
        gaps = [after - before for before, after in zip(tries, tries[1:])]
        print(f"# {len(tries)} tries in {WATCHED_S} s, " + ", ".join(f"{gap:.1f}" for gap in gaps) + " s apart")
        assert 2 <= len(gaps) and PROBE_S * 0.75 <= gaps[-1] and max(gaps) <= (PROBE_S + 0.5) * SCALE, gaps
        assert len(gaps) <= WATCHED_S / PROBE_S + 4, gaps  # three short ones, and each probe interval
        check_refusing(agent, place, leavers)
        place.unlock()
        unlocked = time.monotonic()
        await_condition("all is done, by itself", lambda: all_done(agent, leavers, joiners), 60)
        assert time.monotonic() - unlocked < (PROBE_S + WORK_S) * SCALE, time.monotonic() - unlocked
        agent.settle()
        assert agent.target_status()["dead"] == 0 and not agent.log(outcome="dead")
        assert states_of(agent) == ["up", "refusing", "up"], states_of(agent)
    tried.__name__ = f"a_{kind.__name__.replace('Locked', 'locked_').lower()}_is_tried_less_and_less_and_goes_on_by_itself"


may_read_only(LockedApi)
may_read_only(LockedDirectory)
run()
