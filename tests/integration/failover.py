#!/usr/bin/python3
"""A master and its replica: the master goes read-only, then away, and comes back, while people join, move and leave. Nothing is lost, nothing
is given up, and all is done within one probe interval, leavers first."""

import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import TARGET, connections
from bounded import SCALE, await_condition, stays
from directory import PEOPLE, Directory
from okta import User
from tap import run, test

PROBE_S = 2
WORK_S = 2  # for the work itself, and for seeing that it is done
OLD_ENOUGH_S = 3 * PROBE_S  # a refusal lasts for so long: waits have grown by then


def dn_of(user):
    return f"uid={user.login.split('@')[0]},{PEOPLE}"


# --- the pair

class Pair:
    """A provider, whose changes are noted in order, and a consumer that refers writers to it."""

    def __init__(self, world):
        self.provider = world.own_directory("--nosync", "--module", "syncprov", "--module", "auditlog", "--line", "overlay syncprov",
                                            "--line", "overlay auditlog", "--line", "auditlog @DIR@/audit.ldif")
        self.consumer = world.own(Directory(world.new_folder("consumer"), "--nosync", "--replica-of", self.provider.uri,
                                            "--line", f"updateref {self.provider.uri}"))
        self.uri = f"{self.provider.uri} {self.consumer.uri}"

    def changes(self):
        """(type, DN) of all that the provider has taken, oldest first."""
        with open(os.path.join(self.provider.folder, "audit.ldif"), encoding="utf-8") as file:
            return re.findall(r"^dn: (\S+)\nchangetype: (\w+)$", file.read(), re.MULTILINE)

    def is_seen_at_consumer(self, dn):
        return self.consumer.entry(dn) is not None


# --- people

class People:
    """Some who join, some who get another name, and some who leave, of one wave."""

    def __init__(self, wave, count=20):
        def some(what):
            return [User(f"00u{wave}{what}{i}", f"{wave}{what}{i}@example.com", f"{wave.title()} {what.title()}{i}") for i in range(count)]
        self.joiners, self.movers, self.leavers = some("joiner"), some("mover"), some("leaver")

    def known(self):
        return self.movers + self.leavers

    def turn(self, agent):
        """Leavers come last, so that they are first by their weight alone."""
        agent.send(*[event for user in self.joiners for event in (okta.create(user), okta.activate(user))])
        agent.send(*[okta.update(self.moved(user)) for user in self.movers])
        agent.send(*[okta.deactivate(user) for user in self.leavers])

    @staticmethod
    def moved(user):
        return user.renamed(login="new-" + user.login)

    def is_done(self, directory):
        people = {dn: entry for dn, entry in directory.search(PEOPLE, directory.ldap.SCOPE_ONELEVEL)}
        return (all(dn_of(user) in people for user in self.joiners)
                and all(dn_of(self.moved(user)) in people and dn_of(user) not in people for user in self.movers)
                and all(b"disabled by Provost" in people[dn_of(user)].get("description", [b""])[0] for user in self.leavers))


def start(world, workers):
    pair = Pair(world)
    agent = world.agent(directory=pair.provider, settings={"uri": pair.uri}, target={"workers": workers, "probe": f"{PROBE_S} s"})
    return pair, agent


def join(pair, agent, *waves):
    for wave in waves:
        agent.send(*[event for user in wave.known() for event in (okta.create(user), okta.activate(user))])
    agent.settle()
    for wave in waves:
        await_condition("the replica has them", lambda: all(pair.is_seen_at_consumer(dn_of(user)) for user in wave.known()))


# --- what is seen

def target_waits(agent, words):
    """It has noticed, and says so."""
    def waits():
        target = agent.target_status()
        return target["state"] in ("down", "refusing") and words in (target["last_error"] or "")
    await_condition(f"the target waits, and says {words!r}", waits)


def check_waiting(agent, leavers):
    seen = agent.target_status()
    assert seen["leavers"]["not_out"] == leavers, seen["leavers"]
    code, text, _ = agent.ctl("status")
    assert code == 1 and f"{leavers} leavers are not out of {TARGET}" in text, f"exit {code}: {text}"


def nothing_is_given_up(agent):
    return agent.target_status()["dead"] == 0 and not [line for line in agent.log() if line.get("outcome") in ("dead", "rejected", "ambiguous")]


def await_all_done(agent, directory, waves, since):
    await_condition("all is done", lambda: all(wave.is_done(directory) for wave in waves), 60)
    took_s = time.monotonic() - since
    print(f"# all was done {took_s:.1f} s after it was back")
    agent.settle()
    assert nothing_is_given_up(agent), agent.ctl("dead")[1]
    assert took_s <= (PROBE_S + WORK_S) * SCALE, f"{took_s:.1f} s; a probe interval is {PROBE_S} s, the work may take {WORK_S} s"


def check_leavers_first(changes, waves, workers):
    """One of several workers is left to the oldest work: up to the last leaver the others do more than that one."""
    leavers = {dn_of(user) for wave in waves for user in wave.leavers}
    last = max(at for at, (dn, _) in enumerate(changes) if dn in leavers)
    early = [dn for dn, _ in changes[:last] if dn not in leavers]
    print(f"# up to the last of {len(leavers)} leavers {len(early)} of {last} changes were of others")
    assert changes[0][0] in leavers, changes[0]
    assert len(early) <= (last / 2 if workers > 1 else 0), early


def check_at_first_address(pair, agent):
    """Done with the work, no session of the agent is at the replica."""
    await_condition("all sessions are at the provider", lambda: connections(agent, pair.provider) and not connections(agent, pair.consumer))


def check_steady(agent):
    """That it comes back is told when it is back, not at each try."""
    states = [line["state"] for line in agent.log() if "state" in line]
    assert states[0] == states[-1] == "up" and 3 <= len(states) <= 5, states


def a_master_away(workers):
    @test
    def and_back(world):
        pair, agent = start(world, workers)
        first, second = People("first"), People("second")
        join(pair, agent, first, second)
        pair.provider.configure("olcReadOnly", "MOD_REPLACE", "TRUE")
        before = len(pair.changes())
        first.turn(agent)
        target_waits(agent, "takes no changes now")
        stays("nothing is given up while it is read-only", lambda: nothing_is_given_up(agent), for_s=OLD_ENOUGH_S, every_s=0.2)
        check_waiting(agent, len(first.leavers))
        pair.provider.kill()
        second.turn(agent)
        target_waits(agent, "refers changes to another server")
        stays("nor while it is away", lambda: nothing_is_given_up(agent), for_s=OLD_ENOUGH_S, every_s=0.2)
        check_waiting(agent, len(first.leavers + second.leavers))
        assert len(pair.changes()) == before, "a change was made meanwhile"
        pair.provider.restart()
        back = time.monotonic()
        await_all_done(agent, pair.provider, [first, second], back)
        check_leavers_first(pair.changes()[before:], [first, second], workers)
        check_at_first_address(pair, agent)
        check_steady(agent)
    and_back.__name__ = f"a_master_read_only_then_away_then_back_loses_nothing_with_{workers}_worker{'s' if workers > 1 else ''}"


a_master_away(1)
a_master_away(4)
run()
