"""The employees of the test payroll (payroll.py) in a SQLite file: rows, and answers that are kept by Idempotency-Key.

All runs under one lock, so that a change and the answer that is kept for its key are one transaction, and a second
request with the same key waits for the first.
"""

import contextlib
import json
import sqlite3
import threading

SCHEMA = """
CREATE TABLE IF NOT EXISTS employee (id INTEGER PRIMARY KEY AUTOINCREMENT, external_id TEXT NOT NULL, email TEXT NOT NULL, given TEXT NOT NULL,
    family TEXT NOT NULL, start_date TEXT NOT NULL, department TEXT, manager TEXT, status TEXT NOT NULL DEFAULT 'active', last_working_day TEXT,
    version INTEGER NOT NULL DEFAULT 1);
CREATE {unique} INDEX IF NOT EXISTS employee_external_id ON employee (external_id);
CREATE {unique} INDEX IF NOT EXISTS employee_email ON employee (email);
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, etag TEXT, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unexpected (what TEXT NOT NULL);
"""
FIELDS = ("external_id", "email", "given", "family", "start_date", "department", "manager")


class Duplicate(Exception):
    """Somebody else has this external_id or email."""


def document(row):
    return {"id": row["id"], "external_id": row["external_id"], "email": row["email"],
            "name": {"given": row["given"], "family": row["family"]}, "start_date": row["start_date"], "department": row["department"],
            "manager": row["manager"], "status": row["status"], "last_working_day": row["last_working_day"]}


def etag(row):
    return f'"v{row["version"]}"'


def fields_of(employee):
    """The columns that a client sets, from a document; absent ones are NULL."""
    flat = {**employee, **employee["name"]}
    return [flat.get(name) for name in FIELDS]


class Employees:
    def __init__(self, path, durable=False, unique=True):
        self._lock = threading.RLock()
        self._sql = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._sql.row_factory = sqlite3.Row
        self._sql.execute("PRAGMA journal_mode = WAL")
        # Either way what was answered outlives a killed process; only FULL outlives the machine.
        self._sql.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._sql.executescript(SCHEMA.format(unique="UNIQUE" if unique else ""))

    @contextlib.contextmanager
    def change(self):
        """One transaction; undone when the block raises."""
        with self._lock:
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                self._sql.execute("ROLLBACK")
                raise

    def _write(self, statement, values):
        try:
            return self._sql.execute(statement, values)
        except sqlite3.IntegrityError as error:
            raise Duplicate(str(error).rsplit(".", 1)[-1]) from None

    def get(self, number):
        with self._lock:
            return self._sql.execute("SELECT * FROM employee WHERE id = ?", [number]).fetchone()

    def find(self, wanted, after, limit):
        """Up to `limit` rows with the wanted columns and an id above `after`."""
        conditions = "".join(f" AND {name} = ?" for name in wanted)
        with self._lock:
            return self._sql.execute(f"SELECT * FROM employee WHERE id > ?{conditions} ORDER BY id LIMIT ?",
                                     [after, *wanted.values(), limit]).fetchall()

    def create(self, employee):
        done = self._write(f"INSERT INTO employee ({', '.join(FIELDS)}) VALUES (?, ?, ?, ?, ?, ?, ?)", fields_of(employee))
        return self.get(done.lastrowid)

    def write(self, number, employee):
        columns = ", ".join(f"{name} = ?" for name in FIELDS)
        self._write(f"UPDATE employee SET {columns}, version = version + 1 WHERE id = ?", [*fields_of(employee), number])
        return self.get(number)

    def set_status(self, number, status, last_working_day, start_date):
        self._sql.execute("UPDATE employee SET status = ?, last_working_day = ?, start_date = ?, version = version + 1 WHERE id = ?",
                          [status, last_working_day, start_date, number])
        return self.get(number)

    def delete(self, number):
        self._sql.execute("DELETE FROM employee WHERE id = ?", [number])

    def clear(self):
        with self.change():
            for table in ("employee", "kept", "unexpected", "sqlite_sequence"):  # ids count from 1 again
                self._sql.execute(f"DELETE FROM {table}")

    # --- answers by key

    def kept(self, key):
        """(request, status, etag, document) or None."""
        row = self._sql.execute("SELECT * FROM kept WHERE key = ?", [key]).fetchone()
        return (row["request"], row["status"], row["etag"], json.loads(row["answer"])) if row else None

    def keep(self, key, request, status, tag, answer):
        self._sql.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", [key, request, status, tag, json.dumps(answer)])

    # --- what the description does not allow

    def note_unexpected(self, what):
        with self.change():
            self._sql.execute("INSERT INTO unexpected VALUES (?)", [what])

    def unexpected(self):
        with self._lock:
            return [row["what"] for row in self._sql.execute("SELECT what FROM unexpected")]
