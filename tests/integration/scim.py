#!/usr/bin/python3
"""People and groups in a SCIM 2.0 service that is not ours (SCIMMY on Express), with the shipped mappings."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import shipped_mapping
from bounded import await_condition
from okta import Group, User
from scim_service import TOKEN, Scim
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
BOB = User("00ubob", "bob@example.com", "Bob Roe")
STAFF = Group("00gstaff", "Staff")


def start(world, replace=()):
    scim = world.own(Scim(world.new_folder("scim")))
    agent = world.agent(service=("scim", scim), mappings_={"scim2-users.conf": shipped_mapping("scim2-users.conf", replace),
                                                           "scim2-groups.conf": shipped_mapping("scim2-groups.conf")})
    return scim, agent


def await_user(scim, user, what=lambda found: True):
    seen = lambda: (lambda found: found if found and what(found) else None)(scim.user(user))
    return await_condition(f"{user.login} in the SCIM service", seen)


def await_members(scim, group, *users):
    def members():
        found = scim.group(group)
        wanted = sorted(scim.user(user)["id"] for user in users)
        return found and sorted(member["value"] for member in found.get("members", [])) == wanted
    await_condition(f"{group.name} has {len(users)} members", members)


def join(scim, agent, user):
    agent.send(okta.create(user), okta.activate(user))
    return await_user(scim, user)


def check_end(scim, agent):
    refused = [r for r in scim.requests() if r["status"] >= 400]
    assert not refused, refused
    assert agent.target_status()["dead"] == 0
    assert TOKEN not in agent.read("status.log") + agent.read("stderr")


@test
def a_joiner_has_an_account(world):
    scim, agent = start(world)
    user = join(scim, agent, ANN)
    assert user["userName"] == "ann@example.com" and user["active"] is True, user
    assert user["name"] == {"givenName": "Ann", "familyName": "Lee"}, user
    assert user["emails"] == [{"value": "ann@example.com", "type": "work", "primary": True}], user
    agent.settle()
    agent.send(okta.activate(ANN))
    agent.await_log(id=ANN.id, outcome="unchanged")
    assert len(scim.requests()) == 1, scim.requests()
    check_end(scim, agent)


@test
def a_mover_is_patched_with_the_difference_alone(world):
    scim, agent = start(world)
    before = join(scim, agent, ANN)
    agent.settle()
    agent.send(okta.update(ANN.renamed("ann.roe@example.com", "Ann Roe")))
    user = await_user(scim, ANN, lambda user: user["name"]["familyName"] == "Roe")
    agent.settle()
    assert user["id"] == before["id"] and user["userName"] == "ann.roe@example.com", user
    assert user["emails"] == [{"value": "ann.roe@example.com", "type": "work", "primary": True}], user
    patch = scim.requests()[-1]
    assert patch["method"] == "PATCH" and "givenName" not in str(patch["body"]) and "active" not in str(patch["body"]), patch
    check_end(scim, agent)


@test
def a_leaver_is_inactive_and_active_again_on_return(world):
    scim, agent = start(world)
    before = join(scim, agent, ANN)
    agent.send(okta.deactivate(ANN))
    await_user(scim, ANN, lambda user: user["active"] is False)
    agent.await_log(id=ANN.id, action="disable", outcome="applied")
    agent.send(okta.event("user.lifecycle.reactivate", ANN))
    user = await_user(scim, ANN, lambda user: user["active"] is True)
    agent.await_log(id=ANN.id, action="enable", outcome="applied")
    assert user["id"] == before["id"]
    check_end(scim, agent)


@test
def a_leaver_is_removed_after_the_grace_period(world):
    scim, agent = start(world, replace=[("remove after 30 days", "remove after 1 s")])
    join(scim, agent, ANN)
    agent.send(okta.event("user.lifecycle.delete.completed", ANN))
    await_user(scim, ANN, lambda user: user["active"] is False)
    await_condition("no user", lambda: scim.user(ANN) is None)
    check_end(scim, agent)


@test
def what_filters_are_made_of_is_only_text_in_a_name(world):
    scim, agent = start(world)
    join(scim, agent, BOB)
    odd = User("00u' or (userName pr) and [x]", "odd&filter=userName pr#@example.com", "O'Hara Odd")
    user = join(scim, agent, odd)
    assert user["userName"] == odd.login, user
    check_end(scim, agent)
    # SCIMMY does not take the escaped quotes that RFC 7644 allows, and refuses: then nobody is touched.
    evil = User('00u" or userName pr or externalId eq "x', 'x" or userName sw "b@example.com', "Eve Evil")
    agent.send(okta.activate(evil))
    agent.await_log(id=evil.id, outcome="rejected")
    assert len(scim.all("Users")) == 2 and scim.user(BOB)["name"]["familyName"] == "Roe"


@test
def a_group_has_its_members_and_follows_them(world):
    scim, agent = start(world)
    join(scim, agent, ANN)
    join(scim, agent, BOB)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF), okta.member_add(BOB, STAFF))
    await_members(scim, STAFF, ANN, BOB)
    agent.send(okta.member_remove(ANN, STAFF))
    await_members(scim, STAFF, BOB)
    agent.send(okta.group_rename(Group(STAFF.id, "Crew")))
    await_condition("the new name", lambda: scim.group(STAFF)["displayName"] == "Crew")
    await_members(scim, STAFF, BOB)
    agent.settle()
    agent.send(okta.group_delete(Group(STAFF.id, "Crew")))
    await_condition("no group", lambda: scim.group(STAFF) is None)
    assert scim.user(BOB), "the member's account went with the group"
    check_end(scim, agent)


@test
def a_group_that_comes_before_its_members_takes_them_in(world):
    scim, agent = start(world)
    agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
    await_condition("the group", lambda: scim.group(STAFF))
    join(scim, agent, ANN)
    await_members(scim, STAFF, ANN)
    agent.settle()
    check_end(scim, agent)


# --- services that do less than the RFC hopes for

def old_account(scim, login, **more):
    return scim.add("Users", userName=login, displayName="Old", active=True, **more)


def crowd(scim, count):
    for number in range(count):
        old_account(scim, f"person{number}@example.com", externalId=f"00uother{number}")


@test
def a_filter_that_is_ignored_over_three_pages_makes_no_second_account(world):
    scim, agent = start(world)
    scim.quirks(page=4, ignore_filter=True)
    crowd(scim, 9)
    old = old_account(scim, ANN.login)
    agent.send(okta.activate(ANN))
    assert await_user(scim, ANN)["id"] == old["id"]
    join(scim, agent, BOB)
    agent.settle()
    assert len(scim.all("Users")) == 11, scim.all("Users")
    check_end(scim, agent)


@test
def a_leaver_behind_a_filter_that_is_ignored_is_found(world):
    scim, agent = start(world)
    scim.quirks(page=4, ignore_filter=True)
    crowd(scim, 9)
    old = old_account(scim, ANN.login)
    agent.send(okta.activate(ANN), okta.deactivate(ANN))
    agent.settle()
    found = [user for user in scim.all("Users") if user["id"] == old["id"]]
    assert found[0]["active"] is False, found
    check_end(scim, agent)


@test
def a_filter_that_is_ignored_by_more_than_anybody_looks_through_is_refused(world):
    scim, agent = start(world)
    crowd(scim, 42)
    scim.quirks(page=2, ignore_filter=True)
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="rejected")
    assert "20 pages" in line["reason"] and "query" in line["reason"], line
    agent.send(okta.deactivate(ANN))
    agent.settle()
    assert agent.log(id=ANN.id)[-1]["outcome"] == "rejected", "a leaver whom nobody can have seen counts as out"
    assert len(scim.all("Users")) == 42, "a second account"


NEXT = 'next: { by = "offset"; parameter = "startIndex"; first = 1; size_parameter = "count"; size = 100; total = "/totalResults"; };'


@test
def one_page_of_several_is_no_nobody(world):
    scim, agent = start(world, replace=[(NEXT, "")])
    crowd(scim, 9)
    old_account(scim, ANN.login)
    scim.quirks(page=4, ignore_filter=True)
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, outcome="rejected")
    assert "takes no notice of the query" in line["reason"] and "`next`" in line["reason"], line
    assert len(scim.all("Users")) == 10, "a second account"


@test
def a_refused_filter_leaves_the_name_to_look_by(world):
    scim, agent = start(world)
    scim.quirks(refuse_filter="externalId")
    old = old_account(scim, ANN.login)
    agent.send(okta.activate(ANN))
    assert await_user(scim, ANN)["id"] == old["id"]
    join(scim, agent, BOB)
    agent.settle()
    check_end(scim, agent)


@test
def a_filter_that_is_refused_is_told_where_no_other_finds_anybody(world):
    scim, agent = start(world, replace=[('outcomes = ( { status = 400; outcome = "gone"; } );', "")])
    scim.quirks(refuse_filter="externalId")
    old = old_account(scim, ANN.login)
    agent.send(okta.activate(ANN))
    assert await_user(scim, ANN)["id"] == old["id"]
    agent.send(okta.activate(BOB))
    line = agent.await_log(id=BOB.id, outcome="rejected")
    assert "Cannot filter by externalId" in line["reason"], line
    assert len(scim.all("Users")) == 1, scim.all("Users")


# Of whom a service shows what: nothing, their groups, their groups when asked, when asked everybody's.
SHOWN = ({}, {"groups": True}, {"refuse_filter": "members"}, {"ignore_filter": True, "page": 2}, {"groups": True, "refuse_filter": "members"})


@test
def a_removed_member_leaves_whatever_the_service_shows_of_groups(world):
    for quirks in SHOWN:
        scim, agent = start(world)
        scim.quirks(**quirks)
        scim.add("Groups", displayName="Other", externalId="00gother")
        for user in (ANN, BOB):
            join(scim, agent, user)
        agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF), okta.member_add(BOB, STAFF))
        await_members(scim, STAFF, ANN, BOB)
        agent.settle()
        changes = len(scim.requests())
        agent.send(okta.activate(BOB))
        agent.await_log(id=BOB.id, outcome="unchanged")
        agent.settle()
        assert len(scim.requests()) == changes, (quirks, scim.requests()[changes:])
        agent.send(okta.member_remove(ANN, STAFF))
        await_members(scim, STAFF, BOB)
        agent.send(okta.member_remove(BOB, STAFF), okta.deactivate(BOB))
        await_members(scim, STAFF)
        await_user(scim, BOB, lambda user: user["active"] is False)
        agent.settle()
        check_end(scim, agent)
        agent.end()


@test
def who_was_put_into_a_group_by_hand_leaves_it_when_okta_says_so(world):
    for quirks in SHOWN:
        scim, agent = start(world)
        scim.quirks(**quirks)
        user = join(scim, agent, ANN)
        agent.send(okta.group_create(STAFF))
        group = await_condition("the group", lambda: scim.group(STAFF))
        agent.settle()
        scim.replace("Groups", {**group, "members": [{"value": user["id"]}]})
        await_members(scim, STAFF, ANN)
        agent.send(okta.member_remove(ANN, STAFF))
        await_members(scim, STAFF)
        agent.settle()
        check_end(scim, agent)
        agent.end()


@test
def a_removal_from_a_group_that_is_answered_and_not_made_is_not_believed(world):
    for quirk in ("ignore", "stale"):
        scim, agent = start(world)
        join(scim, agent, ANN)
        agent.send(okta.group_create(STAFF), okta.member_add(ANN, STAFF))
        await_members(scim, STAFF, ANN)
        agent.settle()
        scim.quirks(**{quirk: "/Groups"})
        agent.send(okta.member_remove(ANN, STAFF))
        line = agent.await_log(id=ANN.id, outcome="retry")
        assert "the group still has the member" in line["reason"] and line["step"] == "member_remove", line
        assert line["leaver"] == "not_out", line
        scim.quirks()
        await_members(scim, STAFF)
        agent.settle()
        check_end(scim, agent)
        agent.end()


@test
def a_leaver_whose_patch_is_answered_and_not_made_is_not_out(world):
    for quirk in ("ignore", "stale"):
        scim, agent = start(world)
        join(scim, agent, ANN)
        agent.settle()
        scim.quirks(**{quirk: "/Users"})
        agent.send(okta.deactivate(ANN))
        line = agent.await_log(id=ANN.id, outcome="retry")
        assert "still enabled" in line["reason"] and line["leaver"] == "not_out", line
        scim.quirks()
        await_user(scim, ANN, lambda user: user["active"] is False)
        agent.settle()
        check_end(scim, agent)
        agent.end()


@test
def an_update_whose_answer_shows_the_account_as_it_was_is_not_believed(world):
    scim, agent = start(world)
    join(scim, agent, ANN)
    agent.settle()
    scim.quirks(stale="/Users")
    agent.send(okta.update(ANN.renamed(ANN.login, "Ann Roe")))
    line = agent.await_log(id=ANN.id, outcome="retry")
    assert 'read again "displayName" is still as it was' in line["reason"], line
    scim.quirks()
    await_user(scim, ANN, lambda user: user["displayName"] == "Ann Roe")
    agent.settle()
    check_end(scim, agent)


@test
def active_is_read_in_each_of_its_spellings(world):
    for active in ("text", "number"):
        scim, agent = start(world)
        scim.quirks(active=active)
        join(scim, agent, ANN)
        agent.settle()
        agent.send(okta.activate(ANN))
        agent.await_log(id=ANN.id, outcome="unchanged")
        agent.send(okta.deactivate(ANN))
        agent.await_log(id=ANN.id, action="disable", outcome="applied")
        agent.settle()
        assert str(scim.user(ANN)["active"]) in ("False", "0"), scim.user(ANN)
        agent.send(okta.event("user.lifecycle.reactivate", ANN))
        agent.await_log(id=ANN.id, action="enable", outcome="applied")
        agent.settle()
        assert [r["method"] for r in scim.requests()] == ["POST", "PATCH", "PATCH"], scim.requests()
        check_end(scim, agent)
        agent.end()


ANNE = User("00uanne", "Anne.Lee@Example.com", "Anne Lee")


@test
def an_account_whose_name_has_another_case_is_the_same(world):
    scim, agent = start(world)
    old = old_account(scim, ANNE.login.lower())
    agent.send(okta.activate(ANNE))
    user = await_user(scim, ANNE)
    assert (user["id"], user["userName"]) == (old["id"], ANNE.login), user
    agent.settle()
    assert len(scim.all("Users")) == 1
    check_end(scim, agent)


@test
def a_service_that_lowers_the_case_of_a_name_is_not_patched_at_each_event(world):
    scim, agent = start(world)
    scim.quirks(lower=True)
    user = join(scim, agent, ANNE)
    assert user["userName"] == ANNE.login.lower(), user
    agent.settle()
    agent.send(okta.activate(ANNE))
    agent.await_log(id=ANNE.id, outcome="unchanged")
    agent.send(okta.deactivate(ANNE))
    await_user(scim, ANNE, lambda user: user["active"] is False)
    agent.settle()
    assert [r["method"] for r in scim.requests()] == ["POST", "PATCH"], scim.requests()
    check_end(scim, agent)


@test
def a_former_colleagues_account_is_not_given_to_a_new_one_of_the_same_name(world):
    scim, agent = start(world)
    old = old_account(scim, ANN.login, externalId="00uold")
    agent.send(okta.activate(ANN))
    line = agent.await_log(id=ANN.id, attempt="2")
    assert "taken" in line["reason"], line
    [user] = scim.all("Users")
    assert (user["id"], user["externalId"], user["displayName"]) == (old["id"], "00uold", "Old"), user


run()
