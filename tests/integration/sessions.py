#!/usr/bin/python3
"""Sessions are ended: when, whose, once more, whatever the order of events and whatever dies in between.

The applications' store is a folder (folder_sessions.c), so that the agent's part is seen alone.
"""

import itertools
import json
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from bounded import await_condition, stays
from okta import User, hours_ago
from portal import MAPPING, Portal, portal_agent
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
ANNA = User("00uanna", "anna@example.com", "Anna Lee")
SHORT = 'request_timeout = "1 s";'


def session_event(kind, user, session, **options):
    """As Okta reports a session: its user is the actor."""
    event = okta.event(kind, **options)
    event["actor"] = {**user.target(), "id": user.id}
    event["authenticationContext"]["externalSessionId"] = session
    return event


def started(user, session, **options):
    return session_event("user.session.start", user, session, **options)


def ended(user, session, **options):
    return session_event("user.session.end", user, session, **options)


def report(user, **options):
    return session_event("user.account.report_suspicious_activity_by_enduser", user, "idx1", **options)


def await_sweeps(portal, count, within_s=15, **wanted):
    return await_condition(f"{count} sweeps with {wanted}", lambda: len(portal.asked(**wanted)) >= count and portal.asked(**wanted), within_s)


# --- sweeps

@test
def a_leaver_loses_all_sessions_and_others_keep_theirs(world):
    portal, agent = portal_agent(world, SHORT)
    portal.open("a1", ANN.login)
    portal.open("a2", ANN.login, dated=False)
    portal.open("b1", ANNA.login)
    agent.send(okta.deactivate(ANN))
    line = agent.await_log(target="portal", action="revoke", sweep="1")
    assert portal.sessions() == {"b1"}
    assert line["outcome"] == "applied" and line["sessions_found"] == "2" and line["sessions_ended"] == "2", line
    assert line["user"] == ANN.login and line["account"] == ANN.login and int(line["revoke_ms"]) < 5000, line
    portal.open("a1", ANN.login, created=0)  # a request in flight writes it back
    line = agent.await_log(target="portal", action="revoke", sweep="2")
    assert portal.sessions() == {"b1"} and line["sessions_ended"] == "1" and "revoke_ms" not in line, line
    agent.settle()
    assert agent.target_status()["due"] == 0
    stays("two sweeps are enough", lambda: len(portal.asked()) == 2)


@test
def a_session_opened_after_the_event_is_left_alone(world):
    portal, agent = portal_agent(world, SHORT)
    portal.open("old", ANN.login, created=1)
    portal.open("new", ANN.login, created=4000000000)
    agent.send(report(ANN))
    await_sweeps(portal, 2)
    agent.settle()
    assert portal.sessions() == {"new"}


@test
def a_leave_target_does_not_hear_of_a_logout_and_a_single_logout_target_does(world):
    leave, single = Portal(world.new_folder("leave")), Portal(world.new_folder("single"))
    texts = {"leave.conf": MAPPING.replace('"portal"', '"leave"'), "single.conf": MAPPING.replace('"portal"', '"single"') + 'sign_out = "all";'}
    agent = world.agent(directory=None, mappings_=texts,
                        top={"targets": (leave.target("leave", "leave.conf"), single.target("single", "single.conf"))})
    for portal in (leave, single):
        portal.open("a1", ANN.login)
    agent.send(ended(ANN, "idx1"))
    agent.await_log(target="single", action="revoke", outcome="applied")
    assert leave.asked() == [] and leave.sessions() == {"a1"} and single.sessions() == set()
    agent.send(okta.event("user.session.clear", ANN))
    agent.await_log(target="leave", action="revoke", outcome="applied")


@test
def a_renamed_persons_sessions_are_found_under_both_names(world):
    portal, agent = portal_agent(world, SHORT)
    agent.send(okta.activate(ANN))
    agent.settle()
    roe = ANN.renamed(login="roe@example.com")
    agent.send(okta.update(roe))
    agent.settle()
    portal.open("a1", ANN.login)
    portal.open("a2", roe.login)
    agent.send(okta.deactivate(roe))
    agent.await_log(action="revoke", sessions_ended="2")
    assert portal.sessions() == set()


# --- old events

@test
def who_was_activated_again_is_not_logged_out_by_an_old_event(world):
    portal, agent = portal_agent(world, SHORT)
    portal.open("undated", ANN.login, dated=False)
    portal.open("old", ANN.login, created=1)
    portal.open("new", ANN.login)
    agent.send(okta.activate(ANN))
    before = hours_ago(2)
    agent.send(okta.deactivate(ANN, published=before))
    await_sweeps(portal, 2, dated_only=True)
    agent.settle()
    assert portal.sessions() == {"undated", "new"}
    agent.send(okta.deactivate(ANN, published=before))  # once more, as another event
    agent.settle()
    stays("it was swept", lambda: len(portal.asked()) == 2)


# --- what dies in between

def killed(world, faults, sweeps):
    portal, agent = portal_agent(world, SHORT, faults=faults)
    portal.open("a1", ANN.login)
    agent.post(okta.body(okta.deactivate(ANN)))
    agent.wait()
    agent.faults = None
    agent.start()
    await_sweeps(portal, 1, sweep=2)
    agent.settle()
    assert [sweep["sweep"] for sweep in portal.asked()] == sweeps, portal.asked()
    assert portal.sessions() == set() and agent.target_status()["due"] == 0


@test
def killed_between_the_sweep_and_its_receipt_it_sweeps_again(world):
    killed(world, "deliver.applied=kill", [1, 1, 2])


@test
def killed_between_the_sweeps_the_second_is_made(world):
    portal, agent = portal_agent(world, 'request_timeout = "2 s";')
    agent.send(okta.deactivate(ANN))
    agent.await_log(action="revoke", sweep="1")
    portal.open("late", ANN.login, created=1)
    agent.kill()
    agent.start()
    await_sweeps(portal, 1, sweep=2)
    agent.settle()
    assert [sweep["sweep"] for sweep in portal.asked()] == [1, 2] and portal.sessions() == set()


@test
def a_leaver_is_not_given_up_when_the_attempts_are_used_up(world):
    portal, agent = portal_agent(world, SHORT, target={"retry": {"attempts": 2, "base": "20 ms", "most": "200 ms"}})
    portal.open("a1", ANN.login)
    portal.fail("retry")
    agent.send(okta.deactivate(ANN))
    agent.await_log(action="revoke", leaver="not_out", level="error")
    assert agent.target_status()["dead"] == 0 and portal.sessions() == {"a1"}
    portal.fail(None)
    agent.await_log(action="revoke", outcome="applied", sweep="1")
    assert portal.sessions() == set()


@test
def a_store_that_was_down_is_swept_when_it_is_back(world):
    portal, agent = portal_agent(world, SHORT)
    portal.open("a1", ANN.login)
    portal.fail("down")
    agent.send(okta.deactivate(ANN))
    agent.await_log(target="portal", state="down")
    portal.fail(None)
    agent.await_log(action="revoke", outcome="applied", sweep="1")
    assert portal.sessions() == set()


# --- markers

MARKED = SHORT + 'sign_out = "all"; deny = true; mirror: { expires = "12 h"; };'


@test
def one_of_two_sessions_ending_is_no_sign_out(world):
    portal, agent = portal_agent(world, MARKED)
    agent.send(started(ANN, "idxA"), started(ANN, "idxB"))
    await_condition("a mirrored sign-in", lambda: portal.marks(ANN.login).get("signed_in"))
    agent.send(ended(ANN, "idxA"))
    agent.settle()
    first = portal.marks(ANN.login)["signed_in"]
    assert first["since"] < first["expires"], first
    agent.send(ended(ANN, "idxB"))
    await_condition("no sign-in", lambda: portal.marks(ANN.login) == {})


@test
def a_leaver_is_denied_until_activated_again(world):
    portal, agent = portal_agent(world, MARKED)
    agent.send(started(ANN, "idxA"))
    await_condition("a mirrored sign-in", lambda: portal.marks(ANN.login).get("signed_in"))
    agent.send(okta.suspend(ANN))
    await_condition("denied", lambda: portal.marks(ANN.login) == {"denied": True})
    agent.send(okta.unsuspend(ANN))
    await_condition("not denied", lambda: portal.marks(ANN.login) == {})


@test
def any_order_of_the_same_events_ends_alike(world):
    """Orders of one story, each by a person of its own; some arrive twice."""
    chance = random.Random(4)
    portal, agent = portal_agent(world, MARKED)
    seen, people = {}, []

    def story(user):
        return [started(user, "s1" + user.id, published=base[0]), okta.deactivate(user, published=base[1]),
                okta.activate(user, published=base[2]), started(user, "s2" + user.id, published=base[3]),
                started(user, "s3" + user.id, published=base[4]), ended(user, "s2" + user.id, published=base[5])]

    base = [hours_ago(2, 10 * i) for i in range(6)]
    orders = list(itertools.permutations(range(6)))
    for number, order in enumerate([tuple(range(6))] + chance.sample(orders, 60)):
        user = User(f"00u{number}", f"p{number}@example.com", f"P {number}")
        people.append(user)
        events = [story(user)[i] for i in order]
        events += chance.sample(events, 3)
        split = chance.randrange(1, len(events))
        agent.send(*events[:split])
        agent.send(*events[split:])
    agent.settle()
    await_condition("no second sweep is due", lambda: agent.target_status()["due"] == 0, 30)
    agent.settle()
    for user in people:
        shown = agent.ctl_json("show", user.id)
        progress = shown["links"][0]["values"]
        seen.setdefault(json.dumps([portal.marks(user.login), progress.get("done_us")], sort_keys=True), []).append(user.id)
    assert len(seen) == 1, seen
    marks = portal.marks(people[0].login)
    assert marks["signed_in"]["since"] == base[4] and "denied" not in marks, marks


# --- offline

@test
def try_and_test_show_what_would_be_ended(world):
    _, agent = portal_agent(world, MARKED, start=False)
    agent.write("leaver.json", okta.body(okta.deactivate(ANN)).decode())
    code, out, err = agent.ctl("try", agent.path("mappings/portal.conf"), agent.path("leaver.json"))
    assert code == 0 and "revoke ann@example.com" in out and "sweep 1" in out and "denied" in out, out + err
    agent.write("mappings/portal.test.conf", """mapping = "portal.conf"; tests: (
        { name = "a leaver"; events = "file:../leaver.json"; expect: { action = "update, revoke"; sessions: { user = "ann@example.com"; };
          account: { denied = true; }; }; },
        { name = "a sign-in"; identity: { id = "1"; login = "ann@example.com"; status = "ACTIVE"; signed_in: { s1 = "2026-01-01T00:00:00Z"; }; };
          expect: { action = "update"; account: { signed_in: { since = "2026-01-01T00:00:00.000Z"; expires = "2026-01-01T12:00:00.000Z"; }; }; }; },
        { name = "void"; identity: { id = "1"; login = "ann@example.com"; sessions_void: { clear = "2026-01-01T00:00:00Z"; }; };
          expect: { action = "revoke"; sessions: { user = "anna@example.com"; }; }; } );""")
    code, out, err = agent.ctl("test", agent.path("mappings/portal.test.conf"))
    assert code == 1 and "2 passed, 1 failed" in out and "anna@example.com" in out, out + err


run()
