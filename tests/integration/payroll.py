#!/usr/bin/python3
"""From the hook's body to the payroll's employee, over a real HTTP API (tests/support/payroll.py), with the shipped mapping."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import shipped_mapping
from bounded import await_condition, stays
from okta import User
from payroll_service import TOKEN
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")


def payroll_agent(world, payroll, replace=(), **options):
    return world.agent(service=("payroll", payroll), mappings_={"payroll.conf": shipped_mapping("payroll.conf", replace)}, **options)


def start(world, *options, **more):
    payroll = world.payroll(*options)
    return payroll, payroll_agent(world, payroll, **more)


def await_employee(payroll, user, what=lambda row: True):
    found = lambda: (lambda row: row if row and what(row) else None)(payroll.employee(user))
    return await_condition(f"{user.login} on the payroll", found)


def join(payroll, agent, user):
    agent.send(okta.create(user), okta.activate(user))
    return await_employee(payroll, user)


def check_end(payroll, agent):
    """What has to hold whatever was tested."""
    assert payroll.unexpected() == [], payroll.unexpected()
    check_secrets(agent, TOKEN)


def check_secrets(agent, *secrets):
    for event in agent.all_events():
        shown = agent.ctl("show", event["event"])[1]
        assert not any(secret in shown for secret in secrets), shown
    for name in ("status.log", "stderr"):
        assert not any(secret in agent.read(name) for secret in secrets), f"a secret is in {name}"
    assert not any(secret in "".join(agent.ctl("dead")[1:]) for secret in secrets)


def today():
    return okta.moment()[:10]


# --- whose record

GUARD = ('external_id = [ "", "{id}" ]; ', "")
FORMER = User("00uold", ANN.login, "Ann Former")


def former_and_new(world, **more):
    """Somebody of ANN's address has left, and ANN is hired."""
    payroll, agent = start(world, "--not-unique", **more)
    former = payroll.hire(FORMER)
    status, said = payroll.request("POST", f"/employees/{former['id']}/terminate", {"last_working_day": "2024-01-31"})
    assert status == 200, said
    agent.send(okta.activate(ANN))
    return payroll, agent, former


def check_former(payroll, former):
    row = payroll.employee(FORMER)
    assert (row["id"], row["family"], row["status"], row["last_working_day"]) == (former["id"], "Former", "terminated", "2024-01-31"), row


@test
def a_former_employee_s_record_is_not_given_to_a_new_hire_of_the_same_address(world):
    payroll, agent, former = former_and_new(world)
    assert await_employee(payroll, ANN)["id"] != former["id"]
    agent.settle()
    check_former(payroll, former)
    check_end(payroll, agent)


@test
def without_the_guard_such_a_record_is_refused_and_both_are_named(world):
    payroll, agent, former = former_and_new(world, replace=[GUARD])
    line = agent.await_log(id=ANN.id, outcome="ambiguous")
    assert "00uold" in line["reason"] and ANN.id in line["reason"], line
    agent.settle()
    check_former(payroll, former)
    assert len(payroll.requests()) == 2, payroll.requests()
    check_end(payroll, agent)


@test
def a_list_that_does_not_show_whose_a_record_is_is_not_believed(world):
    payroll, agent = start(world, "--not-unique")
    former = payroll.hire(FORMER)
    payroll.trouble(spoil="brief")
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="ambiguous")
    assert "00uold" in line["reason"], line
    agent.settle()
    assert payroll.employee(FORMER)["version"] == former.get("version", 1) and len(payroll.employees()) == 1, payroll.employees()


# --- joiner, mover, leaver, return

@test
def a_joiner_is_on_the_payroll(world):
    payroll, agent = start(world)
    row = join(payroll, agent, ANN)
    assert (row["email"], row["given"], row["family"], row["start_date"]) == ("ann@example.com", "Ann", "Lee", today()), row
    agent.await_log(id=ANN.id, action="create", outcome="applied", account=str(row["id"]))
    agent.settle()
    sent = payroll.requests()
    assert [(r["method"], r["path"]) for r in sent] == [("POST", "/employees")], sent
    assert sent[0]["key"], "a create went out without an Idempotency-Key"
    check_end(payroll, agent)


@test
def a_staged_person_is_on_the_payroll_with_the_activation(world):
    payroll, agent = start(world)
    agent.send(okta.create(ANN))
    agent.settle()
    assert payroll.employees() == []
    agent.send(okta.activate(ANN))
    await_employee(payroll, ANN)
    check_end(payroll, agent)


@test
def a_mover_is_patched_with_the_difference_alone(world):
    payroll, agent = start(world)
    before = join(payroll, agent, ANN)
    agent.settle()
    married = ANN.renamed(name="Ann Roe")
    agent.send(okta.update(married))
    row = await_employee(payroll, ANN, lambda row: row["family"] == "Roe")
    agent.settle()
    sent = payroll.requests("PATCH")
    assert [r["body"] for r in sent] == [{"name": {"family": "Roe"}}], sent
    assert {**row, "family": "Lee", "version": before["version"]} == before, "more than the name changed"
    check_end(payroll, agent)


@test
def the_same_event_again_sends_nothing_that_changes(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    agent.settle()
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="unchanged")
    assert len(payroll.requests()) == 1, payroll.requests()
    check_end(payroll, agent)


@test
def a_leaver_is_terminated_with_the_last_working_day(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    left = okta.moment()
    agent.send(okta.deactivate(ANN, published=left))
    row = await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    assert row["last_working_day"] == left[:10], row
    agent.await_log(id=ANN.id, action="disable", outcome="applied")
    agent.settle()
    assert [r["path"] for r in payroll.requests()] == ["/employees", f"/employees/{row['id']}/terminate"]
    check_end(payroll, agent)


@test
def the_last_working_day_is_the_day_of_the_event_however_late_it_comes(world):
    payroll, agent = start(world)
    payroll.hire(ANN)
    left = okta.hours_ago(50)
    agent.send(okta.activate(ANN, published=okta.hours_ago(100)))
    agent.settle()
    agent.send(okta.deactivate(ANN, published=left))
    row = await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    assert row["last_working_day"] == left[:10], row
    check_end(payroll, agent)


@test
def who_returns_is_rehired_as_the_same_employee(world):
    payroll, agent = start(world)
    first = join(payroll, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    agent.settle()
    agent.send(okta.event("user.lifecycle.reactivate", ANN))
    row = await_employee(payroll, ANN, lambda row: row["status"] == "active")
    assert row["id"] == first["id"] and row["last_working_day"] is None, row
    agent.await_log(id=ANN.id, action="enable", outcome="applied")
    check_end(payroll, agent)


@test
def who_returns_with_a_new_name_is_rehired_and_patched(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    married = ANN.renamed("ann.roe@example.com", "Ann Roe")
    agent.send(okta.update(married))
    agent.settle()
    assert payroll.employee(ANN)["family"] == "Lee", "the record of a former employee was changed"
    agent.send(okta.event("user.lifecycle.reactivate", married))
    row = await_employee(payroll, ANN, lambda row: row["status"] == "active" and row["family"] == "Roe")
    assert row["email"] == "ann.roe@example.com", row
    check_end(payroll, agent)


@test
def a_late_activation_does_not_rehire(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    agent.settle()
    agent.send(okta.activate(ANN, published=okta.hours_ago(1)))
    agent.await_log(id=ANN.id, type="user.lifecycle.activate", outcome="superseded")
    agent.settle()
    assert payroll.employee(ANN)["status"] == "terminated"
    assert not [r for r in payroll.requests() if r["path"].endswith("/rehire")]
    check_end(payroll, agent)


@test
def who_came_and_went_before_we_were_there_is_not_paid(world):
    payroll, agent = start(world)
    agent.send(okta.create(ANN), okta.activate(ANN), okta.deactivate(ANN))
    agent.send(okta.activate(BOB))
    await_employee(payroll, BOB)
    agent.settle()
    row = payroll.employee(ANN)
    assert row is None or row["status"] == "terminated", row
    check_end(payroll, agent)


@test
def a_suspended_person_is_paid(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    agent.settle()
    agent.send(okta.suspend(ANN))
    agent.await_log(id=ANN.id, type="user.lifecycle.suspend")
    agent.settle()
    assert payroll.employee(ANN)["status"] == "active" and len(payroll.requests()) == 1
    check_end(payroll, agent)


@test
def a_deleted_person_is_removed_where_the_mapping_says_so(world):
    payroll, agent = start(world, replace=[('deleted     = "disable";', 'deleted     = "remove";')])
    join(payroll, agent, ANN)
    agent.send(okta.event("user.lifecycle.delete.completed", ANN))
    await_condition("no employee", lambda: payroll.employees() == [])
    agent.await_log(id=ANN.id, action="remove", outcome="applied")
    check_end(payroll, agent)


# --- employees who were there before

@test
def an_employee_from_before_is_adopted_not_hired_twice(world):
    payroll, agent = start(world)
    before = payroll.hire(ANN, department="Tools")
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="unchanged")
    rows = payroll.employees()
    assert [row["id"] for row in rows] == [before["id"]] and rows[0]["department"] == "Tools", rows
    assert rows[0]["start_date"] == "2020-02-01", "the start date was put right, although it is written once"
    check_end(payroll, agent)


@test
def a_stranger_is_not_adopted_when_the_api_ignores_filters(world):
    payroll, agent = start(world)
    stranger = payroll.hire(BOB)
    payroll.trouble(ignore_filters=True)
    row = join(payroll, agent, ANN)
    agent.settle()
    assert row["id"] != stranger["id"]
    assert payroll.employee(BOB)["version"] == 1, "the stranger was changed"
    check_end(payroll, agent)


@test
def two_employees_for_one_person_are_named_and_left_alone(world):
    payroll, agent = start(world, "--not-unique")
    one, two = payroll.hire(ANN), payroll.hire(ANN)
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="ambiguous")
    assert str(one["id"]) in line["reason"] and str(two["id"]) in line["reason"], line
    assert agent.target_status()["dead"] == 1 and len(payroll.employees()) == 2
    check_end(payroll, agent)


@test
def a_taken_email_is_told_with_the_payrolls_own_words(world):
    payroll, agent = start(world, target={"retry": {"base": "20 ms", "most": "50 ms", "attempts": 3}})
    payroll.hire(BOB)
    join(payroll, agent, ANN)
    agent.settle()
    agent.send(okta.update(ANN.renamed(login=BOB.login)))
    await_condition("a dead letter", lambda: agent.target_status()["dead"] == 1)
    assert "Another employee has this email." in agent.log(id=ANN.id)[-1]["reason"], agent.log(id=ANN.id)
    assert payroll.employee(ANN)["email"] == ANN.login and payroll.employee(BOB)["version"] == 1
    check_end(payroll, agent)


PUT = [('update:  { path = "/employees/{account.key}"; send = "merge_patch"; };',
        'update:  { method = "PUT"; path = "/employees/{account.key}"; send = "document"; };')]


@test
def a_put_keeps_what_the_mapping_does_not_name_and_says_what_it_saw(world):
    payroll, agent = start(world, replace=PUT + [('  department  = "{profile.department}";\n', "")])
    payroll.hire(ANN, department="Tools")
    agent.send(okta.activate(ANN), okta.update(ANN.renamed(name="Ann Roe")))
    row = await_employee(payroll, ANN, lambda row: row["family"] == "Roe")
    assert row["department"] == "Tools", row
    assert [r["if_match"] for r in payroll.requests("PUT")] == ['"v1"'], payroll.requests()
    check_end(payroll, agent)


@test
def an_employee_who_was_changed_meanwhile_is_read_again(world):
    payroll, agent = start(world, replace=PUT)
    join(payroll, agent, ANN)
    agent.settle()
    payroll.trouble(only="PUT", delay_ms=500, times=1)
    agent.send(okta.update(ANN.renamed(name="Ann Roe")))
    await_condition("the PUT is on its way", lambda: payroll.counts()["begun"] > payroll.counts()["requests"])
    number = payroll.employee(ANN)["id"]
    assert payroll.request("PATCH", f"/employees/{number}", {"department": "Sales"}, "application/merge-patch+json")[0] == 200
    row = await_employee(payroll, ANN, lambda row: row["family"] == "Roe")
    assert row["department"] == "Sales", "what somebody else wrote meanwhile is gone"
    agent.await_log(id=ANN.id, action="update", outcome="applied")
    assert [r["status"] for r in payroll.requests("PUT")] == [412, 200]
    check_end(payroll, agent)


# --- text that wants to be more than text

@test
def hostile_logins_land_in_their_place_and_nowhere_else(world):
    payroll, agent = start(world)
    victim = payroll.hire(User("victim", "victim@example.com", "Vic Tim"))
    logins = ["a&email=victim@example.com", "../../employees/1@example.com", 'x"or"1"eq"1@example.com', "a%26b@example.com", "a#b?c@example.com",
              "tab\\tquote'@example.com", "null\\u0000@example.com"]
    for number, login in enumerate(logins):
        agent.send(okta.activate(User(f"00uevil/{number}?x=1&external_id=victim", login, "Evil Name")))
    agent.settle()
    for number, login in enumerate(logins):
        row = payroll.employee(User(f"00uevil/{number}?x=1&external_id=victim", login, ""))
        assert row and row["email"] == login, (login, row, agent.log(user=login))
    row = payroll.employee(User("victim", "", ""))
    assert row["id"] == victim["id"] and row["version"] == 1, "a stranger was touched"
    check_end(payroll, agent)


# --- answers that are none

LOOK_UP = "GET /employees?external_id="  # not the probe
SHORT = {"retry": {"base": "10 ms", "most": "50 ms", "attempts": 3}}


def bad_answer(spoil, *wanted):
    """A look-up is answered with rubbish, which may be all that anybody gets: tried again, then a dead letter that says what came, in answer to what."""
    @test
    def is_a_dead_letter(world):
        payroll, agent = start(world, target=SHORT)
        payroll.trouble(only=LOOK_UP, spoil=spoil)
        agent.send(okta.activate(ANN))
        await_condition("a dead letter", lambda: agent.target_status()["dead"] == 1)
        assert len(agent.log(id=ANN.id, outcome="retry")) == 2, "it was given up at once"
        reason = agent.log(id=ANN.id)[-1]["reason"]
        for text in ("GET /employees", *wanted):
            assert text in reason, (text, reason)
        assert payroll.employees() == [] and len(reason) < 600, reason
        assert reason in agent.ctl("dead")[1] or "GET /employees" in agent.ctl("dead")[1]
        payroll.trouble()
        assert agent.ctl("retry", "payroll")[0] == 0
        await_employee(payroll, ANN)
        check_end(payroll, agent)
    is_a_dead_letter.__name__ = f"{spoil}_in_answer_to_a_look_up_is_a_dead_letter_that_says_so"


bad_answer("html", "Single sign-on")
bad_answer("echo", "no JSON")  # with the secret in it
bad_answer("invalid", "JSON")
bad_answer("wrong_type", "/items", "null")
bad_answer("empty", "JSON")
bad_answer("huge", "answer_size_max")


@test
def a_success_without_an_id_is_none_when_the_employee_is_not_there(world):
    payroll, agent = start(world)
    payroll.trouble(only="POST", pretend=True)
    agent.send(okta.activate(ANN))
    await_condition("a dead letter", lambda: agent.target_status()["dead"] == 1)
    reason = agent.log(id=ANN.id)[-1]["reason"]
    assert "POST /employees" in reason and "/id" in reason, reason
    assert payroll.employees() == []
    check_end(payroll, agent)


@test
def an_employee_whose_id_did_not_come_back_is_looked_up(world):
    payroll, agent = start(world)
    payroll.trouble(only="POST", spoil="no_id")
    row = join(payroll, agent, ANN)
    agent.await_log(id=ANN.id, action="create", outcome="applied", account=str(row["id"]))
    agent.settle()
    assert len(payroll.employees()) == 1
    check_end(payroll, agent)


@test
def a_termination_that_was_none_does_not_count(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    agent.settle()
    payroll.trouble(only="POST /employees/", pretend=True)
    agent.send(okta.deactivate(ANN))
    agent.await_log(id=ANN.id, type="user.lifecycle.deactivate")
    assert payroll.employee(ANN)["status"] == "active"
    assert not agent.log(id=ANN.id, action="disable", outcome="applied"), "told as terminated, and is not"
    payroll.trouble()
    agent.ctl("retry", "payroll")
    await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    check_end(payroll, agent)


@test
def a_lost_answer_does_not_hire_twice(world):
    payroll, agent = start(world, "--not-unique", settings={"lost_answer_wait": "100 ms"})
    payroll.trouble(lose=1.0, times=1, only="POST", ignore_keys=True)
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="retry")
    agent.await_log(id=ANN.id, outcome="unchanged")
    agent.settle()
    assert len(payroll.employees()) == 1 and payroll.counts()["lost"] == 1
    check_end(payroll, agent)


@test
def news_of_a_joiner_whose_answer_was_lost_do_not_hire_twice(world):
    payroll, agent = start(world, "--not-unique", settings={"lost_answer_wait": "1 s"})
    join(payroll, agent, BOB)
    started = time.monotonic()
    await_condition("the agent runs for longer than lost_answer_wait", lambda: time.monotonic() > started + 1.1)
    payroll.trouble(lose=1.0, late_ms=600, times=1, only="POST", ignore_keys=True)
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="retry")
    agent.send(okta.update(ANN))  # wakes the lane before the payroll is done
    agent.await_log(id=ANN.id, outcome="unchanged")
    agent.settle()
    assert len(payroll.employees()) == 2, payroll.employees()
    check_end(payroll, agent)


BY_ID = """    { path = "/employees"; query: { external_id = "{id}"; }; items = "/items"; where: { external_id = "{id}"; };
      next: { by = "cursor"; parameter = "cursor"; pointer = "/next"; }; },\n"""


@test
def a_joiner_whose_answer_was_lost_is_found_under_the_name_of_then(world):
    payroll = world.payroll("--not-unique")
    agent = payroll_agent(world, payroll, replace=[(BY_ID, "")], settings={"lost_answer_wait": "300 ms"})
    payroll.trouble(lose=1.0, times=1, only="POST", ignore_keys=True)
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="retry")
    agent.send(okta.update(ANN.renamed(login="ann.lee@example.com")))
    agent.await_log(id=ANN.id, outcome="applied")
    agent.settle()
    assert [row["email"] for row in payroll.employees()] == ["ann.lee@example.com"], payroll.employees()
    check_end(payroll, agent)


@test
def a_leaver_whose_answer_was_lost_is_found_under_the_name_of_then(world):
    payroll = world.payroll("--not-unique")
    agent = payroll_agent(world, payroll, replace=[(BY_ID, "")], settings={"lost_answer_wait": "300 ms"})
    payroll.trouble(lose=1.0, times=1, only="POST", ignore_keys=True)
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="retry")
    married = ANN.renamed(login="ann.lee@example.com")
    agent.send(okta.update(married), okta.deactivate(married))
    agent.await_log(id=ANN.id, action="disable", outcome="applied")
    agent.settle()
    assert [(row["email"], row["status"]) for row in payroll.employees()] == [(ANN.login, "terminated")], payroll.employees()
    check_end(payroll, agent)


@test
def a_slow_payroll_that_finishes_late_is_waited_for(world):
    payroll, agent = start(world, "--not-unique", settings={"lost_answer_wait": "1 s"})
    payroll.trouble(lose=1.0, late_ms=500, times=1, only="POST", ignore_keys=True)
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="unchanged")
    agent.settle()
    assert len(payroll.employees()) == 1, payroll.employees()
    check_end(payroll, agent)


# --- what was answered under an Idempotency-Key is answered again

def keys_of(sent):
    """key → the statuses that it was answered with."""
    keys = {}
    for request in sent:
        keys.setdefault(request["key"], []).append(request["status"])
    assert None not in keys, "a change went out without an Idempotency-Key"
    return keys


def replayed(name, event, status, call):
    """A read shows that the effect is not there, and the answer is known: the next attempt is another one."""
    @test
    def is_sent_under_another_key(world):
        payroll, agent = start(world)
        join(payroll, agent, ANN)
        if status == "active":
            agent.send(okta.deactivate(ANN))
            await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
        agent.settle()
        payroll.trouble(only="POST /employees/", status=500, replays=True, times=1)
        agent.send(event(ANN))
        await_employee(payroll, ANN, lambda row: row["status"] == status)
        agent.settle()
        keys = keys_of(r for r in payroll.requests("POST") if r["path"].endswith(call))
        assert list(keys.values()) == [[500], [200]], keys
        assert agent.log(id=ANN.id, outcome="applied")[-1]["attempt"] == "2", agent.log(id=ANN.id)
        check_end(payroll, agent)
    is_sent_under_another_key.__name__ = f"a_{name}_whose_failure_is_replayed_is_sent_under_another_key"


replayed("termination", okta.deactivate, "terminated", "/terminate")
replayed("rehire", okta.activate, "active", "/rehire")


@test
def a_hire_whose_failure_is_replayed_is_looked_up_and_sent_under_another_key(world):
    payroll, agent = start(world, "--not-unique", settings={"lost_answer_wait": "100 ms"})
    payroll.trouble(only="POST", status=500, replays=True, times=1)
    agent.send(okta.activate(ANN))
    await_employee(payroll, ANN)
    agent.settle()
    sent = payroll.requests()
    assert list(keys_of(sent).values()) == [[500], [201]], sent
    assert len(payroll.employees()) == 1, payroll.employees()
    check_end(payroll, agent)


@test
def a_hire_that_a_gateway_may_still_be_at_keeps_its_key(world):
    payroll, agent = start(world, "--not-unique", settings={"lost_answer_wait": "100 ms"},
                           target={"retry": {"base": "50 ms", "most": "500 ms", "attempts": 1000}})
    for status in (503, 502, 504):
        payroll.trouble(only="POST", status=status)
        if status == 503:
            agent.send(okta.activate(ANN))
        await_condition(f"answered {status}", lambda: any(r["status"] == status for r in payroll.requests("POST")))
    payroll.trouble()
    await_employee(payroll, ANN)
    agent.settle()
    keys = keys_of(payroll.requests("POST"))
    assert len(keys) == 1 and set(*keys.values()) == {503, 502, 504, 201}, keys
    check_end(payroll, agent)


# --- whose refusal is it?

@test
def one_person_who_is_refused_holds_up_nobody(world):
    payroll, agent = start(world, target={"workers": 1})
    payroll.trouble(status=403, about=ANN.id, say="This employee is managed by headquarters.")
    people = [User(f"00uo{n}", f"o{n}@example.com", f"Other {n}") for n in range(20)]
    agent.send(okta.activate(ANN))
    refused = agent.await_log(id=ANN.id, outcome="retry")
    assert "403 Forbidden" in refused["reason"] and "This employee is managed by headquarters." in refused["reason"], refused
    agent.send(*[okta.activate(user) for user in people])
    await_condition("all others are on the payroll", lambda: len(payroll.employees()) == 20)
    assert not agent.log(target="payroll", state="down"), "one person took the target down"
    payroll.trouble()
    await_employee(payroll, ANN)
    check_end(payroll, agent)


def passing(name, **trouble):
    """Whatever it is: a leaver's work does not end by a refusal that may pass."""
    @test
    def keeps_no_leaver_in(world):
        payroll, agent = start(world, settings={"circuit_failures": 0})
        join(payroll, agent, ANN)
        agent.settle()
        payroll.trouble(only="POST /employees/", **trouble)
        agent.send(okta.deactivate(ANN))
        refused = agent.await_log(id=ANN.id, action="disable", outcome="retry")
        assert refused["leaver"] == "not_out" and agent.target_status()["dead"] == 0, refused
        payroll.trouble()
        await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
        agent.settle()
        assert agent.target_status()["dead"] == 0
        check_end(payroll, agent)
    keeps_no_leaver_in.__name__ = f"{name}_keeps_no_leaver_in"


passing("a_403", status=403)
passing("a_log_in_that_is_refused_for_a_while", status=401)
passing("a_lock", status=423)
passing("a_static_server_in_the_payrolls_place", status=405)
passing("a_payment_that_is_due", status=402)
passing("a_redirect_to_a_log_in_page", status=302)
passing("a_log_in_page", pretend=True, spoil="html")
passing("an_answer_that_is_too_large", pretend=True, spoil="huge")
passing("a_success_that_did_nothing", pretend=True)


@test
def a_leaver_is_out_when_a_read_shows_it_whatever_the_answer_did(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    agent.settle()
    payroll.trouble(only="POST /employees/", spoil="stale")
    agent.send(okta.deactivate(ANN))
    agent.await_log(id=ANN.id, action="disable", outcome="applied")
    assert payroll.employee(ANN)["status"] == "terminated"
    check_end(payroll, agent)


ACTIVE = [('disabled: { pointer = "/status"; values = [ "terminated" ]; };', 'disabled: { pointer = "/active"; values = [ false ]; };')]


def spelled(kind):
    @test
    def is_understood(world):
        payroll, agent = start(world, replace=ACTIVE)
        payroll.trouble(spoil=kind)
        join(payroll, agent, ANN)
        agent.settle()
        agent.send(okta.deactivate(ANN))
        agent.await_log(id=ANN.id, action="disable", outcome="applied")
        agent.settle()
        agent.send(okta.update(ANN))  # nobody is disabled twice
        agent.settle()
        assert agent.target_status()["leavers"]["not_out"] == 0, agent.target_status()
        agent.send(okta.event("user.lifecycle.reactivate", ANN))
        agent.await_log(id=ANN.id, action="enable", outcome="applied")
        assert [r["path"].rsplit("/", 1)[-1] for r in payroll.requests("POST")] == ["employees", "terminate", "rehire"], payroll.requests("POST")
        check_end(payroll, agent)
    is_understood.__name__ = f"{kind}_is_a_boolean"


spelled("active_text")
spelled("active_number")


# --- a payroll that is away or busy

@test
def a_wish_to_wait_for_a_year_is_cut_and_told(world):
    payroll, agent = start(world)
    payroll.trouble(status=429, retry_after=31536000, times=1, only=LOOK_UP)
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="retry")
    assert "it wants a wait of 31536000 s, of which 300 s are waited" in line["reason"] and int(line["retry_in_ms"]) <= 300_000, line
    agent.send(okta.activate(BOB))
    down = agent.await_log(target="payroll", state="down")
    assert "asked for a pause" in down["reason"], down
    assert agent.log(id=BOB.id) == [], "an attempt was charged, though nothing was sent"
    check_end(payroll, agent)


@test
def a_403_with_a_wish_to_wait_is_waited_for(world):
    payroll, agent = start(world)
    payroll.trouble(status=403, retry_after=1, times=1, only=LOOK_UP)
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="retry")
    assert int(line["retry_in_ms"]) >= 1000, line
    await_employee(payroll, ANN)
    assert not agent.log(target="payroll", state="down"), "a rate limit took the target down"
    check_end(payroll, agent)

@test
def a_wrong_token_takes_the_target_down_and_the_right_one_brings_it_back(world):
    payroll = world.payroll()
    agent = payroll_agent(world, payroll, start=False, settings={"token": "env:PROVOST_TEST_TOKEN"})
    os.environ["PROVOST_TEST_TOKEN"] = "not-the-token"
    agent.start()
    agent.send(okta.activate(ANN))
    seen = await_condition("the target is down", lambda: (lambda t: t if t["state"] == "down" else None)(agent.target_status()))
    assert "401" in seen["last_error"] and seen["dead"] == 0, seen
    agent.stop()
    os.environ["PROVOST_TEST_TOKEN"] = TOKEN
    agent.start()
    await_employee(payroll, ANN)
    check_secrets(agent, TOKEN, "not-the-token")


def busy(date):
    @test
    def is_left_alone(world):
        payroll, agent = start(world)
        join(payroll, agent, BOB)
        agent.settle()
        payroll.trouble(status=429, retry_after=2, retry_after_date=date, times=1)
        agent.send(okta.activate(ANN))
        await_condition("it said 429", lambda: any(r["status"] == 429 for r in payroll.requests("GET")))
        so_far = payroll.counts()["requests"]
        stays("nothing is sent while it is to wait", lambda: payroll.counts()["requests"] == so_far, for_s=0.8)
        await_employee(payroll, ANN)
        agent.settle()
        assert agent.target_status()["dead"] == 0
        check_end(payroll, agent)
    is_left_alone.__name__ = f"a_busy_payroll_is_left_alone_{'until_the_time_that' if date else 'for_as_long_as'}_it_says"


busy(False)
busy(True)


@test
def a_storm_of_500_loses_nobody(world):
    payroll, agent = start(world, target={"retry": {"base": "50 ms", "most": "300 ms", "attempts": 1000}},
                           settings={"circuit_time": "100 ms", "lost_answer_wait": "100 ms"})
    payroll.trouble(status=500, times=30)
    people = [User(f"00us{n}", f"s{n}@example.com", f"Storm {n}") for n in range(20)]
    agent.send(*[okta.activate(user) for user in people])
    await_condition("all are on the payroll", lambda: len(payroll.employees()) == 20, 30)
    agent.settle()
    assert agent.target_status()["dead"] == 0
    check_end(payroll, agent)


@test
def a_payroll_killed_and_started_again_goes_on(world):
    payroll, agent = start(world)
    join(payroll, agent, ANN)
    payroll.kill()
    agent.send(okta.deactivate(ANN))
    await_condition("the target is down", lambda: agent.target_status()["state"] == "down")
    payroll.start()
    await_employee(payroll, ANN, lambda row: row["status"] == "terminated")
    check_end(payroll, agent)


@test
def an_expired_certificate_is_named_and_nothing_is_sent(world):
    directory = world.own_directory("--tls", "--nosync")  # made for its certificates
    tls = os.path.join(directory.folder, "tls")
    payroll = world.payroll("--tls", os.path.join(tls, "expired.pem"), os.path.join(tls, "expired.key"))
    agent = payroll_agent(world, payroll, settings={"ca_file": directory.ca_file})
    agent.send(okta.activate(ANN))
    seen = await_condition("the target is down", lambda: (lambda t: t if t["state"] == "down" else None)(agent.target_status()))
    assert "expired" in seen["last_error"] and "2021" in seen["last_error"], seen["last_error"]
    assert payroll.counts()["requests"] == 0
    payroll.stop()
    payroll.options = ("--tls", os.path.join(tls, "good.pem"), os.path.join(tls, "good.key"))
    payroll.start()
    await_employee(payroll, ANN)
    check_end(payroll, agent)


run()
