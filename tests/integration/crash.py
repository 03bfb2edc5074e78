#!/usr/bin/python3
"""provostd killed (SIGKILL): at every fault point of the program, and at random moments under load, its start among them.

Afterwards every event that was answered 2xx is done, dead or pending, nobody has two accounts, the directory, the payroll and
the session store are as the events say, and the store's file is sound.
"""

import collections
import os
import random
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import fault_points, need_fault_points, shipped_mapping
from bounded import await_condition
from directory import FORMER, GROUPS, PEOPLE, SUFFIX
from load import Load
from okta import Group
from store_check import check_store
from tap import run, test

NOBODY = f"cn=nobody,{SUFFIX}"  # a group's first member, in the shipped mapping
STAFF = Group("00gstaff", "Staff")
KILLS = int(os.environ.get("KILLS") or os.environ.get("PROVOST_KILLS") or "50")
POINT_USERS = 14  # of a kill at a point; a point is passed at least as often as the kill waits for


def end(agent, load):
    """All is told and done: the store says so by uuid."""
    load.stop()
    agent.settle(60 + KILLS / 5)
    status = agent.target_status()
    assert status["dead"] == 0, agent.ctl("dead")[1]
    states = check_store(agent.path("provost.db"), load.accepted)
    assert states["dead"] == 0 and states["pending"] <= status["due"], states
    listed = collections.Counter(row["event"] for row in agent.all_events())
    assert all(listed[uuid] == 1 for uuid in load.accepted), "provostctl does not list every accepted event once"


# --- a directory: joiners, movers, leavers, members

def number_of(user):
    return int(user.id.lstrip("00ucrash"))


def renamed(user):
    return user.renamed(login="new-" + user.login)


def lives(user):
    """Everybody joins the staff; of three one leaves, one is renamed, one stays."""
    join = [okta.create(user), okta.activate(user), okta.member_add(user, STAFF)]
    then = ([], [okta.deactivate(user)], [okta.update(renamed(user))])[number_of(user) % 3]
    return [join, then] if then else [join]


def check_directory(world, users):
    directory = world.directory()
    rows = {dn: {name: [value.decode() for value in values] for name, values in entry.items()}
            for base in (PEOPLE, FORMER) for dn, entry in directory.search(base, directory.ldap.SCOPE_ONELEVEL)}
    owners = collections.Counter(entry["employeeNumber"][0] for entry in rows.values())
    assert max(owners.values()) == 1, f"somebody has two accounts: {owners.most_common(3)}"
    assert set(owners) == {user.id for user in users}, "somebody is missing, or was never hired"
    by_id = {entry["employeeNumber"][0]: (dn, entry) for dn, entry in rows.items()}
    for user in users:
        dn, entry = by_id[user.id]
        fate = number_of(user) % 3
        uid = (renamed(user) if fate == 2 else user).login.split("@")[0]
        assert dn == f"uid={uid},{PEOPLE}" and entry["uid"] == [uid], (dn, entry)
        assert entry.get("description", [""])[0].startswith("disabled") == (fate == 1), (user, entry)
    members = set(directory.members(f"cn=Staff,{GROUPS}"))
    stayers = {dn for dn, entry in rows.items() if number_of(okta.User(entry["employeeNumber"][0], "", "")) % 3 != 1}
    assert stayers <= members <= set(rows) | {NOBODY}, f"missing {list(stayers - members)[:3]}, too many {list(members - set(rows))[:3]}"


def directory_load(agent, **options):
    return Load(agent, "crash", happens=lives, **options)


class DirectoryStory:
    def __init__(self, world):
        self.world = world
        self.agent = world.agent(start=False)
        self.load = directory_load(self.agent, threads=2, most=POINT_USERS)

    def check(self):
        check_directory(self.world, self.load.users)


# --- a payroll: joiners, and nobody twice although it would let doubles in

class PayrollStory:
    def __init__(self, world):
        self.payroll = world.payroll("--not-unique", "--trouble", '{"ignore_keys": true}')
        self.agent = world.agent(start=False, service=("payroll", self.payroll), mappings_={"payroll.conf": shipped_mapping("payroll.conf")},
                                 settings={"lost_answer_wait": "300 ms", "circuit_time": "200 ms"})
        self.load = Load(self.agent, "crash", threads=2, most=POINT_USERS)

    def check(self):
        rows = collections.Counter(row["external_id"] for row in self.payroll.employees() if row["status"] == "active")
        assert rows == collections.Counter(user.id for user in self.load.users), rows


# --- sessions in an application's table: leavers lose theirs, whoever stays does not

class SessionStory:
    MAPPING = ('target = "portal"; kind = "user"; request_timeout = "1 s"; deny = true;\n'
               'sessions: { user = "{login}"; table = "sessions"; key_column = "id"; user_column = "who"; };\n')

    def __init__(self, world):
        self.path = world.new_folder("app.db")
        self.sql("PRAGMA journal_mode = WAL")
        self.sql("CREATE TABLE sessions (id TEXT PRIMARY KEY, who TEXT)")
        self.sql("CREATE TABLE provost_marks (person TEXT PRIMARY KEY, denied SMALLINT NOT NULL, since_ms BIGINT, expires_ms BIGINT)")
        for number in range(1, POINT_USERS + 1):
            self.sql("INSERT INTO sessions VALUES (?, ?), (?, ?)", f"a{number}", f"crash{number}@example.com", f"b{number}", f"crash{number}0@example.org")
        target = {"name": "portal", "connector": "session", "mappings": ["portal.conf"], "probe": "200 ms", "retry": {"base": "50 ms", "most": "1 s"},
                  "settings": {"store": "sqlite", "path": self.path}}
        self.agent = world.agent(start=False, directory=None, mappings_={"portal.conf": self.MAPPING}, top={"targets": (target,)})
        self.load = Load(self.agent, "crash", threads=2, most=POINT_USERS, happens=lambda user: [[okta.activate(user)], [okta.deactivate(user)]])

    def sql(self, text, *values):
        database = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        try:
            return database.execute(text, values).fetchall()
        finally:
            database.close()

    def check(self):
        left = {row[0] for row in self.sql("SELECT id FROM sessions")}
        assert left == {f"b{number}" for number in range(1, POINT_USERS + 1)}, left
        marked = {row[0] for row in self.sql("SELECT person FROM provost_marks WHERE denied = 1")}
        assert marked == {user.login for user in self.load.users}, marked


STORIES = {"http": PayrollStory, "session": SessionStory}


def passing(point):
    """The one to kill at. The store's first passings are those of the start."""
    return random.Random(point).randrange(*((10, 20) if point.startswith("store.") else (1, 9)))


def at_point(point):
    @test
    def killed_at_a_named_point(world):
        story = STORIES.get(point.split(".")[0], DirectoryStory)(world)
        agent, load = story.agent, story.load
        agent.faults = f"{point}=kill@{passing(point)}"
        agent.start()
        load.start()
        assert agent.wait(30) == -9, "it was to be killed"
        check_store(agent.path("provost.db"), list(load.accepted))
        agent.faults = None
        agent.start()
        await_condition("everybody has been sent", lambda: len(load.users) == POINT_USERS, 30)
        end(agent, load)
        story.check()
    killed_at_a_named_point.__name__ = f"killed_at_{point.replace('.', '_')}_ends_right"


for name in fault_points():
    at_point(name)


@test
def every_fault_point_is_killed_at(world):
    need_fault_points()
    assert len(fault_points()) >= 17, fault_points()


# --- random moments

def kill_while_it_starts(agent, chance):
    agent.launch()
    time.sleep(chance.random() * 0.06)  # the moment is what is random: no condition to wait for
    agent.kill()


@test
def killed_at_random_moments_under_load_loses_nothing_accepted(world):
    chance = random.Random(os.environ.get("PROVOST_SEED", "2"))
    agent = world.agent()
    load = directory_load(agent).start()
    for turn in range(KILLS):
        enough = load.count() + chance.randrange(0, 60)
        await_condition("load goes on", lambda: load.count() >= enough, 30)
        time.sleep(chance.random() * 0.01)
        accepted = list(load.accepted)
        agent.kill()
        check_store(agent.path("provost.db"), accepted)
        if turn % 5 == 4:
            kill_while_it_starts(agent, chance)
        agent.start()
    end(agent, load)
    check_directory(world, load.users)
    print(f"# {KILLS} random kills, {KILLS // 5} more during the start, {len(load.accepted)} events accepted")


@test
def killed_while_a_backlog_is_worked_on_ends_right(world):
    chance = random.Random(3)
    agent = world.agent()
    load = directory_load(agent, most=60).start()
    for _ in range(max(5, KILLS // 5)):
        before = len(agent.log(outcome="applied"))
        wanted = before + chance.randrange(0, 8)
        await_condition("some of it is done, or all", lambda: len(agent.log(outcome="applied")) >= wanted or len(load.users) == 60)
        agent.kill()
        agent.start()
    await_condition("everybody has been sent", lambda: len(load.users) == 60, 30)
    end(agent, load)
    check_directory(world, load.users)


run()
