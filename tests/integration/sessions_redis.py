#!/usr/bin/python3
"""Sessions in a real Redis are ended by the whole program: what the store in a folder (sessions.py) cannot show."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from bounded import await_condition
from okta import User
from redis_store import RedisStore, present
from tap import Skip, run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
ANNA = User("00uanna", "anna@example.com", "Anna Lee")
MAPPING = ('target = "portal"; kind = "user"; request_timeout = "1 s"; deny = true; mirror: { expires = "12 h"; };\n'
           'sessions: { preset = "express"; user = "{login}"; user_at = "/passport/user"; };\n')


def redis_agent(world, **settings):
    if not present():
        raise Skip("no Redis: install redis-tools")
    redis = world.own(RedisStore(world.new_folder("redis")))
    target = redis.target()
    target["settings"].update(settings)
    agent = world.agent(directory=None, mappings_={"portal.conf": MAPPING}, top={"targets": (target,)})
    return redis, agent


@test
def a_reported_users_express_sessions_end_and_what_comes_late_too(world):
    redis, agent = redis_agent(world)
    for session, user in (("a1", ANN), ("a2", ANN), ("b1", ANNA)):
        redis.open(session, user.login)
    agent.send(okta.event("user.account.report_suspicious_activity_by_enduser", ANN))
    line = agent.await_log(action="revoke", sweep="1")
    assert line["outcome"] == "applied" and line["sessions_ended"] == "2" and redis.sessions() == {"b1"}, line
    redis.open("a1", ANN.login)  # a request in flight
    line = agent.await_log(action="revoke", sweep="2")
    assert line["sessions_ended"] == "1" and redis.sessions() == {"b1"}, line


@test
def markers_stand_in_redis_while_they_hold(world):
    redis, agent = redis_agent(world)
    start = okta.event("user.session.start", ANN)
    start["authenticationContext"]["externalSessionId"] = "idx1"
    agent.send(start)
    mark = json.loads(await_condition("a mirrored sign-in", lambda: redis.cli("GET", "provost:signed_in:" + ANN.login)))
    assert mark["since"] == start["published"] and int(redis.cli("TTL", "provost:signed_in:" + ANN.login)) > 11 * 3600, mark
    agent.send(okta.deactivate(ANN))
    await_condition("denied", lambda: redis.cli("GET", "provost:denied:" + ANN.login))
    assert redis.cli("GET", "provost:signed_in:" + ANN.login) == ""
    agent.send(okta.activate(ANN))
    await_condition("not denied", lambda: redis.cli("GET", "provost:denied:" + ANN.login) == "")


@test
def a_marker_that_a_flush_took_is_put_back_by_the_same_event_of_now(world):
    redis, agent = redis_agent(world)
    redis.open("b1", ANNA.login)  # else an empty Redis tells nothing
    agent.send(okta.deactivate(ANN))
    agent.await_log(action="revoke", sweep="2")
    redis.cli("FLUSHALL")
    agent.send(okta.deactivate(ANN))
    await_condition("denied", lambda: redis.cli("GET", "provost:denied:" + ANN.login))


@test
def an_index_is_begun_before_anybody_leaves(world):
    redis, _ = redis_agent(world, index=True, index_configure=True)
    await_condition("a subscription", lambda: redis.cli("PUBSUB", "NUMPAT") == "1")


@test
def check_says_that_an_index_would_hear_nothing(world):
    redis, agent = redis_agent(world, index=True)
    redis.open("b1", ANNA.login)
    code, out, err = agent.ctl("check", "--connect")
    assert code == 0 and "answers; index cannot work" in out and "set notify-keyspace-events" in out, out + err


@test
def what_does_not_go_with_the_store_is_told_before_anybody_leaves(world):
    address = {"store": "redis", "address": ["127.0.0.1:1"]}
    target = {"name": "portal", "connector": "session", "mappings": ["portal.conf"]}

    def told(settings, sessions, more=""):
        text = f'target = "portal"; kind = "user"; {more}\nsessions: {{ {sessions} user = "{{login}}"; }};\n'
        agent = world.agent(start=False, directory=None, mappings_={"portal.conf": text}, top={"targets": ({**target, "settings": settings},)})
        code, out, err = agent.ctl("check")
        return out + err if code != 0 else ""

    assert told(address, 'preset = "express";') == ""
    assert 'portal.conf:2: sessions.preset "django-db" is not for store = "redis", which has express,' in told(address, 'preset = "django-db";')
    files = {"store": "files", "path": "/tmp"}
    assert told(files, 'preset = "php-files";') == ""
    assert 'store = "files" keeps no markers' in told(files, 'preset = "php-files";', "deny = true;")
    assert "cannot be ended; set deny = true" in told(address, 'preset = "cookie";')
    assert told(address, 'preset = "cookie";', "deny = true;") == ""


@test
def a_redis_that_was_away_is_swept_when_it_is_back(world):
    redis, agent = redis_agent(world)
    redis.open("a1", ANN.login)
    redis.stop()
    agent.send(okta.deactivate(ANN))
    agent.await_log(target="portal", state="down")
    redis.restart()
    agent.await_log(action="revoke", outcome="applied", sweep="1", sessions_ended="1")
    assert redis.sessions() == set()
    agent.await_log(action="revoke", sweep="2")


run()
