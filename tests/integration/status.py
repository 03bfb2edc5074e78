#!/usr/bin/python3
"""What status, waiting and check say about leavers, about work that waits, about the door and about targets that are gone: nothing is called
well that is not."""

import datetime
import os
import re
import socket
import sqlite3
import ssl
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import REFUSED_LOCK, TARGET, mappings, out_of
from agent_clock import clocked_agent
from bounded import await_condition
from certificates import EXPIRED, Authority
from directory import PEOPLE
from okta import User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")
LEAVERS = [User(f"00uleaver{i}", f"leaver{i}@example.com", f"Leaver {i}") for i in range(4)]
MINUTE_US = 60_000_000
PATIENT = {"retry": {"base": "50 ms", "most": "1 s", "attempts": 10000}}


def advice(agent, code):
    """What status tells people to look at, a line each."""
    return [line for line in out_of(agent, "status", code=code).splitlines() if line.startswith("* ")]


def the_line(lines, *words):
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, f"not one line with {words}:\n" + "\n".join(lines)
    return found[0]


def join(agent, *users):
    agent.send(*(okta.create(user) for user in users), *(okta.activate(user) for user in users))
    agent.settle()


def leave(agent, *users):
    agent.send(*(okta.deactivate(user) for user in users))
    await_condition("they are to go", lambda: agent.target_status()["leavers"]["not_out"] == len(users))


# --- what waits

@test
def while_a_target_is_down_its_leavers_are_named_with_the_reason(world):
    directory = world.own_directory()
    agent = world.agent(directory=directory)
    join(agent, *LEAVERS)
    directory.stop()
    leave(agent, *LEAVERS)
    await_condition("it is down", lambda: agent.target_status()["state"] == "down")
    line = the_line(advice(agent, 1), "4 leavers are not out", "waiting --leavers")
    assert all(user.login in line for user in LEAVERS[:3]) and "…" in line, line
    rows = agent.ctl_json("waiting", "--leavers", "-t", TARGET)
    assert [row["user"] for row in rows] == [user.login for user in LEAVERS], rows
    for row in rows:
        assert row["why"].startswith("the target is down: ") and row["next"] == "when it answers" and row["since"] and row["leaver"], row
    text = out_of(agent, "waiting", "--leavers")
    assert all(user.login in text for user in LEAVERS) and "the target is down" in text, text


@test
def a_held_target_is_why_its_work_waits_and_resume_is_what_helps(world):
    agent = world.agent()
    join(agent, ANN)
    out_of(agent, "hold", TARGET)
    leave(agent, ANN)
    agent.send(okta.create(BOB))
    await_condition("both wait", lambda: agent.target_status()["ready"] == 2)
    rows = agent.ctl_json("waiting")
    assert [row["user"] for row in rows] == [ANN.login, BOB.login], rows  # leavers first
    assert {row["why"] for row in rows} == {"the target is held"} and {row["next"] for row in rows} == {"after provostctl resume"}, rows
    assert [row["user"] for row in agent.ctl_json("waiting", "--leavers")] == [ANN.login]
    out_of(agent, "resume", TARGET)
    agent.settle()
    assert agent.ctl_json("waiting") == []
    assert "Nothing waits" in out_of(agent, "waiting") and "No leaver waits" in out_of(agent, "waiting", "--leavers")
    assert "elsewhere" in agent.ctl("waiting", "-t", "elsewhere")[2]


@test
def a_name_that_is_taken_is_not_called_well_for_an_hour(world):
    world.directory().add_person("ann", employeeNumber="another")
    with clocked_agent(world, target=PATIENT) as (clock, agent):
        agent.send(okta.create(ANN))
        await_condition("it is tried again", lambda: agent.log(id=ANN.id, outcome="retry"))
        rows = await_condition("it waits", lambda: [row for row in agent.ctl_json("waiting") if row["state"] == "waiting"])
        assert rows[0]["user"] == ANN.login and f"uid=ann,{PEOPLE}" in rows[0]["why"] and rows[0]["next"] == rows[0]["retry_at"], rows
        the_line(advice(agent, 0), "is tried again", ANN.login)
        clock.let_pass(11 * MINUTE_US)
        lines = advice(agent, 1)
        assert ANN.login in the_line(lines, "is tried again", f"waiting --target {TARGET}")
        assert not [line for line in lines if "is well" in line], lines
        world.directory().delete(f"uid=ann,{PEOPLE}")
        await_condition("she has her account", lambda: agent.log(id=ANN.id, outcome="applied"))
        assert advice(agent, 0) == ["* All is well."]


@test
def a_dead_letter_of_a_leaver_waits_for_a_person(world):
    agent = world.agent(mappings_=mappings(people=[REFUSED_LOCK]))
    join(agent, ANN)
    agent.send(okta.deactivate(ANN))
    agent.await_log(id=ANN.id, outcome="rejected")
    row, = agent.ctl_json("waiting", "--leavers")
    assert row["state"] == "dead" and row["next"] == "after provostctl retry" and "pwdAccountLockedTime" in row["why"], row


# --- targets that are gone

def rename_target(agent, new):
    agent.target = {"name": new}
    for name, text in agent.mapping_texts.items():
        agent.write_mapping(name, re.sub(r'target\s*=\s*"[^"]*"', f'target = "{new}"', text, count=1))
    agent.write_config()


def a_leaver_waits(world):
    """Ann's work waits in the held target."""
    agent = world.agent()
    join(agent, ANN)
    out_of(agent, "hold", TARGET)
    leave(agent, ANN)
    return agent


def line_of(agent, text):
    lines = agent.read("provost.conf").splitlines()
    return f"provost.conf:{1 + next(i for i, line in enumerate(lines) if text in line)}:"


@test
def a_target_that_is_renamed_while_a_leaver_waits_is_told_by_check_reload_and_status(world):
    agent = a_leaver_waits(world)
    rename_target(agent, "corp-ad")
    words = (line_of(agent, '"corp-ad"'), f'"{TARGET}" is not configured any more', '"corp-ad" is its new name', f'name = "{TARGET}";',
             "1 of them still with access", f"provostctl drop {TARGET} --leavers")
    the_line(out_of(agent, "check", code=1).splitlines(), *words)  # before it is loaded, while the agent runs
    the_line(out_of(agent, "reload").splitlines(), *words)
    assert agent.said(f'"{TARGET}" is not configured any more')
    lines = advice(agent, 1)
    the_line(lines, f"{TARGET} is not configured any more", f"drop {TARGET} --leavers")
    the_line(lines, "1 leaver is not out", ANN.login)
    row, = agent.ctl_json("waiting", "--leavers")
    assert (row["target"], row["user"], row["next"]) == (TARGET, ANN.login, "never"), row
    found = agent.ctl_json("check")
    assert not found["ok"] and found["warnings"][0]["line"] > 0 and not found["problems"], found
    agent.target = {}
    agent.write_config()
    for name, text in agent.mapping_texts.items():
        agent.write_mapping(name, text)
    out_of(agent, "reload")
    out_of(agent, "check")
    out_of(agent, "resume", TARGET)
    agent.settle()
    assert advice(agent, 0) == ["* All is well."]


@test
def a_target_that_is_renamed_while_nothing_waits_is_told_for_its_accounts(world):
    agent = world.agent()
    join(agent, ANN)
    rename_target(agent, "corp-ad")
    words = (line_of(agent, '"corp-ad"'), "known under that name alone", f'name = "{TARGET}";')
    the_line(out_of(agent, "check").splitlines(), *words)
    the_line(out_of(agent, "reload").splitlines(), *words)
    agent.send(okta.create(BOB))  # the first account under the new name: it is a target of its own
    await_condition("it has an account", lambda: agent.log(id=BOB.id, outcome="applied"))
    agent.settle()
    assert "under that name alone" not in out_of(agent, "check")


@test
def a_target_that_is_removed_keeps_status_unwell_until_its_work_is_given_up(world):
    agent = a_leaver_waits(world)
    agent.send(okta.create(BOB))
    agent.top = {"targets": ()}
    agent.write_config()
    assert f"drop {TARGET} --leavers" in the_line(out_of(agent, "reload").splitlines(), line_of(agent, "targets ="), "2 users or groups waits")
    out_of(agent, "drop", "--all")  # nothing that was not named
    assert "is not configured any more" in agent.ctl("retry", TARGET)[2] and "is not configured any more" in agent.ctl("hold", TARGET)[2]
    the_line(advice(agent, 1), f"{TARGET} is not configured any more", "2 users or groups")
    assert "--leavers" in out_of(agent, "drop", TARGET, code=1)  # Bob's
    the_line(advice(agent, 1), f"{TARGET} is not configured any more", "1 user or group")
    out_of(agent, "drop", TARGET, "--leavers")
    assert agent.ctl_json("waiting") == [] and "not configured any more" not in agent.ctl("status")[1]
    out_of(agent, "check")


@test
def check_looks_into_the_store_of_an_agent_that_does_not_run_and_leaves_no_trace(world):
    agent = a_leaver_waits(world)
    rename_target(agent, "corp-ad")
    agent.kill()  # what it did last is in the log beside the file
    assert os.path.getsize(agent.path("provost.db-wal")) > 0
    the_line(out_of(agent, "check", code=1).splitlines(), f'"{TARGET}" is not configured any more')
    agent.start()
    await_condition("a start says so, too", lambda: agent.said(f'"{TARGET}" is not configured any more'))
    agent.stop()
    before = sorted(os.listdir(agent.folder))
    the_line(out_of(agent, "check", code=1).splitlines(), f'"{TARGET}" is not configured any more')
    assert sorted(os.listdir(agent.folder)) == before


@test
def where_check_cannot_look_into_the_store_it_says_so(world):
    agent = world.agent()
    agent.stop()
    path = agent.path("provost.db")
    store = sqlite3.connect(path)
    store.execute("PRAGMA user_version = 999")
    store.close()
    assert "is not known" in the_line(out_of(agent, "check").splitlines(), "cannot be looked into", "version 999")
    agent.write("provost.db", "no database " * 100)
    assert "is not known" in the_line(out_of(agent, "check").splitlines(), path, "no database")
    os.unlink(path)
    assert "not known" not in out_of(agent, "check")  # there is none yet: nothing waits


# --- the door

def door(agent):
    return agent.status()["door"]


@test
def a_source_is_not_called_complete(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.settle()
    text = out_of(agent, "status")
    received = agent.status()["sources"][0]["last_received"]
    assert f"Source    okta: last event received at {received}" in text and "complete" not in text, text


@test
def status_is_unwell_while_what_okta_sends_is_refused(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.settle()
    assert door(agent)["last_accepted"] and not door(agent)["last_refused"]
    for secret in ("guess", None):
        assert agent.post(okta.body(okta.create(BOB)), secret=secret) == 401
    line = the_line(advice(agent, 1), "2 requests were refused since the last delivery was accepted", "wrong or no secret")
    assert door(agent)["last_accepted"] in line and door(agent)["last_refused"] in line, line
    agent.restart()  # what was accepted before is known
    assert agent.post(okta.body(okta.create(BOB)), secret="guess") == 401
    the_line(advice(agent, 1), "1 request was refused", agent.status()["sources"][0]["last_received"])
    assert agent.request("GET", headers={"X-Okta-Verification-Challenge": "abc"})[0] == 200  # "Verify" at Okta, with the right secret
    the_line(advice(agent, 0), "1 request had a wrong or no secret", "accepted after that")


def shakes_hands(agent, context):
    with socket.create_connection(("127.0.0.1", agent.port), 10) as plain, context.wrap_socket(plain, server_hostname="localhost"):
        pass


@test
def status_is_unwell_while_clients_refuse_the_certificate(world):
    agent = world.agent(tls=True)
    agent.send(okta.create(ANN))
    agent.settle()
    with socket.create_connection(("127.0.0.1", agent.port), 10) as stranger:  # a scanner says nothing of the certificate
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.recv(100)
    shakes_hands(agent, ssl.create_default_context(cafile=agent.path("tls.crt")))
    assert advice(agent, 0) == ["* All is well."]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        distrusts = ssl.create_default_context()
        distrusts.minimum_version = distrusts.maximum_version = version
        before = agent.status()["endpoint"]["tls_failed"]
        try:
            shakes_hands(agent, distrusts)
            raise AssertionError("it trusts the certificate")
        except ssl.SSLError:
            pass
        await_condition("it is noticed", lambda: agent.status()["endpoint"]["tls_failed"] == before + 1)
    the_line(advice(agent, 1), "2 requests were refused", "the TLS handshake failed")
    assert agent.said("no request came from 127.0.0.1")
    agent.send(okta.create(BOB))
    agent.settle()
    assert advice(agent, 0) == ["* All is well."]


def certified_agent(world, until):
    agent = world.agent(start=False, tls=True)
    os.rename(Authority(agent.folder).issue("server", until=until), agent.path("tls.crt"))
    os.rename(agent.path("server.key"), agent.path("tls.key"))
    return agent.start()


def in_days(days):
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(days=days, hours=1)


@test
def status_and_check_tell_how_many_days_the_certificate_has(world):
    for days, code, words in ((30, 0, None), (9, 0, "in 9 days. Renew it")):
        agent = certified_agent(world, in_days(days))
        text = out_of(agent, "status", code=code)
        assert f"{days} days left" in text, text
        told = [line for line in text.splitlines() if line.startswith("* ") and "certificate" in line]
        assert [line for line in told if words in line] if words else not told, text
        line = the_line(out_of(agent, "check", code=code).splitlines(), "certificate", f"{days} days are left")
        assert ("renew it" in line) == (words is not None), line
        agent.stop()


@test
def a_certificate_that_has_expired_makes_status_and_check_unwell(world):
    agent = certified_agent(world, EXPIRED)
    the_line(out_of(agent, "check", code=1).splitlines(), "certificate", "expired on 2021-02-03")
    the_line(advice(agent, 1), "certificate", "expired on 2021-02-03")
    assert "is well" not in out_of(agent, "status", code=1)


run()
