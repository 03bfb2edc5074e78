"""The test payroll (payroll.py) as a process, and what the tests look up in it."""

import http.client
import json
import os
import select
import signal
import sqlite3
import ssl
import subprocess
import urllib.parse

from directory import SOURCE

PROGRAM = os.path.join(SOURCE, "tests", "support", "payroll.py")
TOKEN = "payroll-token-7d1e"


class Payroll:
    """Owned by the World that started it. `options` as payroll.py takes them; kill() → start() keeps address and employees."""

    probe = "/employees?limit=1"

    def __init__(self, folder, *options):
        os.makedirs(folder)
        self.folder, self.options = folder, options
        self.url, self.port, self.process = None, 0, None
        self.token_file = os.path.join(folder, "token")
        with open(os.open(self.token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        self.start()

    def start(self):
        with open(os.path.join(self.folder, "stderr"), "ab") as stderr:
            self.process = subprocess.Popen(["/usr/bin/python3", PROGRAM, "--db", os.path.join(self.folder, "db"), "--token-file", self.token_file,
                                             "--port", str(self.port), *self.options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline().decode().strip() if ready else ""
        assert line, f"payroll.py did not start; see {self.folder}/stderr"
        self.url, self.port = line, urllib.parse.urlsplit(line).port
        return self

    def _end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(20)
        self.process.stdout.close()

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def request(self, method, path, document=None, kind="application/json"):
        """status, document"""
        if self.url.startswith("https:"):
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **({"Content-Type": kind} if body else {})})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def _get(self, path):
        status, found = self.request("GET", path)
        assert status == 200, f"GET {path}: {status} {found}"
        return found

    def trouble(self, **settings):
        """See payroll.py. With replays=True a failure is kept under its Idempotency-Key: the same key fails for ever, another one does not."""
        status, said = self.request("POST", "/_control/trouble", settings)
        assert status == 204, said

    def clear(self):
        self.request("POST", "/_control/clear", {})

    def counts(self):
        return self._get("/_control")

    def requests(self, method=None):
        """What came since the start or clear(), oldest first; without a method: all that changes something."""
        return [r for r in self._get("/_control/requests") if (r["method"] == method if method else r["method"] != "GET")]

    def unexpected(self):
        return self.counts()["unexpected"]

    def employees(self):
        """Every employee, straight from the file, so that no trouble and no count is in the way."""
        connection = sqlite3.connect(f"file:{self.folder}/db?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute("SELECT * FROM employee ORDER BY id")]
        finally:
            connection.close()

    def employee(self, user):
        """The one of an identity; None when there is none."""
        found = [row for row in self.employees() if row["external_id"] == user.id]
        assert len(found) < 2, f"{user.id} is {len(found)} employees: {found}"
        return found[0] if found else None

    def hire(self, user, **more):
        """An employee whom the payroll had before."""
        given, _, family = user.name.rpartition(" ")
        status, said = self.request("POST", "/employees", {"external_id": user.id, "email": user.login, "name": {"given": given or family, "family": family},
                                                           "start_date": "2020-02-01", **more})
        assert status == 201, said
        return said
