"""The databases of the tests of session tables, each started once for a script: PostgreSQL, MariaDB, SQLite (and memcached in front of one)."""

import atexit
import functools
import os
import shutil
import sqlite3
import tempfile

from databases import PASSWORD, MariaDB, Memcached, PostgreSQL


class SQLite:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pv-sqlite-")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "app.db")

    def sql(self, text, *values):
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            return connection.execute(text.replace("%s", "?"), values).fetchall()
        finally:
            connection.close()

    def settings(self, **changed):
        return {"store": "sqlite", "path": self.path, **changed}


@functools.cache
def postgresql():
    server = PostgreSQL()
    server.sql("CREATE DATABASE app", dbname="postgres")
    server.sql(f"CREATE USER provost PASSWORD '{PASSWORD}'")
    server.sql("GRANT ALL ON SCHEMA public TO provost")
    server.sql("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO provost")
    return server


@functools.cache
def mariadb():
    server = MariaDB()
    server.sql("CREATE DATABASE app CHARACTER SET utf8mb4", dbname="mysql")
    server.sql(f"CREATE USER provost@'%%' IDENTIFIED BY '{PASSWORD}'")
    server.sql("GRANT ALL ON app.* TO provost@'%%'")
    return server


@functools.cache
def sqlite():
    return SQLite()


@functools.cache
def memcached():
    return Memcached()


BYTES = {sqlite: "BLOB", postgresql: "bytea", mariadb: "LONGBLOB"}
TEXT = {sqlite: "TEXT", postgresql: "text", mariadb: "VARCHAR(191) COLLATE utf8mb4_general_ci"}


def table(server, name, columns, *rows):
    server.sql(f"DROP TABLE IF EXISTS {name}")
    server.sql(f"CREATE TABLE {name} ({columns})")
    if rows:
        one = f"({', '.join(['%s'] * len(rows[0]))})"
        server.sql(f"INSERT INTO {name} VALUES {', '.join([one] * len(rows))}", *(value for row in rows for value in row))
