#!/usr/bin/python3
"""Real applications lose the sessions of whom Okta reports: over HTTP, through the shipped mappings.

Two people sign in, whose names begin alike. Of ann's two browsers one has a request in flight while the event arrives:
it read its session before and writes it afterwards.
"""

import os
import re
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
import redis_store
import web_app
from agent import shipped_mapping
from bounded import SCALE
from databases import Memcached
from okta import User
from redis_store import RedisStore
from tap import Skip, run, test

ANN = User("00uann", "ann", "Ann Lee")
ANN_BY_MAIL = ANN.renamed(login="ann@example.com")  # whom Django knows as number 1
REPORT = "user.account.report_suspicious_activity_by_enduser"

PHPREDIS = ('preset = "express";\n', 'preset = "phpredis";\n')
FLASK = ('preset = "express";\n', 'preset = "flask-session-redis";\n')
CACHED = ('preset = "django-db";\n', 'preset = "django-cached-db";\n')


def shipped(name, *changes):
    """A shipped mapping, with pairs of old and new text. Nobody waits 30 s here for the end of a request."""
    return shipped_mapping(name, (*changes, ('request_timeout = "30 s"', f'request_timeout = "{round(2000 * SCALE)} ms"')))


def serve(world, mapping, **settings):
    """provostd, with one target of these settings."""
    name = re.search(r'target *= "([^"]*)"', mapping)[1]
    target = {"name": name, "connector": "session", "mappings": ["portal.conf"], "settings": {"lock_timeout": "200 ms", **settings}}
    return world.agent(directory=None, mappings_={"portal.conf": mapping}, top={"targets": (target,)})


def a_redis(world):
    if not redis_store.present():
        raise Skip("no Redis: install redis-tools")
    return world.own(RedisStore(world.new_folder("redis")))


def redis_settings(redis):
    return {"store": "redis", "address": [f"127.0.0.1:{redis.port}"]}


def play(agent, app, event, locked=False, written_back=False):
    """`locked`: the request in flight holds its session. `written_back`: its end brings back what the first sweep ended."""
    desk, phone, anna = app.signed_in("ann"), app.signed_in("ann"), app.signed_in("anna")
    slow = app.begin_slow(desk)
    agent.send(event)
    first = agent.await_log(action="revoke", sweep="1")
    assert phone.who() is None and anna.who() == "anna", first
    assert first["sessions_found"] == "2" and first["sessions_ended"] == ("1" if locked else "2"), first
    assert locked or desk.who() is None
    slow.end()
    second = agent.await_log(action="revoke", sweep="2")
    assert second["sessions_ended"] == ("1" if locked or written_back else "0"), second
    assert desk.who() is None and phone.who() is None and anna.who() == "anna", second
    assert app.signed_in("ann").who() == "ann"  # the application still works


# --- Redis

@test
def express_with_connect_redis(world):
    redis = a_redis(world)
    app = web_app.express(world, redis.port)
    play(serve(world, shipped("sessions-redis.conf"), **redis_settings(redis)), app, okta.event(REPORT, ANN), written_back=True)


@test
def express_with_an_own_index(world):
    redis = a_redis(world)
    app = web_app.express(world, redis.port)
    agent = serve(world, shipped("sessions-redis.conf"), **redis_settings(redis), index=True, index_configure=True)
    play(agent, app, okta.event("user.lifecycle.suspend", ANN), written_back=True)


@test
def php_with_phpredis(world):
    redis = a_redis(world)
    app = web_app.php(world, "redis", f"tcp://127.0.0.1:{redis.port}", "redis")
    play(serve(world, shipped("sessions-redis.conf", PHPREDIS), **redis_settings(redis)), app, okta.deactivate(ANN), written_back=True)


@test
def php_with_phpredis_that_locks_its_sessions(world):
    redis = a_redis(world)
    app = web_app.php(world, "redis", f"tcp://127.0.0.1:{redis.port}", "redis", **{"redis.session.locking_enabled": 1})
    play(serve(world, shipped("sessions-redis.conf", PHPREDIS), **redis_settings(redis)), app, okta.deactivate(ANN), locked=True)


@test
def flask_with_flask_session(world):
    redis = a_redis(world)
    app = web_app.flask(world, redis.port)
    play(serve(world, shipped("sessions-redis.conf", FLASK), **redis_settings(redis)), app, okta.event("user.lifecycle.delete.initiated", ANN), written_back=True)


# --- files

@test
def php_with_session_files(world):
    folder = world.new_folder("php-sessions")
    os.makedirs(folder)
    app = web_app.php(world, "files", folder)
    play(serve(world, shipped("sessions-php.conf"), store="files", path=folder), app, okta.event("user.account.update_password", ANN), locked=True)


# --- tables

def django_settings(app, **more):
    """Its database, with the table of markers that the mapping's comment tells to create."""
    path = os.path.join(app.folder, "app.db")
    database = sqlite3.connect(path)
    database.execute(re.search(r"CREATE TABLE provost_marks .*;", shipped_mapping("sessions-sql.conf"))[0])
    database.close()
    return {"store": "sqlite", "path": path, **more}


@test
def django_with_database_sessions(world):
    app = web_app.django(world, "db")
    play(serve(world, shipped("sessions-sql.conf"), **django_settings(app)), app, okta.deactivate(ANN_BY_MAIL))
    database = sqlite3.connect(os.path.join(app.folder, "app.db"))
    assert database.execute("SELECT person, denied FROM provost_marks").fetchall() == [(ANN_BY_MAIL.login, 1)]
    database.close()


@test
def django_with_cached_db_and_memcached(world):
    cache = Memcached()
    app = web_app.django(world, "cached_db", APP_MEMCACHED=str(cache.port))
    settings = django_settings(app, cache="memcached", cache_address=[f"127.0.0.1:{cache.port}"])
    play(serve(world, shipped("sessions-sql.conf", CACHED), **settings), app, okta.event(REPORT, ANN_BY_MAIL))


run()
