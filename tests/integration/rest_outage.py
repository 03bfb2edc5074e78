#!/usr/bin/python3
"""A payroll that is away, fails in storms, asks for patience or loses its answers: nobody is lost, nobody is made twice, no leaver is forgotten."""

import datetime
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import shipped_mapping
from bounded import await_condition, stays
from load import Load
from okta import User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")


def start(world, target=None, settings=None, faults=None):
    """A payroll and an agent on it whose circuit does not stand in the way of what is tested."""
    payroll = world.payroll()
    agent = world.agent(service=("payroll", payroll), mappings_={"payroll.conf": shipped_mapping("payroll.conf")}, faults=faults,
                        target=target or {}, settings={"circuit_failures": 0, "lost_answer_wait": "100 ms", "probe": "/employees?limit=1", **(settings or {})})
    return payroll, agent


def await_employees(payroll, users, within_s=60):
    wanted = {user.id for user in users}
    await_condition(f"{len(wanted)} employees", lambda: wanted <= {row["external_id"] for row in payroll.employees()}, within_s)
    ids = [row["external_id"] for row in payroll.employees()]
    assert len(ids) == len(set(ids)), "somebody is on the payroll twice"


def await_employee(payroll, user, status):
    return await_condition(f"{user.login} is {status}", lambda: (lambda row: row if row and row["status"] == status else None)(payroll.employee(user)))


def await_state(agent, state):
    return await_condition(f"the target is {state}", lambda: (lambda t: t if t["state"] == state else None)(agent.target_status()))


def join(payroll, agent, user=ANN):
    agent.send(okta.create(user), okta.activate(user))
    await_employee(payroll, user, "active")
    agent.settle()


def check_end(payroll, agent):
    agent.settle(60)
    status = agent.target_status()
    assert status["dead"] == 0 and status["leavers"]["not_out"] == 0, status
    assert payroll.unexpected() == [], payroll.unexpected()


def time_of(line):
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00"))


@test
def a_payroll_killed_and_restarted_under_load_loses_nobody(world):
    payroll, agent = start(world)
    load = Load(agent, "out", threads=2).start()
    for _ in range(2):
        so_far = load.count()
        await_condition("load goes on", lambda: load.count() > so_far + 40)
        payroll.kill()
        seen = await_state(agent, "down")
        assert f"127.0.0.1:{payroll.port}" in seen["last_error"], seen["last_error"]
        so_far = load.count()
        await_condition("events are taken while the target is down", lambda: load.count() > so_far + 20)
        payroll.start()
        await_state(agent, "up")
    load.stop()
    await_employees(payroll, load.users)
    check_end(payroll, agent)


@test
def a_storm_of_failures_loses_nobody(world):
    payroll, agent = start(world, target={"retry": {"base": "20 ms", "most": "200 ms", "attempts": 1000}})
    users = [User(f"00ustorm{i}", f"storm{i}@example.com", f"Storm {i}") for i in range(40)]
    payroll.trouble(status=503)
    for user in users:
        agent.send(okta.create(user), okta.activate(user))
    await_condition("many attempts failed", lambda: len(agent.log(outcome="retry")) >= 100 or agent.log(target="payroll", state="down"))
    assert payroll.employees() == []
    payroll.trouble()
    await_employees(payroll, users)
    check_end(payroll, agent)


@test
def a_payroll_that_refuses_all_changes_while_its_probe_is_well_loses_nobody(world):
    payroll, agent = start(world, target={"retry": {"base": "20 ms", "most": "200 ms", "attempts": 1000}})
    join(payroll, agent)
    users = [User(f"00uall{i}", f"all{i}@example.com", f"All {i}") for i in range(10)]
    payroll.trouble(status=403, only="POST", say="The payroll is closed for the month's end.")
    agent.send(okta.deactivate(ANN), *[event for user in users for event in (okta.create(user), okta.activate(user))])
    said = agent.await_log(id=ANN.id, outcome="retry")
    assert "The payroll is closed for the month's end." in said["reason"] and said["leaver"] == "not_out", said
    await_condition("it refused several", lambda: len([r for r in payroll.requests("POST") if r["status"] == 403]) >= 3)
    payroll.trouble()
    await_employee(payroll, ANN, "terminated")
    await_employees(payroll, users)
    check_end(payroll, agent)


@test
def a_target_whose_circuit_opened_is_told_and_tried_again(world):
    payroll, agent = start(world, settings={"circuit_failures": 3, "circuit_time": "300 ms"})
    payroll.trouble(status=500)
    users = [User(f"00uopen{i}", f"open{i}@example.com", f"Open {i}") for i in range(10)]
    for user in users:
        agent.send(okta.create(user), okta.activate(user))
    line = agent.await_log(target="payroll", state="down")
    assert "500" in line["reason"], line
    assert "500" in agent.target_status()["last_error"], agent.target_status()
    payroll.trouble()
    await_employees(payroll, users)
    check_end(payroll, agent)


@test
def a_long_outage_is_over_with_the_first_probe_that_is_answered(world):
    payroll, agent = start(world, settings={"circuit_failures": 2, "circuit_time": "1 hour"})
    payroll.kill()
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.await_log(target="payroll", state="down")
    await_condition("the circuit has seen more failures than it bears", lambda: "refused" in agent.target_status()["last_error"])
    stays("it is down for a while", lambda: agent.target_status()["state"] == "down", for_s=1)
    payroll.start()
    await_employees(payroll, [ANN])
    check_end(payroll, agent)


@test
def a_wish_for_patience_is_honoured(world):
    payroll, agent = start(world)
    payroll.trouble(status=429, retry_after=2, only="POST /employees", times=1)
    agent.send(okta.create(ANN), okta.activate(ANN))
    refused = agent.await_log(id=ANN.id, outcome="retry")
    assert 1900 <= int(refused["retry_in_ms"]) <= 10000, refused
    made = agent.await_log(id=ANN.id, outcome="applied")
    assert (time_of(made) - time_of(refused)).total_seconds() >= 1.8, (refused, made)
    check_end(payroll, agent)


@test
def a_maintenance_that_outlasts_all_attempts_makes_no_dead_letter(world):
    payroll, agent = start(world, target={"workers": 1, "retry": {"base": "10 ms", "most": "20 ms", "attempts": 3}})
    join(payroll, agent)
    payroll.trouble(status=503, retry_after=2, say="Back at noon.")
    users = [User(f"00uwait{i}", f"wait{i}@example.com", f"Wait {i}") for i in range(10)]
    agent.send(*[event for user in users for event in (okta.create(user), okta.activate(user))])
    refused = lambda: len([r for r in payroll.requests("GET") if r["status"] == 503])
    await_condition("somebody met it", lambda: refused() >= 1)
    agent.send(okta.deactivate(ANN))
    await_condition("it was asked five times, two seconds apart", lambda: refused() >= 5 or agent.target_status()["dead"] > 0)
    status = agent.target_status()
    assert status["dead"] == 0 and status["leavers"]["not_out"] == 1, status
    assert len(agent.log(outcome="retry")) == 1, "a lane was charged though nothing was sent"
    before = len(payroll.requests("POST"))
    payroll.trouble()
    await_employees(payroll, users)
    await_employee(payroll, ANN, "terminated")
    first = payroll.requests("POST")[before]
    assert first["path"].endswith("/terminate"), ("the leaver did not go first", first)
    check_end(payroll, agent)


def no_changes_for_a_while(workers):
    def makes_no_dead_letter(world):
        payroll, agent = start(world, target={"workers": workers, "retry": {"base": "10 ms", "most": "20 ms", "attempts": 4}})
        join(payroll, agent)
        payroll.trouble(status=503, retry_after=2, only="POST")
        users = [User(f"00uread{i}", f"read{i}@example.com", f"Read {i}") for i in range(4)]
        agent.send(*[event for user in users for event in (okta.create(user), okta.activate(user))])
        agent.await_log(target="payroll", state="refusing")
        refused = lambda: len([r for r in payroll.requests("POST") if r["status"] == 503])
        so_far = refused()
        await_condition("it refused five more, two seconds apart", lambda: refused() >= so_far + 5)
        assert agent.target_status()["dead"] == 0 and all(int(line["attempt"]) <= 2 for line in agent.log(outcome="retry")), agent.log(outcome="retry")
        payroll.trouble()
        await_employees(payroll, users)
        check_end(payroll, agent)
    makes_no_dead_letter.__name__ = f"a_payroll_that_takes_no_changes_and_says_when_makes_no_dead_letter_with_{workers}_workers"
    test(makes_no_dead_letter)


no_changes_for_a_while(1)
no_changes_for_a_while(4)


@test
def a_leaver_of_a_target_that_is_down_is_told_and_out_when_it_is_back(world):
    payroll, agent = start(world)
    join(payroll, agent)
    payroll.kill()
    agent.send(okta.deactivate(ANN))
    await_state(agent, "down")
    leavers = agent.target_status()["leavers"]
    assert leavers["not_out"] == 1 and leavers["since"], leavers
    assert "1 leaver is not out of payroll" in agent.ctl("status")[1]
    agent.restart()
    assert agent.target_status()["leavers"]["not_out"] == 1
    payroll.start()
    await_employee(payroll, ANN, "terminated")
    check_end(payroll, agent)


@test
def a_leaver_is_not_given_up_when_the_attempts_are_used_up(world):
    payroll, agent = start(world, target={"retry": {"base": "10 ms", "most": "50 ms", "attempts": 2}})
    join(payroll, agent)
    payroll.trouble(status=503, only="POST")
    agent.send(okta.deactivate(ANN))
    line = await_condition("the fourth failure", lambda: agent.log(id=ANN.id, outcome="retry", attempt="4"))[0]
    assert line["level"] == "error" and line["leaver"] == "not_out" and line["action"] == "disable", line
    assert "access is still left after 4 attempts" in line["reason"] and "503" in line["reason"], line
    assert agent.target_status()["dead"] == 0
    payroll.trouble()
    await_employee(payroll, ANN, "terminated")
    check_end(payroll, agent)


@test
def a_joiner_whose_attempts_are_used_up_is_a_dead_letter_with_the_services_words(world):
    payroll, agent = start(world, target={"retry": {"base": "10 ms", "most": "50 ms", "attempts": 2}})
    payroll.trouble(status=503, only="POST")
    agent.send(okta.create(ANN), okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="dead")
    assert "gave up after 2 attempts" in line["reason"] and "503" in line["reason"] and "leaver" not in line, line
    payroll.trouble()
    assert agent.ctl("retry", "payroll")[0] == 0
    await_employee(payroll, ANN, "active")
    keys = {r["key"] for r in payroll.requests("POST")}
    assert len(keys) == 1, f"the end of the first attempts was not known, so all go under one key: {keys}"
    check_end(payroll, agent)


def killed(world, point):
    payroll, agent = start(world, faults=f"{point}=kill")
    agent.send(okta.create(ANN), okta.activate(ANN))
    agent.wait()
    agent.faults = None
    agent.start()
    await_employee(payroll, ANN, "active")
    agent.settle()
    assert len(payroll.employees()) == 1, payroll.employees()
    check_end(payroll, agent)
    return payroll.requests("POST")


@test
def killed_between_the_key_and_the_create_makes_one_employee(world):
    sent = killed(world, "deliver.intended")
    assert len(sent) == 1 and sent[0]["key"], sent


@test
def killed_between_the_create_and_its_receipt_makes_one_employee(world):
    sent = killed(world, "deliver.applied")
    assert len(sent) == 1, sent


if __name__ == "__main__":
    run()
