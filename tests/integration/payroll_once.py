#!/usr/bin/python3
"""Everybody is on the payroll once, although a fifth of its answers are lost after the change was made, and both it and
provostd are killed (SIGKILL) at random moments. The payroll lets doubles in, so that they would be seen."""

import collections
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import shipped_mapping
from bounded import await_condition
from load import Load
from okta import User
from tap import run, test

CREATES = int(os.environ.get("PROVOST_ONCE", "150"))
SEED = int(os.environ.get("PROVOST_SEED", "0"))
EVERY = 25  # creates between two kills, about


ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")


def start(world, settings=None, **trouble):
    payroll = world.payroll("--not-unique", "--trouble", '{"lose": 0.2%s}' % "".join(f', "{name}": true' for name in trouble))
    agent = world.agent(service=("payroll", payroll), mappings_={"payroll.conf": shipped_mapping("payroll.conf")},
                        target={"retry": {"base": "50 ms", "most": "500 ms", "attempts": 1000}, "workers": 8},
                        settings={"lost_answer_wait": "300 ms", "circuit_time": "200 ms", **(settings or {})})
    return payroll, agent


class Killer:
    """Kills one or the other, and counts what was lost before: a run without trouble would prove nothing."""

    def __init__(self, seed, payroll, agent):
        self.chance = random.Random(SEED + seed)
        self.payroll, self.agent = payroll, agent
        self.kills, self.lost = collections.Counter(), 0

    def kill(self, who=None):
        who = who or self.chance.choice(["agent", "payroll"])
        self.kills[who] += 1
        if who == "agent":
            self.agent.kill()
            self.agent.start()
        else:
            self.lost += self.payroll.counts()["lost"]
            self.payroll.kill()
            self.payroll.start()


def check_once(payroll, users, status):
    await_condition(f"{len(users)} employees, all {status}", lambda: len({row["external_id"] for row in payroll.employees()
                                                                         if row["status"] == status}) == len(users), 60 + CREATES / 5)
    rows = payroll.employees()
    twice = [who for who, count in collections.Counter(row["external_id"] for row in rows).items() if count > 1]
    assert not twice, f"{len(twice)} of {len(users)} are on the payroll more than once: {twice[:5]}"
    assert {row["external_id"] for row in rows} == {user.id for user in users}


def play(world, most, seed, **trouble):
    payroll, agent = start(world, **trouble)
    killer = Killer(seed, payroll, agent)
    load = Load(agent, "once", most=most).start()
    hired = lambda: len(payroll.employees())
    while hired() < most:
        enough = min(most, hired() + killer.chance.randrange(1, 2 * EVERY))
        await_condition("more are hired", lambda: hired() >= enough, 60)
        killer.kill()
    load.stop()
    for who in ("agent", "payroll"):
        killer.kill(who)
    agent.settle(60 + CREATES / 5)
    check_once(payroll, load.users, "active")
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]
    killer.lost += payroll.counts()["lost"]
    assert killer.lost >= most // 20, f"only {killer.lost} answers were lost"
    print(f"# {most} hired, {killer.lost} answers lost, killed: {dict(killer.kills)}")
    return payroll, agent, load.users


@test
def hired_once_where_the_payroll_keeps_idempotency_keys(world):
    payroll, _, _ = play(world, CREATES - CREATES // 2, 7)
    assert payroll.unexpected() == []


@test
def hired_once_where_the_payroll_ignores_idempotency_keys(world):
    payroll, _, _ = play(world, CREATES // 2, 8, ignore_keys=True)
    assert payroll.unexpected() == []


@test
def terminated_and_rehired_once_although_answers_are_lost(world):
    most = max(10, CREATES // 10)
    payroll, agent, users = play(world, most, 9)
    for what, status in ((okta.deactivate, "terminated"), (okta.activate, "active")):
        agent.send(*[what(user) for user in users])
        Killer(9, payroll, agent).kill()
        check_once(payroll, users, status)
    agent.settle(60)
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]
    assert payroll.unexpected() == []


def at_point(name):
    @test
    def hired_once(world):
        payroll, agent = start(world, ignore_keys=True)
        agent.stop()
        agent.faults = f"{name}=kill@3"
        agent.start()
        load = Load(agent, "point", threads=2, most=12).start()
        agent.wait(30)
        agent.faults = None
        agent.start()
        load.stop()
        agent.settle(60)
        check_once(payroll, load.users, "active")
    hired_once.__name__ = f"killed_at_{name.replace('.', '_')}_everybody_is_hired_once"


at_point("deliver.intended")
at_point("deliver.applied")


@test
def every_attempt_sends_the_same_key_even_after_a_crash(world):
    payroll, agent = start(world)
    payroll.trouble(only="POST", status=503)
    agent.send(okta.activate(ANN))
    posts = lambda: payroll.requests("POST")
    await_condition("two attempts", lambda: len(posts()) >= 2)
    agent.kill()
    so_far = len(posts())
    agent.start()
    await_condition("another attempt", lambda: len(posts()) > so_far)
    payroll.trouble()
    await_condition("hired", lambda: payroll.employee(ANN))
    keys = {post["key"] for post in posts()}
    assert len(keys) == 1 and None not in keys, keys


@test
def another_persons_create_has_another_key(world):
    payroll, agent = start(world)
    payroll.trouble()
    agent.send(okta.activate(ANN), okta.activate(BOB))
    agent.settle()
    keys = [post["key"] for post in payroll.requests("POST")]
    assert len(keys) == 2 and len(set(keys)) == 2, keys


def killed_while_slow(ignored):
    @test
    def hires_once(world):
        payroll, agent = start(world, settings={"lost_answer_wait": "1500 ms"})
        payroll.trouble(only="POST", times=1, delay_ms=700, ignore_keys=ignored)
        agent.send(okta.activate(ANN))
        await_condition("it was sent", lambda: payroll.counts()["begun"] > payroll.counts()["requests"])
        agent.kill()
        agent.start()
        await_condition("hired", payroll.employees)
        agent.settle()
        await_condition("the first request came to its end, too", lambda: payroll.counts()["begun"] == payroll.counts()["requests"])
        assert len(payroll.employees()) == 1, payroll.employees()
    hires_once.__name__ = f"killed_while_the_payroll_is_slow_hires_once{'_where_keys_are_ignored' if ignored else ''}"


killed_while_slow(False)
killed_while_slow(True)

run()
