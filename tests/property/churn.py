#!/usr/bin/python3
"""People and groups that are renamed while members come and go, all at once: the directory ends as the facts say.

What the lanes of a group and of its members do to the same entry at the same time is left to chance, so a failure
need not come again; PROVOST_SEEDS=N plays N rounds (default 30).
"""

import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import mappings
from directory import GROUPS, PEOPLE
from okta import Group, User
from tap import run, test

ROUNDS = int(os.environ.get("PROVOST_SEEDS", "30").replace("all", "1000"))
PLACEHOLDER = "cn=nobody,dc=example,dc=org"
PEOPLE_COUNT, GROUP_COUNT, CHANGES = 8, 3, 25


def dn_of(user):
    return f"uid={user.login.split('@')[0]},{PEOPLE}"


class Company:
    """What is true, beside the events that say so."""

    def __init__(self):
        self.users = [User(f"00u{i}", f"p{i}@example.com", f"P {i}") for i in range(PEOPLE_COUNT)]
        self.groups = [Group(f"00g{j}", f"G{j}") for j in range(GROUP_COUNT)]
        self.members = set()
        self.gone = set()
        self.names = 0

    def change(self, chance, deletes):
        i, j, what = chance.randrange(PEOPLE_COUNT), chance.randrange(GROUP_COUNT), chance.random()
        self.names += 1
        if what < 0.15:
            self.users[i] = self.users[i].renamed(f"p{i}n{self.names}@example.com")
            return okta.update(self.users[i])
        if j in self.gone:
            self.gone.discard(j)
            return okta.group_create(self.groups[j])
        if what < 0.25:
            self.groups[j] = Group(self.groups[j].id, f"G{j}n{self.names}")
            return okta.group_rename(self.groups[j])
        if deletes and what < 0.3:
            self.gone.add(j)
            return okta.group_delete(self.groups[j])
        if what < 0.65:
            self.members.add((i, j))
            return okta.member_add(self.users[i], self.groups[j])
        self.members.discard((i, j))
        return okta.member_remove(self.users[i], self.groups[j])

    def members_of(self, j):
        return [] if j in self.gone else [dn_of(user) for i, user in enumerate(self.users) if (i, j) in self.members]


def check(world, placeholder, **options):
    agent, company = world.agent(target={"workers": 8}, **options), Company()
    agent.send(*[okta.create(user) for user in company.users], *[okta.group_create(group) for group in company.groups])
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        events = [company.change(chance, deletes=not placeholder) for _ in range(CHANGES)]
        chance.shuffle(events)
        while events:
            size = chance.randrange(1, 8)
            agent.send(*events[:size])
            events = events[size:]
        agent.settle(60)
        for j, group in enumerate(company.groups):
            found = world.directory().members(f"cn={group.name},{GROUPS}") or []
            assert found == sorted(company.members_of(j) + placeholder), f"round {seed}: {group.name} has {found}"
        assert sorted(world.directory().people()) == sorted(map(dn_of, company.users))
        assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]


@test
def groups_with_a_placeholder_end_as_the_facts_say(world):
    check(world, [PLACEHOLDER])


@test
def groups_that_live_by_their_members_end_as_the_facts_say(world):
    check(world, [], mappings_=mappings(groups=[(f'placeholder = "{PLACEHOLDER}";', "with_first_member = true;")]))


run()
