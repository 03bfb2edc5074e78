#!/usr/bin/python3
"""Sessions that cannot be read where the user stands (padding, compression, another make or case), in every real store: the user is out, or
named as not out; a stranger's session of the same kind stays."""

import base64
import gzip
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from databases import MariaDB, Memcached
from redis_store import RedisStore, present
from session_drive import Drive
from tables import BYTES, mariadb, postgresql, sqlite, table
from tap import Skip, run, test

PADDING = 10_000_000
OUT, NAMED = "out", "named as not out"


def json_value(name, pad=0, deep=0, code=lambda value: value):
    value = '{"fill": "%s", "deep": %s, "user": "%s"}' % ("x" * pad, "[" * deep + "]" * deep, name)
    return code(value.encode())


def php_value(name, pad=0, deep=0, code=lambda value: value):
    nested = "a:1:{i:0;" * deep + "N;" + "}" * deep
    return code(('fill|s:%d:"%s";deep|%suser|s:%d:"%s";' % (pad, "x" * pad, nested, len(name), name)).encode())


def django_value(name, pad=0, deep=0, code=lambda value: value):
    plain = json_value(name, pad, deep).replace(b'"user"', b'"_auth_user_id"')
    packed = code(plain)
    dot = b"" if packed == plain else b"."
    return dot + base64.urlsafe_b64encode(packed).rstrip(b"=") + b":1tT0Aa:c2lnbmF0dXJl"


def opaque(_value):
    """As an encryption or a compression that is not known leaves it."""
    return b"\x28\xb5\x2f\xfd" + random.Random(7).randbytes(3000)


# what is done to the value, and how it must end
KINDS = {
    "10 MB of padding before the name": ({"pad": PADDING}, OUT),
    "gzip": ({"pad": 5000, "code": gzip.compress}, OUT),
    "zlib": ({"pad": 5000, "code": zlib.compress}, OUT),
    "10 MB of padding, compressed": ({"pad": PADDING, "code": zlib.compress}, OUT),
    "nested too deep": ({"deep": 5000}, OUT),
    "broken before the name": ({"code": lambda value: value.replace(b"deep", b"\\q|Z:\x01", 1)}, OUT),
    "of a make that is not known": ({"code": opaque}, NAMED),
    "in another case": ({"name": "Ann@Example.com"}, NAMED),
}


class Redis:
    layout = {"pattern": "sess:*", "format": "json", "user_at": "/user"}
    make = staticmethod(json_value)

    def __init__(self, world):
        if not present():
            raise Skip("no Redis: install redis-tools")
        self.server = world.own(RedisStore(world.new_folder("redis")))
        self.settings = {"store": "redis", "address": [f"127.0.0.1:{self.server.port}"], "share": 100}

    def cli(self, *words, value):
        subprocess.run(["redis-cli", "-p", str(self.server.port), "-x", *words], input=value, check=True, capture_output=True)

    def put(self, key, value):
        self.cli("SET", "sess:" + key, value=value)

    def has(self, key):
        return self.server.cli("EXISTS", "sess:" + key) == "1"


class RedisIndexed(Redis):
    def __init__(self, world):
        super().__init__(world)
        self.settings.update(index=True, index_configure=True)


class RedisHash(Redis):
    layout = {"pattern": "sess:*", "type": "hash", "field": "data", "format": "json", "user_at": "/user"}

    def put(self, key, value):
        self.cli("HSET", "sess:" + key, "data", value=value)


class PhpRedis(Redis):
    layout = {"preset": "phpredis", "pattern": "sess:*"}
    make = staticmethod(php_value)


class Files:
    layout = {"preset": "php-files"}
    make = staticmethod(php_value)
    name = "sess_"

    def __init__(self, world):
        self.folder = world.new_folder("sessions")
        os.makedirs(self.folder)
        self.settings = {"store": "files", "path": self.folder, "share": 100}

    def path(self, key):
        return os.path.join(self.folder, self.name + key)

    def put(self, key, value):
        with open(self.path(key), "wb") as file:
            file.write(value)

    def has(self, key):
        return os.path.exists(self.path(key))


class DjangoFiles(Files):
    layout = {"preset": "django-file"}
    make = staticmethod(django_value)
    name = "sessionid"


class Table:
    layout = {"table": "sessions", "key_column": "id", "value_column": "data", "format": "json", "user_at": "/user"}
    make = staticmethod(json_value)
    kind = None

    def __init__(self, _world):
        self.server = self.__class__.kind()
        if isinstance(self.server, MariaDB):
            self.server.sql("SET GLOBAL max_allowed_packet = 67108864")
        self.settings = self.server.settings(share=100)
        table(self.server, "sessions", f"id VARCHAR(40) PRIMARY KEY, data {BYTES[self.__class__.kind]}")

    def put(self, key, value):
        binary = sqlite3.Binary(value) if self.__class__.kind is sqlite else value
        self.server.sql("DELETE FROM sessions WHERE id = %s", key)
        self.server.sql("INSERT INTO sessions VALUES (%s, %s)", key, binary)

    def has(self, key):
        return self.server.sql("SELECT count(*) FROM sessions WHERE id = %s", key)[0][0] == 1


class Sqlite(Table):
    kind = sqlite


class Postgresql(Table):
    kind = postgresql


class Mariadb(Table):
    kind = mariadb


class PostgresqlText(Postgresql):
    """Of the type text: no bytes that are no text."""

    layout = {**Table.layout, "format": "django", "user_at": "/_auth_user_id"}
    make = staticmethod(django_value)

    def __init__(self, world):
        super().__init__(world)
        table(self.server, "sessions", "id VARCHAR(40) PRIMARY KEY, data text")

    def put(self, key, value):
        super().put(key, value.decode())


class InMemcached:
    layout = {"preset": "php-memcached", "lock": "", "pattern": "sess.*", "index": "sessions:*"}
    make = staticmethod(php_value)

    def __init__(self, _world):
        self.server = Memcached()
        self.settings = self.server.settings()

    def put(self, key, value):
        with socket.create_connection(("127.0.0.1", self.server.port), 5) as connection:
            connection.sendall(f"set sess.{key} 0 0 {len(value)}\r\n".encode() + value + b"\r\nquit\r\n")
            assert connection.recv(100).startswith(b"STORED")
        self.server.put("sessions:ann@example.com", key)  # as the application lists it

    def has(self, key):
        return self.server.get(f"sess.{key}") is not None


def each_kind(store):
    for kind, (how, end) in KINDS.items():
        how = dict(how)
        yield kind, store.make(how.pop("name", "ann@example.com"), **how), store.make("anna@example.com", **how), end


def check_store(make_store, world):
    store = make_store(world)
    told = []
    for number, (kind, mine, others, end) in enumerate(each_kind(store)):
        store.put(f"mine{number}", mine)
        if end == OUT:  # an opaque value of hers would be named, too
            store.put(f"other{number}", others)
        answer = Drive(**store.settings).revoke(user="ann@example.com", **store.layout)
        out = not store.has(f"mine{number}")
        named = answer["outcome"] == "retry" and f"mine{number}" in (answer["reason"] or "")
        if (OUT if out else NAMED if named else "called well") != end or (end == OUT and not store.has(f"other{number}")):
            told.append(f"{kind}: must be {end}: {answer}")
        for key in (f"mine{number}", f"other{number}"):
            store.put(key, store.make("nobody"))  # of no interest to the next kind
    assert not told, "\n".join(told)


for _name, _store in (("redis", Redis), ("redis_with_an_index", RedisIndexed), ("hashes_of_redis", RedisHash), ("phpredis", PhpRedis),
                      ("php_files", Files), ("django_files", DjangoFiles), ("sqlite", Sqlite), ("postgresql", Postgresql),
                      ("text_in_postgresql", PostgresqlText), ("mariadb", Mariadb)):
    def _one(world, store=_store):
        check_store(store, world)
    _one.__name__ = f"what_cannot_be_read_is_out_or_named_in_{_name}"
    test(_one)


@test
def a_session_in_memcached_that_hides_its_user_is_ended_by_the_applications_list(world):
    store = InMemcached(world)
    drive = Drive(**store.settings)
    for number, (kind, how) in enumerate({"gzip": {"code": gzip.compress}, "opaque": {"code": opaque}, "deep": {"deep": 5000}}.items()):
        store.put(f"mine{number}", store.make("ann@example.com", **how))
        answer = drive.revoke(user="ann@example.com", **store.layout)
        assert answer["outcome"] == "applied" and not store.has(f"mine{number}"), (kind, answer)


@test
def a_list_in_memcached_that_is_too_long_to_go_by_is_named(world):
    store = InMemcached(world)
    store.put("mine", store.make("ann@example.com"))
    store.server.put("sessions:ann@example.com", ",".join([f"none{i:06d}" for i in range(10_000)] + ["mine"]))
    answer = Drive(**store.settings).revoke(user="ann@example.com", **store.layout)
    assert answer["outcome"] == "retry" and "all that sessions:ann@example.com lists after the first 10000" in answer["reason"], answer


@test
def a_script_that_is_forbidden_leaves_a_large_hash_named(world):
    store = RedisHash(world)
    store.server.cli("ACL", "SETUSER", "provost", "on", ">secret", "~*", "+@all", "-@scripting")
    store.put("mine", store.make("ann@example.com", pad=PADDING))
    drive = Drive(**store.settings, user="provost", password="secret", allow_plaintext=True)
    answer = drive.revoke(user="ann@example.com", **store.layout)
    assert answer["outcome"] == "retry" and "sess:mine" in answer["reason"], answer


@test
def a_name_in_another_case_is_ended_or_left_where_the_mapping_says_so(world):
    for make_store in (Redis, RedisIndexed, Files, Sqlite, Postgresql, Mariadb):
        for ignore_case, outcome in ((True, "applied"), (False, "unchanged")):
            store = make_store(world)
            store.put("mine", store.make("ANN@example.com"))
            answer = Drive(**store.settings).revoke(user="ann@example.com", ignore_case=ignore_case, **store.layout)
            assert answer["outcome"] == outcome and store.has("mine") != ignore_case, (make_store.__name__, answer)


@test
def a_name_in_another_case_is_seen_in_a_column_too(_world):
    for kind in (sqlite, postgresql, mariadb):
        server = kind()
        layout = {"table": "sessions", "key_column": "id", "user_column": "who"}
        table(server, "sessions", "id VARCHAR(40) PRIMARY KEY, who VARCHAR(90)", ("s1", "Ann@Example.com"), ("s2", "anna@example.com"))
        drive = Drive(**server.settings())
        answer = drive.revoke(user="ann@example.com", **layout)
        assert answer["outcome"] == "retry" and "(s1)" in answer["reason"] and "ignore_case" in answer["reason"], answer
        assert drive.revoke(user="ann@example.com", ignore_case=False, **layout)["outcome"] == "unchanged"
        answer = drive.revoke(user="ann@example.com", ignore_case=True, **layout)
        assert answer["outcome"] == "applied" and server.sql("SELECT id FROM sessions")[0][0] == "s2", answer


@test
def an_id_is_a_secret_also_where_a_session_is_named(world):
    store = Redis(world)
    store.put("4f3a9c00112233445566778899aabbcc", opaque(b""))
    answer = Drive(**store.settings).revoke(user="ann@example.com", **store.layout)
    assert answer["outcome"] == "retry" and "(sess:4f3a9c…)" in answer["reason"], answer


run()
