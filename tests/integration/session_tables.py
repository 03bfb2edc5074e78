#!/usr/bin/python3
"""Sessions in tables: the connector against real PostgreSQL, MariaDB and SQLite."""

import datetime
import os
import sqlite3
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import need_fault_points
from databases import PASSWORD, free_port
from redis_store import RedisStore, present
from session_drive import FAR_OFF, LONG_AGO, Drive
from tables import BYTES, TEXT, SQLite, mariadb, memcached, postgresql, sqlite, table
from tap import Skip, run, test

GENERIC = {"table": "sessions", "key_column": "id", "user_column": "who"}
JSON = {"table": "sessions", "key_column": "id", "value_column": "data", "format": "json", "user_at": "/user"}
MARKS = "person {text} PRIMARY KEY, denied SMALLINT NOT NULL, since_ms BIGINT, expires_ms BIGINT"


def each(*kinds):
    """One test for each kind of database, named after it."""
    def wrap(function):
        for kind in kinds or (sqlite, postgresql, mariadb):
            def one(world, kind=kind):
                function(kind, kind())
            one.__name__ = f"{function.__name__}_in_{kind.__name__}"
            test(one)
        return function
    return wrap


def keys(server, name="sessions", column="id"):
    return sorted(row[0].strip() if isinstance(row[0], str) else row[0] for row in server.sql(f"SELECT {column} FROM {name}"))


def expect(answer, outcome, found=None, ended=None):
    assert answer["outcome"] == outcome, answer
    assert found is None or (answer["found"], answer["ended"]) == (found, ended), answer
    return answer


def denied_words(answer, *words):
    for word in words:
        assert word in answer["reason"], f"{word!r} is not in: {answer['reason']}"
    assert PASSWORD not in str(answer), answer


@each()
def the_sessions_of_one_person_end_and_nobody_elses(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"), ("s2", "anna"), ("s3", "ann"), ("s4", "an"), ("s5", None))
    drive = Drive(**server.settings())
    expect(drive.revoke(user="ann", **GENERIC), "applied", 2, 2)
    assert keys(server) == ["s2", "s4", "s5"]
    expect(drive.revoke(user="ann", **GENERIC), "unchanged", 0, 0)
    assert PASSWORD not in drive.told


@each()
def former_names_of_the_person_count(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"), ("s2", "ann.old"), ("s3", "bob"))
    expect(Drive(**server.settings()).revoke(user="ann", former=["ann.old", "ann"], **GENERIC), "applied", 2, 2)
    assert keys(server) == ["s3"]


@each(mariadb)
def a_loose_comparison_of_the_server_ends_nobody_elses_session(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "Ann"), ("s2", "ánn"), ("s3", "ann "), ("s4", "ann"))
    expect(Drive(**server.settings()).revoke(user="ann", ignore_case=False, **GENERIC), "applied", 1, 1)
    assert keys(server) == ["s1", "s2", "s3"]
    table(server, "sessions", "id VARCHAR(40) PRIMARY KEY, who BIGINT", ("s1", 0), ("s2", 12))
    drive = Drive(**server.settings())
    expect(drive.revoke(user="ann", **GENERIC), "unchanged", 0, 0)
    expect(drive.revoke(user="12abc", **GENERIC), "unchanged", 0, 0)
    expect(drive.revoke(user="12", **GENERIC), "applied", 1, 1)


@each(postgresql)
def a_name_that_does_not_fit_the_column_is_rejected_with_a_sentence(_kind, server):
    table(server, "sessions", "id varchar(40) PRIMARY KEY, who bigint", ("s1", 12))
    drive = Drive(**server.settings())
    denied_words(expect(drive.revoke(user="ann", **GENERIC), "rejected"), "does not fit", "22P02", "lookup")
    expect(drive.revoke(user="12", **GENERIC), "applied", 1, 1)


@each()
def an_applications_own_id_is_looked_up(kind, server):
    table(server, "users", f"id INTEGER PRIMARY KEY, email {TEXT[kind]}", (17, "ann@example.com"), (18, "bob@example.com"))
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who INTEGER", ("s1", 17), ("s2", 18), ("s3", None))
    drive = Drive(**server.settings())
    lookup = "SELECT id FROM users WHERE email = $1 AND '$1' <> $1"
    expect(drive.revoke(user="ann@example.com", lookup=lookup, **GENERIC), "applied", 1, 1)
    assert keys(server) == ["s2", "s3"]
    nobody = expect(drive.revoke(user="eve' OR '1'='1", lookup=lookup, **GENERIC), "unchanged", 0, 0)
    assert "lookup gives no id" in nobody["note"], nobody
    many = expect(drive.revoke(user="x", lookup="SELECT id FROM users WHERE $1 = 'x' UNION ALL " + " UNION ALL ".join(["SELECT 99"] * 20), **GENERIC), "rejected")
    denied_words(many, "more than 16 ids")


@each()
def a_lookup_cannot_write(kind, server):
    table(server, "users", f"id INTEGER PRIMARY KEY, email {TEXT[kind]}", (17, "ann"))
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who INTEGER", ("s1", 17))
    drive = Drive(**server.settings())
    answer = drive.revoke(user="ann", lookup="DELETE FROM users WHERE email = $1 RETURNING id", **GENERIC)
    assert answer["outcome"] != "applied", answer
    assert server.sql("SELECT id FROM users") and keys(server) == ["s1"]
    expect(drive.revoke(user="ann", lookup="SELECT id FROM users WHERE email = $1", **GENERIC), "applied", 1, 1)


@each()
def sessions_begun_after_the_event_stay(kind, server):
    table(server, "spring_session" if kind is not mariadb else "SPRING_SESSION",
          "PRIMARY_ID CHAR(36) PRIMARY KEY, PRINCIPAL_NAME VARCHAR(100), CREATION_TIME BIGINT",
          ("a" * 36, "ann", 1_700_000_000_000), ("b" * 36, "ann", 1_700_000_100_000), ("c" * 36, "bob", 1_600_000_000_000))
    drive = Drive(**server.settings())
    answer = expect(drive.revoke(preset="spring-jdbc", user="ann", before="2023-11-14T22:14:00Z", dated_only=True), "applied", 2, 1)
    assert "kept" in answer["note"], answer
    assert len(server.sql(f"SELECT 1 FROM {'SPRING_SESSION' if kind is mariadb else 'spring_session'}")) == 2


@each()
def dates_of_creation_are_read(kind, server):
    kinds = {sqlite: "TEXT", postgresql: "timestamptz", mariadb: "DATETIME(6)"}
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}, born {kinds[kind]}",
          ("s1", "ann", "2023-11-14 22:13:20.5"), ("s2", "ann", "2023-11-14 22:13:21.5"), ("s3", "ann", None))
    drive = Drive(**server.settings())
    sessions = {**GENERIC, "created_column": "born", "created_unit": "date"}
    expect(drive.revoke(user="ann", before="2023-11-14T22:13:21Z", dated_only=True, **sessions), "applied", 3, 1)
    assert keys(server) == ["s2", "s3"]
    expect(drive.revoke(user="ann", before="2023-11-14T22:13:21Z", **sessions), "applied", 2, 1)
    assert keys(server) == ["s2"]


@each()
def values_are_looked_into_page_by_page(kind, server):
    rows = [(f"k{i:04d}", '{"user": "%s"}' % ("ann" if i % 10 == 3 else "anna")) for i in range(95)]
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, data {TEXT[kind].split()[0]}", *rows)
    expect(Drive(**server.settings(step=10, share=100)).revoke(user="ann", **JSON), "applied", 10, 10)
    assert keys(server) == [key for key, value in rows if '"anna"' in value]


@each()
def hostile_values_end_nobody_else_and_are_told(kind, server):
    rows = [("big", b'{"user": "ann"}' + b" " * 10_000_000), ("binary", bytes(range(256)) * 20), ("null", None), ("empty", b""), ("short", b'{"user": "ann'),
            ("quoted", b'{"user": "bob", "note": "\\"user\\": \\"ann\\""}'), ("theirs", b'{"user": "ann"}')]
    if kind is mariadb:
        server.sql("SET GLOBAL max_allowed_packet = 67108864")
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, data {BYTES[kind]}", *rows)
    answer = expect(Drive(**server.settings()).revoke(user="ann", **JSON), "retry", 2, 2)
    denied_words(answer, "1 sessions cannot be looked into", "(binary)")
    assert keys(server) == sorted(key for key, _ in rows if key not in ("theirs", "big"))


@each()
def keys_of_bytes_and_names_in_need_of_quotes_work(kind, server):
    quote = "`" if kind is mariadb else '"'
    name = f"{quote}odd; name{quote}"
    key = {sqlite: "BLOB", postgresql: "bytea", mariadb: "VARBINARY(16)"}[kind]
    table(server, name, f"{quote}the-key{quote} {key} PRIMARY KEY, {quote}order{quote} {TEXT[kind]}",
          (b"\x00\x01'", "ann"), (b"\x00\x02\xff", "ann"), (b"\xff", "bob"))
    drive = Drive(**server.settings(step=10))
    expect(drive.revoke(user="ann", table="odd; name", key_column="the-key", user_column="order"), "applied", 2, 2)
    assert [bytes(row[0]) for row in server.sql(f"SELECT {quote}the-key{quote} FROM {name}")] == [b"\xff"]
    server.sql(f"DROP TABLE {name}")


@each(postgresql)
def names_fold_as_the_server_folds_them(_kind, server):
    table(server, '"Kept"', '"Id" text PRIMARY KEY, WHO text', ("s1", "ann"))
    drive = Drive(**server.settings())
    expect(drive.revoke(user="ann", table='"Kept"', key_column='"Id"', user_column="Who"), "applied", 1, 1)
    table(server, '"Kept"', '"Id" text PRIMARY KEY, WHO text', ("s1", "ann"))
    expect(drive.revoke(user="ann", table='public."Kept"', key_column='"Id"', user_column="WHO"), "applied", 1, 1)


@each()
def rows_that_have_ended_are_not_looked_at(kind, server):
    dates = {sqlite: "TEXT", postgresql: "timestamptz", mariadb: "DATETIME"}
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, data {TEXT[kind].split()[0]}, until {dates[kind]}",
          ("old", '{"user": "ann"}', "2001-01-01 00:00:00"), ("new", '{"user": "ann"}', "2101-01-01 00:00:00"), ("none", '{"user": "ann"}', None))
    expect(Drive(**server.settings()).revoke(user="ann", expires_column="until", expires_unit="date", **JSON), "applied", 2, 2)
    assert keys(server) == ["old"]


@each()
def a_session_that_lives_is_ended_though_our_clock_is_a_month_ahead(kind, server):
    need_fault_points()
    now = datetime.datetime.now(datetime.timezone.utc)
    dates = {sqlite: "TEXT", postgresql: "timestamptz", mariadb: "DATETIME"}
    in_a_week = (now + datetime.timedelta(days=7)).strftime("%Y-%m-%d %H:%M:%S")
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, data {TEXT[kind].split()[0]}, until {dates[kind]}",
          ("old", '{"user": "ann"}', "2001-01-01 00:00:00"), ("new", '{"user": "ann"}', in_a_week))
    with tempfile.NamedTemporaryFile() as clock:
        clock.write(struct.pack("qq", 31 * 86400 * 1000000, 0))
        clock.flush()
        os.environ["PROVOST_CLOCK_JUMP"] = clock.name
        try:
            drive = Drive(**server.settings())
            expect(drive.revoke(before=now.strftime("%Y-%m-%dT%H:%M:%SZ"), user="ann", expires_column="until", expires_unit="date", **JSON),
                   "applied", 1, 1)
        finally:
            del os.environ["PROVOST_CLOCK_JUMP"]
    assert keys(server) == ["old"]


@each()
def markers_are_kept_changed_and_taken_away(kind, server):
    server.sql("DROP TABLE IF EXISTS provost_marks")
    drive = Drive(**server.settings())
    missing = expect(drive.read(user="ann", **GENERIC), "retry")
    denied_words(missing, "provost_marks", "CREATE TABLE")
    server.sql(missing["reason"][missing["reason"].index("CREATE TABLE"):].rstrip(";"))
    assert expect(drive.read(user="ann", **GENERIC), "applied")["values"] == {}
    wanted = {"denied": True, "signed_in": {"since": "2026-11-22T21:10:03.123Z", "expires": "2026-11-23T09:10:03.123Z"}}
    expect(drive.mark(wanted, user="ann", **GENERIC), "applied")
    assert drive.read(user="ann", **GENERIC)["values"] == wanted
    expect(drive.mark(wanted, user="ann", **GENERIC), "unchanged")
    assert drive.read(user="Ann", **GENERIC)["values"] == {}
    expect(drive.mark({"denied": True}, user="ann", **GENERIC), "applied")
    assert server.sql("SELECT person, denied, since_ms, expires_ms FROM provost_marks") in ([("ann", 1, None, None)],)
    expect(drive.mark({}, user="ann", **GENERIC), "applied")
    assert server.sql("SELECT * FROM provost_marks") == []


@each()
def a_missing_table_or_column_is_told_and_tried_again(kind, server):
    server.sql("DROP TABLE IF EXISTS sessions")
    drive = Drive(**server.settings())
    denied_words(expect(drive.revoke(user="ann", **GENERIC), "retry"), "sessions")
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, other {TEXT[kind]}", ("s1", "ann"))
    denied_words(expect(drive.revoke(user="ann", **GENERIC), "retry"), "who")
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    expect(drive.revoke(user="ann", **GENERIC), "applied", 1, 1)


@each()
def rows_that_the_application_holds_locked_are_not_waited_for_long(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    drive = Drive(**server.settings(lock_timeout="200 ms"))
    if kind is sqlite:
        holder = sqlite3.connect(server.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
    else:
        holder = server.connection()
        cursor = holder.cursor()
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM sessions WHERE id = 's1' FOR UPDATE")
    try:
        denied_words(expect(drive.revoke(user="ann", **GENERIC), "retry"), "lock_timeout")
    finally:
        holder.close()
    expect(drive.revoke(user="ann", **GENERIC), "applied", 1, 1)


@each(postgresql, mariadb)
def a_server_that_is_killed_and_comes_back_is_told_and_used_again(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    drive = Drive(**server.settings())
    expect(drive.probe(), "applied")
    server.kill()
    down = expect(drive.revoke(user="ann", **GENERIC), "target_down")
    denied_words(down, "127.0.0.1")
    denied_words(expect(drive.probe(), "target_down"), "no connection could be made")
    server.start()
    expect(drive.revoke(user="ann", **GENERIC), "applied", 1, 1)
    server.restart()
    expect(drive.revoke(user="ann", **GENERIC), "unchanged", 0, 0)


@each(postgresql, mariadb)
def a_server_that_says_nothing_is_given_up_in_time(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    drive = Drive(**server.settings(timeout="1 s", connect_timeout="1 s"))
    expect(drive.probe(), "applied")
    server.freeze()
    try:
        expect(drive.revoke(user="ann", **GENERIC), "target_down")
    finally:
        server.thaw()
    expect(drive.revoke(user="ann", **GENERIC), "applied", 1, 1)


@each(postgresql, mariadb)
def a_wrong_password_a_wrong_database_and_a_closed_port_are_told(kind, server):
    answer = expect(Drive(**server.settings(password="no-" + PASSWORD)).probe(), "target_down")
    denied_words(answer, "log-in was refused", "password")
    denied_words(expect(Drive(**server.settings(dbname="elsewhere")).probe(), "target_down"), "dbname")
    denied_words(expect(Drive(**server.settings(address=[f"127.0.0.1:{free_port()}"])).probe(), "target_down"), "no connection could be made")
    plain = Drive(**server.settings(address=["db.example.com"])).problems()
    assert len(plain) == 1 and "unencrypted" in plain[0], plain


@each(postgresql, mariadb)
def an_encrypted_connection_checks_who_is_there(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    require = {postgresql: "ALTER USER provost SET application_name = ''", mariadb: "ALTER USER provost@'%%' REQUIRE SSL"}[kind]
    os.chmod(server.folder, 0o755)
    server.sql(require)
    try:
        good = Drive(**server.settings(tls=True, ca_file=server.path("ca.pem")))
        expect(good.probe(), "applied")
        if kind is postgresql:
            assert server.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'provost' AND state = 'idle' AND ssl")
        expect(good.revoke(user="ann", **GENERIC), "applied", 1, 1)
        denied_words(expect(Drive(**server.settings(tls=True, ca_file=server.path("other.pem"))).probe(), "target_down"), "ca_file")
        elsewhere = server.settings(tls=True, ca_file=server.path("ca.pem"), address=[f"127.0.0.2:{server.port}"])
        denied_words(expect(Drive(**elsewhere).probe(), "target_down"), "certificate")
        denied_words(expect(Drive(**server.settings(tls=True, ca_file="/nowhere/ca.pem")).probe(), "target_down"), "ca_file")
    finally:
        if kind is mariadb:
            server.sql("ALTER USER provost@'%%' REQUIRE NONE")


@each(postgresql, mariadb)
def a_password_that_is_changed_stops_the_target_until_it_is_told(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    change = {postgresql: "ALTER USER provost PASSWORD '{}'", mariadb: "SET PASSWORD FOR provost@'%%' = PASSWORD('{}')"}[kind]
    drive = Drive(**server.settings())
    server.sql(change.format("another"))
    try:
        expect(drive.probe(), "target_down")
    finally:
        server.sql(change.format(PASSWORD))
    expect(drive.revoke(user="ann", **GENERIC), "applied", 1, 1)


@each(postgresql, mariadb)
def rights_that_are_missing_are_named(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    who = {postgresql: "reader", mariadb: "reader@'%%'"}[kind]
    server.sql(f"CREATE USER {who} {'PASSWORD' if kind is postgresql else 'IDENTIFIED BY'} '{PASSWORD}'")
    server.sql(f"GRANT SELECT ON sessions TO {who}")
    denied_words(expect(Drive(**server.settings(user="reader")).revoke(user="ann", **GENERIC), "retry"), "grant")
    assert keys(server) == ["s1"]


@each(postgresql, mariadb)
def a_database_that_takes_no_changes_stops_the_target(kind, server):
    table(server, "sessions", f"id {TEXT[kind]} PRIMARY KEY, who {TEXT[kind]}", ("s1", "ann"))
    drive = Drive(**server.settings())
    if kind is postgresql:
        server.sql("ALTER USER provost SET default_transaction_read_only = on")
    else:
        server.sql("SET GLOBAL read_only = 1")
        server.sql("REVOKE ALL ON app.* FROM provost@'%%'")
        server.sql("GRANT SELECT, DELETE, CREATE ON app.* TO provost@'%%'")
    try:
        denied_words(expect(drive.revoke(user="ann", **GENERIC), "target_down"), "takes no changes")
    finally:
        if kind is postgresql:
            server.sql("ALTER USER provost SET default_transaction_read_only = off")
        else:
            server.sql("SET GLOBAL read_only = 0")
            server.sql("GRANT ALL ON app.* TO provost@'%%'")
    expect(drive.revoke(user="ann", **GENERIC), "applied", 1, 1)


@test
def a_sqlite_file_that_is_missing_closed_or_none_is_told(world):
    server = SQLite()
    denied_words(expect(Drive(**server.settings()).probe(), "target_down"), "No such file")
    with open(server.path, "w", encoding="utf-8") as file:
        file.write("this is no database, but long enough to be one\n" * 40)
    denied_words(expect(Drive(**server.settings()).probe(), "target_down"), "no SQLite database")
    os.unlink(server.path)
    table(server, "sessions", "id TEXT PRIMARY KEY, who TEXT", ("s1", "ann"))
    if os.getuid() == 0:
        os.chmod(server.folder, 0o755)
        os.chmod(server.path, 0o644)
        denied_words(expect(Drive(run_as="nobody", **server.settings()).revoke(user="ann", **GENERIC), "target_down"), "setfacl")
        os.chmod(server.path, 0o600)
        denied_words(expect(Drive(run_as="nobody", **server.settings()).probe(), "target_down"), "Permission denied")
    assert keys(server) == ["s1"]


@test
def a_disk_that_is_full_stops_the_sqlite_target(world):
    server = SQLite()
    rows = [(f"k{i:05d}", "ann", "x" * 500) for i in range(2000)]
    server.sql("CREATE TABLE sessions (id TEXT PRIMARY KEY, who TEXT, filler TEXT)")
    connection = sqlite3.connect(server.path)
    connection.executemany("INSERT INTO sessions VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    drive = Drive(limit_file_bytes=100_000, **server.settings())  # the journal does not find room
    answer = expect(drive.revoke(user="ann", **GENERIC), "target_down")
    assert "disk" in answer["reason"], answer
    assert len(keys(server)) == 2000
    expect(Drive(**server.settings()).revoke(user="ann", **GENERIC), "applied", 2000, 2000)


@test
def a_cached_session_goes_from_the_cache_and_the_table(world):
    server, cache = postgresql(), memcached()
    prefix = ":1:django.contrib.sessions.cached_db"
    layout = {**JSON, "cache_key": prefix + "*"}
    fill = [("s1", '{"user": "ann"}'), ("s2", '{"user": "bob"}')]
    table(server, "sessions", "id text PRIMARY KEY, data text", *fill)
    cache.put(prefix + "s1", "x")
    cache.put(prefix + "s2", "x")
    told = expect(Drive(**server.settings()).revoke(user="ann", **layout), "retry")
    denied_words(told, "cache")
    assert keys(server) == ["s1", "s2"]
    drive = Drive(**server.settings(cache="memcached", cache_address=[f"127.0.0.1:{cache.port}"]))
    expect(drive.revoke(user="ann", **layout), "applied", 1, 1)
    assert keys(server) == ["s2"] and cache.get(prefix + "s1") is None and cache.get(prefix + "s2") == "x"
    table(server, "sessions", "id text PRIMARY KEY, data text", *fill)
    cache.kill()
    denied_words(expect(drive.revoke(user="ann", **layout), "target_down"), "memcached")
    assert keys(server) == ["s1", "s2"], "the row stays, so that the sweep is made good"
    cache.start()
    expect(drive.revoke(user="ann", **layout), "applied", 1, 1)


@test
def a_cache_in_redis_loses_the_session_with_the_table(world):
    if not present():
        raise Skip("there is no Redis (Debian: redis-tools)")
    server, prefix = sqlite(), ":1:django.contrib.sessions.cached_db"
    cache = RedisStore(world.new_folder("redis"), "requirepass cache-secret")
    try:
        table(server, "sessions", "id TEXT PRIMARY KEY, data TEXT", ("s1", '{"user": "ann"}'), ("s2", '{"user": "bob"}'))
        for key in ("s1", "s2"):
            assert cache.cli("-a", "cache-secret", "--no-auth-warning", "-n", "3", "SET", prefix + key, "x") == "OK"
        drive = Drive(**server.settings(cache="redis", cache_address=[f"127.0.0.1:{cache.port}"], cache_database=3, cache_password="cache-secret"))
        expect(drive.probe(), "applied")
        expect(drive.revoke(user="ann", cache_key=prefix + "*", **JSON), "applied", 1, 1)
        assert cache.cli("-a", "cache-secret", "--no-auth-warning", "-n", "3", "KEYS", "*") == prefix + "s2"
        assert keys(server) == ["s2"] and "cache-secret" not in drive.told
    finally:
        cache.stop()


@test
def a_request_that_writes_all_the_time_does_not_stop_a_sweep(world):
    server = mariadb()
    table(server, "sessions", "id VARCHAR(40) PRIMARY KEY, data TEXT", *((f"k{i:03d}", '{"user": "bob"}') for i in range(60)))
    stop = threading.Event()

    def write():
        connection = server.connection()
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("UPDATE sessions SET data = '{\"user\": \"ann\"}' WHERE id = 'k007'")
                cursor.execute("REPLACE INTO sessions VALUES ('k008', '{\"user\": \"bob\"}')")
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    drive = Drive(**server.settings(step=10, share=100))
    try:
        for _ in range(5):
            assert drive.revoke(user="ann", **JSON)["outcome"] in ("applied", "unchanged")
    finally:
        stop.set()
        writer.join()
    drive.revoke(user="ann", sweep=2, **JSON)
    assert "k007" not in keys(server) and len(keys(server)) == 59


run()
