#!/usr/bin/python3
"""What people do to a running agent: a hold that is over stays over, who did what is told, what was given up stays visible, and reading is
another right than steering."""

import contextlib
import grp
import json
import os
import pwd
import select
import socket
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import REFUSED_LOCK, TARGET, UnixConnection, mappings, out_of, shipped_mapping
from bounded import await_condition, stays
from directory import PEOPLE
from okta import User
from tap import Skip, run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")


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
    await_condition("held again", lambda: agent.target_status()["state"] == "held")
    assert "held until its first" in out_of(agent, "check")


# --- who did what

def acts(agent, **wanted):
    return [line for line in agent.log(**wanted) if "act" in line]


@test
def each_act_of_a_person_is_a_line_with_who_did_it(world):
    agent = world.agent()
    agent.send(okta.create(ANN))
    agent.settle()
    for act, arguments, code, wanted in (
            ("hold", (TARGET,), 0, {"target": TARGET, "outcome": "done", "level": "info"}),
            ("resume", (TARGET,), 0, {"target": TARGET, "outcome": "done"}),
            ("retry", (TARGET, "--user", ANN.login), 0, {"target": TARGET, "user": ANN.login, "lanes": "0"}),
            ("drop", (TARGET, "--leavers"), 0, {"target": TARGET, "leavers": "too", "lanes": "0", "level": "warning"}),
            ("reload", (), 0, {"outcome": "done"}),
            ("hold", ("elsewhere",), 1, {"target": "elsewhere", "outcome": "failed", "level": "warning"})):
        out_of(agent, act, *arguments, code=code)
        line = acts(agent, act=act)[-1]
        assert line["uid"] == str(os.getuid()) and line["by"] == pwd.getpwuid(os.getuid()).pw_name, line
        assert wanted.items() <= line.items(), line
    assert "elsewhere" in acts(agent, act="hold")[-1]["reason"]
    seen = len(acts(agent))
    for look in (("status",), ("waiting",), ("dead",), ("show", ANN.id), ("events",)):
        out_of(agent, *look)
    assert len(acts(agent)) == seen == 6
    assert "by=" in out_of(agent, "log", "--outcome", "failed")


# --- what was given up

def refused_leaver(world):
    """Ann has an account, and the directory refuses to disable it."""
    agent = world.agent(mappings_=mappings(people=[REFUSED_LOCK]))
    agent.send(okta.create(ANN), okta.activate(ANN))
    await_account(world, ANN)
    agent.settle()
    left = okta.deactivate(ANN)
    agent.send(left)
    agent.await_log(id=ANN.id, outcome="rejected")
    return agent, left


def mend(agent):
    agent.write_mapping("openldap-people.conf", shipped_mapping("openldap-people.conf"))
    out_of(agent, "reload")


@test
def a_leaver_who_was_given_up_stays_visible_until_that_is_taken_back(world):
    agent, left = refused_leaver(world)
    out_of(agent, "drop", TARGET, "--leavers")
    agent.restart()
    for _ in range(2):
        text = out_of(agent, "status", code=1)
        assert "1 leaver" in text and ANN.login in text and f"retry {TARGET} --dropped" in text and "is well" not in text, text
        out_of(agent, "retry", TARGET)  # dead letters alone
    dropped, = agent.ctl_json("show", ANN.login)["dropped"]
    assert dropped["outcome"] == "rejected" and "pwdAccountLockedTime" in dropped["reason"] and dropped["time"], dropped
    assert f"uid {os.getuid()}" in dropped["dropped_by"] and dropped["leaver"] == "not_out", dropped
    delivery, = agent.ctl_json("show", left["uuid"])["deliveries"]
    assert delivery["outcome"] == "dropped" and "pwdAccountLockedTime" in delivery["reason"] and "given up by" in delivery["reason"], delivery
    mend(agent)
    out_of(agent, "retry", TARGET, "--dropped")
    agent.settle()
    assert "All is well" in out_of(agent, "status") and "dropped" not in agent.ctl_json("show", ANN.login)
    agent.await_log(id=ANN.id, outcome="applied", action="disable")


@test
def taking_back_before_it_is_mended_makes_the_dead_letter_again(world):
    agent, _ = refused_leaver(world)
    since = agent.ctl_json("waiting", "--leavers")[0]["since"]
    out_of(agent, "drop", TARGET, "--leavers")
    out_of(agent, "retry", "--user", ANN.login, "--dropped")
    await_condition("it is dead again", lambda: agent.target_status()["dead"] == 1)
    row, = agent.ctl_json("waiting", "--leavers")
    assert row["since"] == since and agent.target_status()["dropped"]["leavers"] == 0, row


@test
def a_newer_event_that_is_done_ends_what_was_given_up(world):
    agent, _ = refused_leaver(world)
    out_of(agent, "drop", TARGET, "--leavers")
    out_of(agent, "status", code=1)
    mend(agent)
    agent.send(okta.deactivate(ANN))
    agent.await_log(id=ANN.id, outcome="applied", action="disable")
    agent.settle()
    assert "All is well" in out_of(agent, "status")


@test
def a_joiner_who_was_given_up_is_shown_and_worries_nobody(world):
    agent = world.agent(start=False)
    text = shipped_mapping("openldap-people.conf")
    agent.write_mapping("openldap-people.conf", text.replace("account: {", 'account: {\n  homeDirectory = "/home/{id}";', 1))  # no such class
    agent.start()
    agent.send(okta.create(BOB))
    agent.await_log(id=BOB.id, outcome="rejected")
    out_of(agent, "drop", TARGET)
    assert "All is well" in out_of(agent, "status")
    assert "homeDirectory" in agent.ctl_json("show", BOB.login)["dropped"][0]["reason"]


# --- who may

class Person:
    """A user of this machine, by its own or further groups."""

    def __init__(self, name, *groups, primary=None):
        entry = pwd.getpwnam(name)
        self.uid, self.gid = entry.pw_uid, grp.getgrnam(primary).gr_gid if primary else entry.pw_gid
        self.groups = [grp.getgrnam(group).gr_gid for group in groups]

    def _start(self, work):
        """A child that is this person: its pid, and the pipe into which it writes work()."""
        ours, theirs = os.pipe()
        child = os.fork()
        if child != 0:
            os.close(theirs)
            return child, ours
        try:
            os.setgroups(self.groups)
            os.setgid(self.gid)
            os.setuid(self.uid)
            os.write(theirs, json.dumps(work()).encode())
        except Exception as error:
            os.write(theirs, json.dumps([type(error).__name__, str(error)]).encode())
        finally:
            os._exit(0)

    def does(self, work):
        """The result of work(), done as this person."""
        child, pipe = self._start(work)
        with os.fdopen(pipe) as answer:
            text = answer.read()
        os.waitpid(child, 0)
        return json.loads(text)

    @contextlib.contextmanager
    def crowds(self, path, count):
        """Connects so often, says nothing and stays."""
        def connect(crowd):
            crowd.append(socket.socket(socket.AF_UNIX))
            crowd[-1].connect(path)

        def stay():
            crowd = []
            for _ in range(count):
                connect(crowd)
            os.write(told, b"x")
            os.read(stays_until, 1)

        (connected, told), (stays_until, go) = os.pipe(), os.pipe()
        child, pipe = self._start(stay)
        try:
            assert select.select([connected], [], [], 20)[0], "they do not even connect"
            yield
        finally:
            os.write(go, b"x")
            os.waitpid(child, 0)
            for fd in (connected, told, stays_until, go, pipe):
                os.close(fd)


def ask(agent, method, path):
    """What the socket answers: its status, and the body."""
    connection = UnixConnection(agent.path("control.sock"))
    connection.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
    answer = connection.getresponse()
    return [answer.status, json.loads(answer.read())]


READERS = "games"
READER, READER_BY_PRIMARY = Person("nobody", READERS), Person("nobody", primary=READERS)
STRANGER = Person("nobody", "tape")
OPERATOR = Person("daemon", grp.getgrgid(os.getegid()).gr_name)


def reachable_agent(world, **top):
    if os.geteuid() != 0:
        raise Skip("only root can be other users")
    agent = world.agent(top=top)
    for folder in (world.folder, agent.folder):
        os.chmod(folder, 0o755)
    return agent


@test
def a_reader_may_look_and_not_steer(world):
    agent = reachable_agent(world, control_readers=READERS)
    for person in (READER, READER_BY_PRIMARY):
        for path in ("status", "waiting", "dead", "events", "quarantine"):
            status, _ = person.does(lambda path=path: ask(agent, "GET", f"/v1/{path}"))
            assert status == 200, (path, status)
        for path in (f"hold?target={TARGET}", f"drop?target={TARGET}&leavers=1", f"retry?target={TARGET}", "reload"):
            status, body = person.does(lambda path=path: ask(agent, "POST", f"/v1/{path}"))
            assert status == 403 and "may only look" in body["error"] and READERS in body["error"], (path, status, body)
            line = acts(agent, act=path.split("?")[0])[-1]
            assert (line["outcome"], line["by"], line["uid"], line["level"]) == ("refused", "nobody", str(READER.uid), "warning"), line
    assert agent.target_status()["state"] != "held"


@test
def a_member_of_the_agents_group_may_steer(world):
    agent = reachable_agent(world, control_readers=READERS)
    assert OPERATOR.does(lambda: ask(agent, "POST", f"/v1/hold?target={TARGET}"))[0] == 200
    assert agent.target_status()["state"] == "held" and acts(agent, act="hold", outcome="done")[-1]["by"] == "daemon"
    assert OPERATOR.does(lambda: ask(agent, "GET", "/v1/status"))[0] == 200


@test
def a_stranger_may_neither_and_keeps_nobody_out(world):
    agent = reachable_agent(world, control_readers=READERS)
    for method, path in (("GET", "status"), ("POST", f"hold?target={TARGET}")):
        status, body = STRANGER.does(lambda method=method, path=path: ask(agent, method, f"/v1/{path}"))
        assert status == 403 and "neither look nor steer" in body["error"], (status, body)
    assert acts(agent) == []

    with STRANGER.crowds(agent.path("control.sock"), 60):
        assert agent.status()["agent"]["pid"] == agent.process.pid


@test
def without_readers_the_socket_is_for_the_agents_group_alone(world):
    agent = reachable_agent(world)
    assert stat.S_IMODE(os.stat(agent.path("control.sock")).st_mode) == 0o660
    assert READER.does(lambda: ask(agent, "GET", "/v1/status"))[0] == "PermissionError"
    assert OPERATOR.does(lambda: ask(agent, "POST", f"/v1/hold?target={TARGET}"))[0] == 200


@test
def a_group_that_is_not_there_is_refused_with_its_line(world):
    agent = world.agent(start=False, top={"control_readers": "no-such-group"})
    text = out_of(agent, "check", code=1)
    assert "provost.conf:" in text and "control_readers" in text and "no-such-group" in text, text


run()
