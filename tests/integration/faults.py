#!/usr/bin/python3
"""What goes wrong around the agent: the disk, the clock, the directory, the line to it, the limit of open files. The answer is honest,
the log says what to do, and all is well again by itself once the fault has passed."""

import collections
import contextlib
import http.client
import os
import resource
import signal
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import mappings, shipped_mapping
from agent_clock import clocked_agent
from bounded import await_condition, stays
from directory import PEOPLE
from ldap_cutter import Cutter
from load import Load
from okta import User
from store_check import check_store
from tap import Skip, run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")
HOUR_US = 3600 * 1000000
DAY_US = 24 * HOUR_US


def check_end(world, agent, load):
    """Everything accepted is done, nobody is there twice."""
    load.stop()
    agent.settle(60)
    check_people(world.directory() if agent.directory is None else agent.directory, load.users)
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]
    states = check_store(agent.path("provost.db") if "store" not in agent.top else agent.top["store"], load.accepted)
    assert states["pending"] == states["dead"] == 0, states


def check_people(directory, users):
    owners = collections.Counter(entry["employeeNumber"][0].decode() for _, entry in directory.search(PEOPLE, directory.ldap.SCOPE_ONELEVEL))
    assert owners == collections.Counter(user.id for user in users), owners


def is_served(agent):
    try:
        return agent.request("GET", timeout_s=1)[0] > 0
    except (OSError, http.client.HTTPException):
        return False


def await_refusals(agent, load, word):
    """Requests are refused and the log says why; what was accepted is counted no further."""
    await_condition("events are refused with 503", lambda: agent.status()["endpoint"]["unavailable"] > 5, 30)
    await_condition(f"the log says {word!r}", lambda: agent.said(word))
    so_far = load.count()
    stays("nothing is accepted", lambda: load.count() == so_far, 0.3)


def await_acceptance(load):
    so_far = load.count()
    await_condition("events are accepted again", lambda: load.count() > so_far + 20, 30)


# --- the disk

@contextlib.contextmanager
def small_disk(world, size):
    """A tmpfs of our own, unmounted when its agents have ended."""
    folder = world.new_folder("disk")
    os.makedirs(folder)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"mounting a small tmpfs needs root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        for agent in world._agents:
            agent.end()
        subprocess.run(["umount", folder], check=True)


@test
def a_full_disk_refuses_events_and_takes_them_when_there_is_room(world):
    with small_disk(world, "6m") as folder:
        agent = world.agent(top={"store": os.path.join(folder, "provost.db")})
        load = Load(agent, "full").start()
        await_acceptance(load)
        ballast = os.path.join(folder, "ballast")
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        await_refusals(agent, load, "free some space")
        assert agent.target_status()["state"] == "up" and agent.status()["store"]["last_error"], agent.status()["store"]
        os.unlink(ballast)
        await_acceptance(load)
        check_end(world, agent, load)


@test
def a_read_only_disk_is_told_at_the_start_and_work_goes_on_once_it_is_writable(world):
    with small_disk(world, "32m") as folder:
        path = os.path.join(folder, "provost.db")
        agent = world.agent(top={"store": path})
        agent.send(okta.create(ANN))
        agent.settle()
        agent.kill()  # what is open for writing forbids a remount
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        agent.launch()
        assert agent.wait() == 1 and agent.said("not started") and agent.said("Read-only file system"), agent.read("stderr")
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
        agent.start()
        agent.send(okta.activate(ANN))
        agent.settle()
        check_store(path, [])


@test
def a_database_locked_by_another_process_refuses_events_until_it_lets_go(world):
    agent = world.agent()
    load = Load(agent, "lock", threads=2).start()
    await_acceptance(load)
    other = sqlite3.connect(agent.path("provost.db"), isolation_level=None, timeout=20)
    other.execute("BEGIN IMMEDIATE")
    await_refusals(agent, load, "another process")
    other.execute("COMMIT")
    other.close()
    await_acceptance(load)
    check_end(world, agent, load)


# --- the directory and the line to it

@test
def a_directory_that_stops_in_mid_operation_is_told_and_loses_nobody(world):
    directory = world.own_directory("--nosync")
    agent = world.agent(directory=directory, settings={"operation_timeout": "500 ms", "network_timeout": "500 ms"})
    load = Load(agent, "stop", threads=2).start()
    await_condition("work goes on", lambda: len(agent.log(outcome="applied")) > 20)
    with open(os.path.join(directory.folder, "pid"), encoding="utf-8") as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGSTOP)
    try:
        line = await_condition("the target is down", lambda: agent.log(state="down"), 30)[-1]
        assert "answer" in line["reason"] or "time" in line["reason"].lower(), line
        await_acceptance(load)
    finally:
        os.kill(pid, signal.SIGCONT)
    await_condition("the target is up", lambda: agent.target_status()["state"] == "up", 30)
    check_end(world, agent, load)


@test
def a_connection_cut_between_change_and_answer_makes_nobody_twice(world):
    cutter = world.own(Cutter(world.directory().uri, every=5))
    agent = world.agent(settings={"uri": cutter.uri})
    load = Load(agent, "cut", threads=2, most=80).start()
    await_condition("everybody has been sent", lambda: len(load.users) == 80, 30)
    check_end(world, agent, load)
    assert cutter.cuts >= 10, f"only {cutter.cuts} of {cutter.changes} changes lost their answer"
    print(f"# {cutter.cuts} of {cutter.changes} changes lost their answer")


# --- the clock

def clock_set(us):
    @test
    def work_goes_on(world):
        directory = world.own_directory("--nosync")
        with clocked_agent(world, directory=directory) as (clock, agent):
            load = Load(agent, "clock", threads=2).start()
            await_acceptance(load)
            clock.set_off(us)
            await_acceptance(load)
            clock.set_off(0)
            await_acceptance(load)
            check_end(world, agent, load)
    work_goes_on.__name__ = f"a_clock_set_{'back' if us < 0 else 'forward'}_by_an_hour_and_right_again_loses_nothing"


clock_set(-HOUR_US)
clock_set(HOUR_US)


@test
def who_waits_for_a_retry_does_not_wait_an_hour_longer_when_the_clock_is_set_back(world):
    with clocked_agent(world, target={"retry": {"base": "1 s", "most": "1 s"}}) as (clock, agent):
        world.directory().add_person("ann", employeeNumber="another")  # no match: tried again
        agent.send(okta.activate(ANN))
        await_condition("she waits", lambda: agent.target_status()["waiting"] == 1)
        clock.set_off(-HOUR_US)
        world.directory().delete(f"uid=ann,{PEOPLE}")
        await_condition("she has her account", lambda: f"uid=ann,{PEOPLE}" in world.directory().people(), 10)


@test
def a_clock_set_forward_does_not_have_one_lane_worked_on_twice(world):
    """The payroll would hire twice: it keeps no keys and lets doubles in."""
    payroll = world.payroll("--not-unique", "--trouble", '{"ignore_keys": true}')
    with clocked_agent(world, service=("payroll", payroll), mappings_={"payroll.conf": shipped_mapping("payroll.conf")}) as (clock, agent):
        payroll.trouble(only="POST", times=1, delay_ms=700, ignore_keys=True)
        agent.send(okta.activate(ANN))
        await_condition("it was sent", lambda: payroll.counts()["begun"] > payroll.counts()["requests"])
        clock.set_off(24 * HOUR_US)
        agent.send(okta.activate(BOB))  # has the store look at what lapsed
        await_condition("he is hired meanwhile", lambda: payroll.employee(BOB))
        agent.settle()
        assert sorted(row["external_id"] for row in payroll.employees()) == [ANN.id, BOB.id], payroll.employees()


def is_disabled(world, user):
    entry = world.directory().entry(f"uid={user.login.split('@')[0]},{PEOPLE}")
    return entry is not None and any(text.startswith("disabled") for text in entry.get("description", []))


@test
def a_leaver_is_out_though_the_clock_is_two_days_slow_and_it_is_said(world):
    with clocked_agent(world, off_us=-2 * DAY_US) as (clock, agent):
        agent.send(okta.activate(ANN, published=okta.hours_ago(30)))
        agent.settle()
        agent.send(okta.deactivate(ANN))
        await_condition("ann is disabled", lambda: is_disabled(world, ANN))
        line = agent.await_log(clock="slow")
        assert line["level"] == "warning" and 2 * 86400 - 5 <= int(line["by_s"]) <= 2 * 86400 + 5, line
        agent.send(okta.activate(BOB))
        agent.settle()
        assert len(agent.log(clock="slow")) == 1, agent.log(clock="slow")
        assert agent.read("stderr").count("clock is 2 d 0 h slow") == 1 and agent.said("timedatectl"), agent.read("stderr")
        code, out, _ = agent.ctl("status")
        assert code == 1 and "2 d 0 h slow" in out and "timedatectl" in out, (code, out)
        clock.set_off(0)
        agent.send(okta.suspend(BOB))
        agent.await_log(clock="set_forward")
        await_condition("all is well", lambda: agent.ctl("status")[0] == 0)


@test
def a_grace_period_that_began_by_a_slow_clock_is_not_shorter(world):
    people = [('left_scope  = "disable";', 'left_scope  = "disable, remove after 3 days";')]
    with clocked_agent(world, off_us=-2 * DAY_US, mappings_=mappings(people)) as (_, agent):
        gone = ANN.renamed(login="ann@contractor.example.org")
        agent.send(okta.activate(ANN))
        agent.settle()
        agent.send(okta.update(gone))  # no event of Okta's says when she left the scope
        await_condition("ann is disabled", lambda: is_disabled(world, ANN))
        agent.settle()
        due = agent.ctl_json("show", ANN.id)["links"][0]["due"]
        assert due > okta.hours_ago(-71), due


@test
def a_clock_a_month_ahead_for_two_seconds_removes_nobody_who_is_not_due(world):
    people = [('deactivated = "disable";', 'deactivated = "disable, remove after 30 days";')]
    with clocked_agent(world, mappings_=mappings(people)) as (clock, agent):
        agent.send(okta.activate(ANN), okta.deactivate(ANN))
        await_condition("ann is disabled", lambda: is_disabled(world, ANN))
        agent.settle()
        clock.set_off(31 * DAY_US)
        agent.send(okta.activate(BOB), okta.update(ANN.renamed(name="Ann Lee-Roe")))  # has her lane worked on
        await_condition("bob has an account", lambda: f"uid=bob,{PEOPLE}" in world.directory().people())
        stays("ann is there", lambda: is_disabled(world, ANN), 2)
        line = agent.await_log(clock="held")
        assert 30 * 86400 < int(line["by_s"]) <= 31 * 86400, line
        code, out, _ = agent.ctl("status")
        assert code == 0 and "Removals and retention wait until" in out, (code, out)
        clock.set_off(0)
        agent.send(okta.suspend(BOB))
        agent.settle()
        agent.await_log(clock="set_back")
        assert is_disabled(world, ANN)
        agent.restart()
        clock.let_pass(29 * DAY_US)
        agent.send(okta.unsuspend(BOB))
        agent.settle()
        assert is_disabled(world, ANN)
        clock.let_pass(30 * DAY_US)
        agent.send(okta.suspend(BOB))
        await_condition("ann is removed", lambda: f"uid=ann,{PEOPLE}" not in world.directory().people())


@test
def an_agent_that_was_off_for_a_month_removes_an_hour_after_its_start(world):
    people = [('deactivated = "disable";', 'deactivated = "disable, remove after 30 days";')]
    with clocked_agent(world, mappings_=mappings(people)) as (clock, agent):
        agent.send(okta.activate(ANN), okta.deactivate(ANN))
        await_condition("ann is disabled", lambda: is_disabled(world, ANN))
        agent.settle()
        assert agent.stop() == 0
        clock.let_pass(40 * DAY_US)
        agent.start()
        agent.send(okta.activate(BOB), okta.update(ANN))
        await_condition("bob has an account", lambda: f"uid=bob,{PEOPLE}" in world.directory().people())
        agent.settle()
        assert is_disabled(world, ANN) and agent.log(clock="held")
        clock.let_pass(40 * DAY_US + HOUR_US)
        agent.send(okta.suspend(BOB))
        await_condition("ann is removed", lambda: f"uid=ann,{PEOPLE}" not in world.directory().people())
        agent.await_log(clock="released")


# --- open files

def open_files(agent):
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


@test
def without_file_descriptors_nobody_is_served_until_there_are_some(world):
    agent = world.agent()
    load = Load(agent, "fds", threads=2).start()
    await_acceptance(load)
    pid = agent.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, before[1]))
    try:
        await_condition("the log says what to raise", lambda: agent.said("LimitNOFILE"), 10)
        assert not is_served(agent)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    await_acceptance(load)
    check_end(world, agent, load)


run()
