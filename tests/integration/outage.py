#!/usr/bin/python3
"""The directory away, refusing or untrusted, and the agent stopped under load: nothing is lost, and the state is told."""

import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import TARGET, connections, mappings
from bounded import SCALE, await_condition
from directory import PEOPLE
from load import Load
from okta import User
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")


def dn_of(user):
    return f"uid={user.login.split('@')[0]},{PEOPLE}"


def await_people(directory, users, within_s=60):
    wanted = {dn_of(user) for user in users}
    await_condition(f"{len(wanted)} accounts in the directory", lambda: wanted <= set(directory.people()), within_s)


def await_state(agent, state):
    return await_condition(f"the target is {state}", lambda: (lambda t: t if t["state"] == state else None)(agent.target_status()))


@test
def slapd_killed_and_restarted_under_load_loses_nothing(world):
    directory = world.own_directory("--nosync")
    agent = world.agent(directory=directory)
    load = Load(agent, "out").start()
    for turn in range(3):
        so_far = load.count()
        await_condition("load goes on", lambda: load.count() > so_far + 100)
        directory.kill()
        await_state(agent, "down")
        so_far = load.count()
        await_condition("events are taken while the target is down", lambda: load.count() > so_far + 50)
        directory.restart()
        await_state(agent, "up")
    load.stop()
    await_people(directory, load.users)
    agent.settle(60)
    assert agent.target_status()["dead"] == 0
    down, up = agent.log(target=TARGET, state="down"), agent.log(target=TARGET, state="up")
    assert len(down) >= 3 and len(up) >= 3, "changes of state are missing in the status log"


@test
def a_target_that_is_down_burns_no_attempts(world):
    directory = world.own_directory("--nosync")
    agent = world.agent(directory=directory, target={"retry": {"attempts": 2, "base": "50 ms", "most": "100 ms"}})
    directory.kill()
    agent.send(okta.create(ANN))
    first = await_state(agent, "down")
    assert first["last_error"], first
    # Far more probes than attempts are allowed.
    agent.await_log(target=TARGET, state="down")
    await_condition("a second outage while down", lambda: agent.target_status()["state"] == "down" and agent.target_status()["dead"] == 0)
    agent.restart()
    agent.send(okta.activate(ANN))
    await_state(agent, "down")
    directory.restart()
    await_people(directory, [ANN])
    line = agent.await_log(id="00uann", outcome="applied")
    assert int(line["attempt"]) == 1, line


@test
def an_unreachable_directory_is_told_as_such(world):
    agent = world.agent(settings={"uri": "ldap://127.0.0.1:9"})
    agent.send(okta.create(ANN))
    seen = await_state(agent, "down")
    assert "127.0.0.1" in seen["last_error"] and "refused" in seen["last_error"].lower(), seen["last_error"]


@test
def an_unresolvable_name_is_told_as_such(world):
    agent = world.agent(settings={"uri": "ldap://no-such-host.invalid", "starttls": True})
    agent.send(okta.create(ANN))
    seen = await_state(agent, "down")
    assert "no-such-host.invalid" in seen["last_error"], seen["last_error"]


@test
def a_wrong_password_takes_the_target_down_and_a_right_one_brings_it_back(world):
    agent = world.agent(start=False)
    agent.write("ldap.secret", "not the password\n", 0o600)
    agent.start()
    agent.send(okta.create(ANN))
    seen = await_state(agent, "down")
    assert "cn=provost" in seen["last_error"] and "not the password" not in seen["last_error"], seen["last_error"]
    assert seen["dead"] == 0
    agent.write("ldap.secret", "provost-secret\n", 0o600)
    code, out, err = agent.ctl("reload")
    assert code == 0, out + err
    await_people(world.directory(), [ANN])


@test
def an_expired_certificate_is_named_and_nothing_is_sent(world):
    directory = world.own_directory("--nosync", "--cert", "expired")
    agent = world.agent(directory=directory, settings={"starttls": True, "ca_file": directory.ca_file})
    agent.send(okta.create(ANN))
    seen = await_state(agent, "down")
    assert "expired" in seen["last_error"] and "2021" in seen["last_error"], seen["last_error"]
    directory.restart("--cert", "good")
    await_people(directory, [ANN])


@test
def ldaps_and_starttls_with_a_good_certificate_work(world):
    directory = world.directory()
    for number, settings in enumerate(({"uri": directory.ldaps_uri}, {"starttls": True})):
        agent = world.agent(settings={"ca_file": directory.ca_file, **settings})
        user = User(f"00utls{number}", f"tls{number}@example.com", "Tess Tls")
        agent.send(okta.create(user))
        await_people(directory, [user])


@test
def an_orderly_stop_under_load_loses_nothing(world):
    agent = world.agent()
    load = Load(agent, "stop").start()
    for _ in range(3):
        so_far = load.count()
        await_condition("load goes on", lambda: load.count() > so_far + 100)
        agent.restart()
    load.stop()
    assert set(load.accepted) <= {row["event"] for row in agent.all_events()}
    await_people(world.directory(), load.users)


def stop_while_the_directory_hangs(world, before_stop):
    directory = world.own_directory("--nosync")
    agent = world.agent(directory=directory, top={"stop_within": "2 s"})
    agent.send(okta.create(ANN))
    await_people(directory, [ANN])
    bob = User("00ubob", "bob@example.com", "Bob Roe")
    with directory.hanging():
        agent.send(okta.create(bob))
        await_condition("the lane is being worked on", lambda: agent.target_status()["leased"] == 1)
        before_stop(agent)
        assert agent.stop(within_s=15) == 0, agent.evidence()
    agent.start()
    await_people(directory, [bob])


@test
def a_stop_while_the_directory_hangs_ends_within_its_bound(world):
    stop_while_the_directory_hangs(world, lambda agent: None)


@test
def a_stop_after_a_reload_while_the_directory_hangs_leaves_the_old_work_its_store(world):
    def reload(agent):
        for name, text in agent.mapping_texts.items():
            agent.write_mapping(name, text + "\n# changed\n")
        code, out, err = agent.ctl("reload")
        assert code == 0, out + err
        assert agent.said("work with the old configuration goes on in the background"), agent.evidence()

    stop_while_the_directory_hangs(world, reload)


# --- two directories, one of which hangs

BRANCH = "branch-ldap"
BOB = User("00ubob", "bob@example.com", "Bob Roe")
DAN = User("00udan", "dan@example.com", "Dan Poe")
LEAVERS = [User(f"00uleaver{i}", f"leaver{i}@example.com", f"Leaver {i}") for i in range(80)]


def two_targets(world):
    """An agent on a directory that is well and on one of a branch, and people in both."""
    well, branch = world.directory(), world.own_directory("--nosync")
    texts = {name: text for name, text in mappings().items() if "people" in name}
    texts["branch-people.conf"] = texts["openldap-people.conf"].replace(f'"{TARGET}"', f'"{BRANCH}"')
    agent = world.agent(start=False, directory=well, mappings_=texts)
    target = agent.config()["targets"][0]
    agent.top = {"targets": ({**target, "mappings": ["openldap-people.conf"]},
                             {**target, "name": BRANCH, "mappings": ["branch-people.conf"],
                              "settings": {**target["settings"], "uri": branch.uri, "operation_timeout": "5 s"}})}
    agent.write_config()
    agent.start()
    agent.send(*[event for user in LEAVERS for event in (okta.create(user), okta.activate(user))])
    await_people(well, LEAVERS)
    await_people(branch, LEAVERS)
    return well, branch, agent


def state_of(agent, name):
    return next(target for target in agent.status()["targets"] if target["name"] == name)


def change_mapping(agent, name):
    """A mapping file that gives one more attribute."""
    agent.write_mapping(name, agent.mapping_texts[name].replace("account: {", 'account: {\n  employeeType = "Colleague {id}";', 1))


class Reload(threading.Thread):
    """provostctl reload, meanwhile."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.answer = agent, None
        self.start()

    def run(self):
        self.answer = self.agent.ctl("reload")

    def check(self):
        self.join(10 * SCALE)
        assert self.answer is not None and self.answer[0] == 0, self.answer


def leave_one_by_one(agent, reload):
    """As long as the reload takes, and each is out of the directory that is well within 2 s."""
    for user in LEAVERS:
        left = time.monotonic()
        agent.send(okta.deactivate(user))
        agent.await_log(target=TARGET, id=user.id, action="disable", outcome="applied", within_s=60)
        took_s = time.monotonic() - left
        assert took_s < 2 * SCALE, f"{user.login} was out after {took_s:.1f} s"
        if reload.answer is not None:
            return
    raise AssertionError("the reload took longer than all the leavers")


@test
def a_directory_that_hangs_at_a_reload_holds_up_no_leaver_elsewhere(world):
    well, branch, agent = two_targets(world)
    agent.settle()
    unchanged, old = connections(agent, well), connections(agent, branch)
    assert unchanged and old
    with branch.hanging():
        agent.send(okta.create(BOB), okta.activate(BOB))
        await_condition("work at the branch is in flight", lambda: state_of(agent, BRANCH)["leased"] == 1)
        await_people(well, [BOB])
        change_mapping(agent, "branch-people.conf")
        reload = Reload(agent)
        leave_one_by_one(agent, reload)
        reload.check()
        assert agent.said("work with the old configuration goes on in the background"), agent.evidence()
        assert connections(agent, well) == unchanged, "a target that did not change has new connections"
        change_mapping(agent, "openldap-people.conf")
        Reload(agent).check()
        agent.send(okta.create(DAN), okta.activate(DAN))
        entry = await_condition("who joins has what the second reload brought", lambda: well.entry(dn_of(DAN)))
        assert entry["employeeType"] == ["Colleague 00udan"], entry
        await_condition("the branch's old sessions have ended by themselves", lambda: not old & connections(agent, branch))
    await_people(branch, [BOB, DAN])
    agent.await_log(target=BRANCH, id=LEAVERS[0].id, action="disable", outcome="applied")
    assert state_of(agent, BRANCH)["dead"] == 0
    assert branch.entry(dn_of(BOB))["employeeType"] == ["Colleague 00ubob"], "the old mapping is in use"


run()
