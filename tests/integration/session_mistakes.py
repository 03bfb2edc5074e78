#!/usr/bin/python3
"""Session targets that are set up wrongly, over every real store: `check --connect` names each, and no sweep of them is ever called well."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from bounded import await_condition
from databases import PASSWORD, Memcached, free_port
from okta import User
from redis_store import RedisStore, present
from tables import mariadb, postgresql, sqlite, table
from tap import Skip, run, test

ANN, BOB = User("00uann", "ann@example.com", "Ann Lee"), User("00ubob", "bob@example.com", "Bob Ray")
PEOPLE = (ANN, BOB)
INDEX = "spring:session:index:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME:"


class Stores:
    """One of each kind, with a session of each person."""

    def __init__(self, world):
        if not present():
            raise Skip("no Redis: install redis-tools")
        self.world = world
        self.redis = world.own(RedisStore(world.new_folder("redis")))
        for number, user in enumerate(PEOPLE):
            self.redis.open(f"s{number}", user.login)
            self.redis.cli("HSET", f"app:{number}", "data", json.dumps({"user": user.login}))
            self.redis.cli("SADD", INDEX + user.login, f"id{number}")
            self.redis.cli("HSET", f"spring:session:sessions:id{number}", "creationTime", "1", "lastAccessedTime", "1", "maxInactiveInterval", "1800")
            self.redis.cli("SET", f"PHPREDIS_SESSION:p{number}", self.php(user))
        self.folder, self.nested, self.empty, self.django = (self.folder_of(name) for name in ("php", "nested", "empty", "django"))
        os.makedirs(os.path.join(self.nested, "a"))
        for number, user in enumerate(PEOPLE):
            self.write(self.folder, f"sess_s{number}", self.php(user))
            self.write(os.path.join(self.nested, "a"), f"sess_as{number}", self.php(user))
            self.write(self.django, f"sessionidd{number}", "eyJfYXV0aF91c2VyX2lkIjoiMTIifQ:1tT0Aa:c2ln")  # {"_auth_user_id":"12"}
        self.memcached = Memcached()
        for number, user in enumerate(PEOPLE):
            self.memcached.put(f"memc.sess.key.m{number}", self.php(user))
            self.memcached.put(f"sessions:{user.login}", f"m{number}")
        self.databases = {kind.__name__: kind() for kind in (sqlite, postgresql, mariadb)}
        for server in self.databases.values():
            self.fill(server)

    def folder_of(self, name):
        folder = self.world.new_folder(name)
        os.makedirs(folder, exist_ok=True)
        return folder

    @staticmethod
    def write(folder, name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    @staticmethod
    def php(user):
        return f'cart|i:1;user|s:{len(user.login)}:"{user.login}";'

    @staticmethod
    def fill(server):
        columns = "id VARCHAR(40) PRIMARY KEY, who VARCHAR(90), number BIGINT, ip VARCHAR(40), active BIGINT, data VARCHAR(900), ends BIGINT"
        rows = [(f"4f3a9c0011223344{number}", user.login, 12 + number, "10.0.0.1", 1764400000, json.dumps({"user": user.login}), 4102444800)
                for number, user in enumerate(PEOPLE)]
        table(server, "sessions", columns, *rows)
        table(server, "others", columns, *[(row[0], None, *row[2:5], '{"cart": 1}', row[6]) for row in rows])
        table(server, "people", "number BIGINT PRIMARY KEY, email VARCHAR(90), name VARCHAR(90)",
              *[(12 + number, user.login, user.name) for number, user in enumerate(PEOPLE)])

    # ---- what is right: settings, and the group sessions ----

    def right(self):
        redis = {"store": "redis", "address": [f"127.0.0.1:{self.redis.port}"], "allow_plaintext": True}
        files = {"store": "files", "path": self.folder}
        rights = {
            "redis": (redis, {"preset": "express"}),
            "redis-hash": (redis, {"pattern": "app:*", "type": "hash", "field": "data", "format": "json", "user_at": "/user"}),
            "spring": (redis, {"preset": "spring-redis-indexed"}),
            "phpredis": (redis, {"preset": "phpredis"}),
            "files": (files, {"preset": "php-files"}),
            "files-nested": ({**files, "path": self.nested}, {"preset": "php-files", "levels": 1}),
            "memcached": (self.memcached.settings(), {"preset": "php-memcached", "lock": ""}),
        }
        for name, server in self.databases.items():
            column = {"table": "sessions", "key_column": "id"}
            rights[name] = (server.settings(), {**column, "user_column": "who"})
            rights[name + "-value"] = (server.settings(), {**column, "value_column": "data", "format": "json", "user_at": "/user", "expires_column": "ends",
                                                           "expires_unit": "s"})
            rights[name + "-lookup"] = (server.settings(), {**column, "user_column": "number", "lookup": "SELECT number FROM people WHERE email = $1"})
        return rights

    # ---- what is wrong: of which, what, and a word of what must be told; "check": only `check` sees it before anybody leaves ----

    def mistakes(self):
        closed = [f"127.0.0.1:{free_port()}"]
        wrong = [
            ("redis", "pattern", {"sessions": {"pattern": "session:*"}}, "there is no key in database 0"),
            ("redis", "prefix", {"sessions": {"pattern": "app:sess:*"}}, "that fits app:sess:*"),
            ("redis", "database", {"settings": {"database": 1}}, "there is no key in database 1"),
            ("redis", "user_at", {"sessions": {"user_at": "/user/name"}}, "has anybody at /user/name"),
            ("redis", "format", {"sessions": {"format": "php"}}, 'as format = "'),
            ("redis", "type", {"sessions": {"type": "hash", "field": "data"}}, "do not fit"),
            ("redis", "encoding", {"sessions": {"encoding": "base64"}}, 'as format = "'),
            ("redis", "address", {"settings": {"address": closed}}, "cannot connect"),
            ("redis", "password", {"settings": {"password": "wrong"}}, "password"),
            ("redis", "cluster", {"settings": {"cluster": True}}, "no cluster"),
            ("redis", "index-pattern", {"settings": {"index": True, "index_configure": True}, "sessions": {"pattern": "session:*"}}, "there is no key"),
            ("redis", "id-for-login", {"user": "{id}"}, "addresses with an @"),
            ("redis", "name-for-address", {"user": "{login | before '@'}"}, "addresses with an @"),
            ("redis-hash", "field", {"sessions": {"field": "value"}}, "can be read at once"),
            ("redis-hash", "string", {"sessions": {"type": "string", "field": ""}}, "do not fit"),
            ("redis-hash", "user_at", {"sessions": {"user_at": "/who"}}, "has anybody at /who"),
            ("spring", "index", {"sessions": {"index": "app:index:*"}}, "that fits app:index:*"),
            ("spring", "id-for-login", {"user": "{id}"}, "addresses with an @"),
            ("phpredis", "user_at", {"sessions": {"user_at": "/auth/name"}}, "has anybody at /auth/name"),
            ("phpredis", "pattern", {"sessions": {"pattern": "PHPREDIS:*"}}, "that fits PHPREDIS:*"),
            ("files", "folder", {"settings": {"path": self.empty}}, "there is no file"),
            ("files", "missing-folder", {"settings": {"path": self.empty + "/none"}}, "cannot be used"),
            ("files", "pattern", {"sessions": {"pattern": "sessionid*"}}, "do not fit"),
            ("files", "levels", {"sessions": {"levels": 1}}, "1 folders deep"),
            ("files-nested", "levels", {"sessions": {"levels": 0}}, "0 folders deep"),
            ("files", "user_at", {"sessions": {"user_at": "/username"}}, "has anybody at /username"),
            ("files", "format", {"sessions": {"format": "django"}}, 'as format = "'),
            ("files", "id-for-login", {"user": "{id}"}, "addresses with an @"),
            ("memcached", "pattern", {"sessions": {"pattern": "sess.*"}}, "fits sess.*"),
            ("memcached", "index", {"sessions": {"index": "users:*"}}, "under users:*"),
            ("memcached", "address", {"settings": {"address": closed}}, "memcached at"),
            ("memcached", "id-for-login", {"user": "{id}"}, "addresses with an @"),
        ]
        for name in self.databases:
            wrong += [
                (name, "table", {"sessions": {"table": "sesions"}}, "sesions"),
                (name, "other-table", {"sessions": {"table": "others"}}, "has anybody at who"),
                (name, "key_column", {"sessions": {"key_column": "sid"}}, "sid"),
                (name, "user_column", {"sessions": {"user_column": "login"}}, "login"),
                (name, "ip-for-login", {"sessions": {"user_column": "ip"}}, "IP addresses"),
                (name, "key-for-login", {"sessions": {"user_column": "id"}}, "ids of letters and digits"),
                (name, "id-for-login", {"user": "{id}"}, "addresses with an @"),
                (name, "created_column", {"sessions": {"created_column": "begun"}}, "begun"),
                (name + "-value", "value_column", {"sessions": {"value_column": "ip"}}, 'as format = "'),
                (name + "-value", "format", {"sessions": {"format": "php"}}, 'as format = "'),
                (name + "-value", "user_at", {"sessions": {"user_at": "/name"}}, "has anybody at /name"),
                (name + "-value", "expires_column", {"sessions": {"expires_column": "until"}}, "until"),
                (name + "-value", "expires_unit", {"sessions": {"expires_unit": "ms"}}, "has not ended"),
                (name + "-lookup", "lookup-column", {"sessions": {"lookup": "SELECT number FROM people WHERE mail = $1"}}, "mail"),
                (name + "-lookup", "lookup-asks-otherwise", {"sessions": {"lookup": "SELECT number FROM people WHERE name = $1"}}, "lookup gives no id"),
                (name + "-lookup", "lookup-gives-otherwise", {"sessions": {"user_column": "who"}}, "unlike 12"),
                (name + "-lookup", "time-for-number", {"sessions": {"user_column": "active"}}, "names are times"),
            ]
            if name != "sqlite":
                wrong += [(name, "password", {"settings": {"password": "no-" + PASSWORD}}, "log-in"), (name, "dbname", {"settings": {"dbname": "nobody"}}, "nobody"),
                          (name, "address", {"settings": {"address": closed}}, "127.0.0.1")]
        wrong.append(("sqlite", "path", {"settings": {"path": self.empty + "/none.db"}}, "cannot be opened"))
        return wrong


# What `check --connect` cannot know, since nobody is leaving yet: whose names will be looked for.
ONLY_A_SWEEP = ("id-for-login", "name-for-address", "ip-for-login", "key-for-login", "lookup-asks-otherwise", "lookup-gives-otherwise", "time-for-number")


def conf(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if not isinstance(value, list) else "[ " + ", ".join(map(json.dumps, value)) + " ]"


def make_agent(world, targets, start=True):
    """`targets`: name → (settings, sessions, user)."""
    entries, mappings = [], {}
    for name, (settings, sessions, user) in targets.items():
        settings = dict(settings)
        if "password" in settings:
            secret = os.path.join(world.new_folder("secret"), "password")
            os.makedirs(os.path.dirname(secret), exist_ok=True)
            with open(secret, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write(settings["password"])
            settings["password"] = "file:" + secret
        entries.append({"name": name, "connector": "session", "mappings": [name + ".conf"], "workers": 1, "probe": "200 ms", "retry": {"base": "50 ms", "most": "1 s"},
                        "settings": settings})
        lines = " ".join(f"{key} = {conf(value)};" for key, value in sessions.items())
        mappings[name + ".conf"] = f'target = "{name}"; kind = "user"; request_timeout = "1 s";\nsessions: {{ user = "{user}"; {lines} }};\n'
    return world.agent(start=start, directory=None, mappings_=mappings, top={"targets": tuple(entries)})


def planted(stores):
    rights = stores.right()
    for of, what, change, words in stores.mistakes():
        settings, sessions = rights[of]
        yield f"{of}--{what}", ({**settings, **change.get("settings", {})}, {**sessions, **change.get("sessions", {})}, change.get("user", "{login}")), words


def check(agent):
    code, out, err = agent.ctl("check", "--connect", "--json")
    told = json.loads(out)
    assert not told["problems"], told["problems"]
    return code, {target["name"]: target for target in told["targets"]}, err


@test
def right_settings_of_every_store_answer_and_say_how_many_would_be_found(world):
    stores = Stores(world)
    agent = make_agent(world, {name: (*right, "{login}") for name, right in stores.right().items()}, start=False)
    code, targets, _ = check(agent)
    bad = {name: target for name, target in targets.items() if not (target["answers"] and target["sessions"]["ok"] and "2 with somebody" in target["sessions"]["note"])}
    assert code == 0 and not bad, bad
    code, out, err = agent.ctl("check", "--connect")
    assert code == 0 and out.count("    answers") == len(targets) and "2 with somebody at /passport/user (addresses with an @)" in out, out + err


@test
def check_names_every_planted_mistake_and_calls_none_an_answer(world):
    stores = Stores(world)
    table_ = {name: (entry, words) for name, entry, words in planted(stores) if not name.endswith(ONLY_A_SWEEP)}
    assert len(table_) >= 20
    agent = make_agent(world, {name: entry for name, (entry, _) in table_.items()}, start=False)
    code, targets, _ = check(agent)
    bad = []
    for name, (_, words) in table_.items():
        target = targets[name]
        told = target["sessions"].get("reason") if target["answers"] else target["reason"]
        if words not in (told or ""):
            bad.append(f"{name}: {words!r} is not in: {told or target}")
    assert code == 1 and not bad, "\n".join(bad)
    code, out, err = agent.ctl("check", "--connect")
    assert code == 1 and "    answers" not in out and PASSWORD not in out, out + err


@test
def no_store_with_a_setting_that_is_wrong_is_ever_called_well(world):
    stores = Stores(world)
    table_ = {name: (entry, words) for name, entry, words in planted(stores)}
    agent = make_agent(world, {name: entry for name, (entry, _) in table_.items()})
    agent.send(okta.deactivate(ANN))

    def ill():
        code, out, _ = agent.ctl("status", "--json")
        targets = {target["name"]: target for target in json.loads(out)["targets"]}
        well = []
        for name, (_, words) in table_.items():
            target = targets[name]
            told = (target["unseen"].get("reason") or "") + " " + str(target["last_error"] or "")
            named = target["unseen"]["lanes"] > 0 or target["dead"] > 0 or target["state"] == "down" or target["leavers"]["not_out"] > 0
            if not (named and words in told):
                well.append(f"{name}: {words!r} is not in: {told}: {target['state']}, {target['unseen']}, {target['leavers']}")
        ill.well = well
        return code == 1 and not well
    try:
        await_condition("every target tells that it is not well", ill, 60)
    except AssertionError as error:
        raise AssertionError("\n".join(ill.well)) from error
    code, out, _ = agent.ctl("status")
    assert code == 1 and "All is well" not in out, out
    for line in agent.log():
        assert not (line.get("action") == "revoke" and line.get("outcome") in ("applied", "unchanged")), line


@test
def an_empty_redis_is_no_proof_until_somebody_was_found_there(world):
    redis = world.own(RedisStore(world.new_folder("redis")))
    agent = world.agent(directory=None, mappings_={"portal.conf": 'target = "portal"; kind = "user"; request_timeout = "1 s";\n'
                                                   'sessions: { preset = "express"; user = "{login}"; };\n'}, top={"targets": (redis.target(),)})
    agent.send(okta.deactivate(ANN))
    line = agent.await_log(action="revoke", outcome="unseen")
    assert line["level"] == "warning" and line["leaver"] == "not_out" and "there is no key in database 0" in line["reason"], line
    code, out, _ = agent.ctl("status")
    assert code == 1 and "Sessions of 1 in portal were looked for where nobody could be found" in out, out
    redis.open("b1", BOB.login)  # somebody signs in: Ann could have been found
    agent.await_log(action="revoke", outcome="unchanged", user=ANN.login)
    agent.send(okta.deactivate(BOB))
    agent.await_log(action="revoke", outcome="applied", user=BOB.login)
    carol = User("00ucarol", "carol@example.com", "Carol Fox")
    agent.send(okta.deactivate(carol))  # the store is empty again, and known to be right
    agent.await_log(action="revoke", outcome="unchanged", user=carol.login)
    agent.restart()
    dora = User("00udora", "dora@example.com", "Dora Poe")
    agent.send(okta.deactivate(dora))
    agent.await_log(action="revoke", outcome="unchanged", user=dora.login)


@test
def a_mapping_that_is_mended_ends_what_could_not_be_found(world):
    redis = world.own(RedisStore(world.new_folder("redis")))
    text = 'target = "portal"; kind = "user"; request_timeout = "1 s";\nsessions: { preset = "express"; user = "{login}"; pattern = "%s"; };\n'
    target = redis.target()
    target["retry"] = {"base": "60 s", "most": "60 s"}
    agent = world.agent(directory=None, mappings_={"portal.conf": text % "session:*"}, top={"targets": (target,)})
    redis.open("a1", ANN.login)
    agent.send(okta.deactivate(ANN))
    agent.await_log(action="revoke", outcome="unseen")
    agent.write_mapping("portal.conf", text % "sess:*")
    agent.ctl("reload")
    agent.await_log(action="revoke", outcome="applied", user=ANN.login)
    assert redis.sessions() == set()


run()
