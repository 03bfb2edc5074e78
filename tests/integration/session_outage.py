#!/usr/bin/python3
"""Session stores killed, restarted, failing over, full, with another password: nothing is lost, and the state is told.

People leave one after the other while it happens; in the end none of them has a session, and everybody else has.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
import redis_store
from agent import shipped_mapping
from bounded import await_condition
from databases import Memcached
from load import Load
from okta import User
from redis_store import RedisStore
from tap import Skip, run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
SOON = ('request_timeout = "30 s"', 'request_timeout = "1 s"')
PEOPLE = 400
FILL = """for n = 1, ARGV[1] do
    for _, name in ipairs({'out', 'stay'}) do
        redis.call('SET', 'sess:' .. name .. n, '{"passport":{"user":"' .. name .. n .. '@example.com"}}')
    end
end"""


def a_redis(world, *lines):
    if not redis_store.present():
        raise Skip("no Redis: install redis-tools")
    return world.own(RedisStore(world.new_folder("redis"), *lines))


def serve(world, mapping="sessions-redis.conf", changes=(SOON,), **settings):
    target = {"name": "portal-sessions", "connector": "session", "mappings": [mapping], "probe": "100 ms",
              "retry": {"base": "50 ms", "most": "500 ms"}, "settings": {"connect_timeout": "1 s", "timeout": "2 s", **settings}}
    return world.agent(directory=None, mappings_={mapping: shipped_mapping(mapping, changes)}, top={"targets": (target,)})


def await_state(agent, state, within_s=15):
    return await_condition(f"the target is {state}", lambda: (lambda t: t if t["state"] == state else None)(agent.target_status()), within_s)


def await_told(agent, text):
    """Why it is down, in `status`."""
    await_condition(f"a reason with {text}", lambda: text in (agent.target_status()["last_error"] or ""))


def leave_one_after_the_other(agent):
    return Load(agent, "out", threads=2, most=PEOPLE, happens=lambda user: [[okta.deactivate(user)]]).start()


def await_more(load, events):
    so_far = load.count()
    await_condition("events are taken", lambda: load.count() >= min(so_far + events, PEOPLE))


def await_all_swept(agent, load, redis):
    """Both sweeps of everybody, wherever the server was meanwhile."""
    load.stop()
    agent.settle(60)
    await_condition("no second sweep is due", lambda: agent.target_status()["due"] == 0, 30)
    agent.settle(60)
    gone = {user.login.removesuffix("@example.com") for user in load.users}
    everybody = {f"{name}{n}" for n in range(1, PEOPLE + 1) for name in ("out", "stay")}
    assert len(gone) > 0 and redis.sessions() == everybody - gone, f"{sorted(redis.sessions() & gone)[:5]} still have sessions"
    assert agent.target_status()["dead"] == 0, agent.ctl("dead")[1]
    swept = {line["user"] for line in agent.log(action="revoke", sweep="2")}
    assert swept == {user.login for user in load.users}


@test
def redis_killed_and_restarted_while_people_leave_loses_nobody(world):
    redis = a_redis(world)
    redis.cli("EVAL", FILL, "0", str(PEOPLE))
    agent = serve(world, address=[f"127.0.0.1:{redis.port}"])
    load = leave_one_after_the_other(agent)
    for _ in range(2):
        await_more(load, 60)
        redis.kill()
        await_state(agent, "down")
        await_told(agent, str(redis.port))
        await_more(load, 40)
        redis.restart()
        await_state(agent, "up")
    await_all_swept(agent, load, redis)
    assert len(agent.log(target="portal-sessions", state="down")) >= 2


@test
def a_failover_while_people_leave_loses_nobody(world):
    """What the old master ended may not have reached the new one: the second sweep finds it there."""
    master = a_redis(world, "repl-diskless-sync-delay 0")
    replica = a_redis(world, f"replicaof 127.0.0.1 {master.port}")
    sentinel = a_redis(world, "sentinel", f"sentinel monitor prime 127.0.0.1 {master.port} 1", "sentinel down-after-milliseconds prime 500",
                       "sentinel failover-timeout prime 4000")
    master.cli("EVAL", FILL, "0", str(PEOPLE))
    await_condition("the replica has it all", lambda: len(replica.sessions()) == 2 * PEOPLE)
    await_condition("the Sentinel knows the replica", lambda: "num-slaves\n1" in sentinel.cli("SENTINEL", "MASTER", "prime"))
    agent = serve(world, sentinel="prime", address=[f"127.0.0.1:{sentinel.port}"])
    load = leave_one_after_the_other(agent)
    await_more(load, 60)
    master.kill()
    await_state(agent, "down")
    await_state(agent, "up", 30)
    assert replica.cli("ROLE").startswith("master")
    await_all_swept(agent, load, replica)


@test
def another_password_while_people_leave_is_told_and_made_good(world):
    redis = a_redis(world)
    redis.cli("EVAL", FILL, "0", str(PEOPLE))
    rights = re.search(r"#\s+ACL SETUSER provost on >SECRET (.*)", shipped_mapping("sessions-redis.conf"))[1]
    redis.cli("ACL", "SETUSER", "provost", "on", ">first-secret", *rights.split())
    secret = os.path.join(world.new_folder("secret"))
    write_secret(secret, "first-secret")
    agent = serve(world, address=[f"127.0.0.1:{redis.port}"], user="provost", password="file:" + secret)
    load = leave_one_after_the_other(agent)
    await_more(load, 60)
    redis.cli("ACL", "SETUSER", "provost", "resetpass", ">other-secret")
    redis.cli("CLIENT", "KILL", "USER", "provost")
    await_state(agent, "down")
    await_told(agent, "password")
    await_more(load, 40)
    write_secret(secret, "other-secret")
    assert agent.ctl("reload")[0] == 0
    await_state(agent, "up")
    await_all_swept(agent, load, redis)
    for text in (agent.read("status.log"), agent.read("stderr"), str(agent.status())):
        assert "first-secret" not in text and "other-secret" not in text


def write_secret(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")


@test
def a_full_redis_loses_the_sessions_and_gets_its_markers_later(world):
    redis = a_redis(world)
    redis.open("a1", ANN.login)
    agent = serve(world, address=[f"127.0.0.1:{redis.port}"])
    redis.cli("CONFIG", "SET", "maxmemory", "1")
    agent.send(okta.deactivate(ANN))
    line = agent.await_log(action="revoke", sweep="1")
    assert line["sessions_ended"] == "1" and redis.sessions() == set(), line
    refused = agent.await_log(action="update", outcome="retry")
    assert "memory" in refused["reason"], refused
    assert redis.cli("EXISTS", "provost:denied:" + ANN.login) == "0"
    redis.cli("CONFIG", "SET", "maxmemory", "0")
    await_condition("the marker", lambda: redis.cli("EXISTS", "provost:denied:" + ANN.login) == "1")


MEMCACHED = (('preset = "express";\n', 'preset = "php-memcached"; index = "sessions:*";\n'), ("deny = true;", ""), SOON)


@test
def a_memcached_that_was_away_is_swept_when_it_is_back(world):
    cache = Memcached()
    agent = serve(world, changes=MEMCACHED, store="memcached", address=[f"127.0.0.1:{cache.port}"])
    cache.kill()
    agent.send(okta.deactivate(ANN))
    await_state(agent, "down")
    cache.start()  # empty, as it always starts; then somebody's browser makes the application write its session again
    for session, user in (("a1", ANN.login), ("b1", "anna@example.com")):
        cache.put("memc.sess.key." + session, f'user|s:{len(user)}:"{user}";')
        cache.put("sessions:" + user, session)
    await_state(agent, "up")
    agent.await_log(action="revoke", sweep="2")
    assert cache.get("memc.sess.key.a1") is None and cache.get("memc.sess.key.b1") is not None
    assert agent.target_status()["dead"] == 0


run()
