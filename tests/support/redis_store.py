"""A Redis of one's own (private-redis) with an application's sessions in it."""

import json
import os
import subprocess

from directory import SOURCE

SCRIPT = os.path.join(SOURCE, "tests", "support", "private-redis")


def present():
    return subprocess.run([SCRIPT, "binary"], capture_output=True, check=False).returncode == 0


class RedisStore:
    def __init__(self, folder, *lines):
        self.folder = folder
        self._run("start", "appendonly yes", "appendfsync no", *lines)
        with open(os.path.join(folder, "port"), encoding="utf-8") as file:
            self.port = int(file.read())

    def _run(self, verb, *arguments):
        done = subprocess.run([SCRIPT, verb, self.folder, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self):
        self._run("stop")

    def kill(self):
        self._run("kill")

    def restart(self):
        self._run("restart")

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def open(self, session, user):
        """As express-session writes it, where passport keeps who it is."""
        value = {"cookie": {"originalMaxAge": None, "httpOnly": True, "path": "/"}, "passport": {"user": user}}
        assert self.cli("SET", "sess:" + session, json.dumps(value), "EX", "86400") == "OK"

    def sessions(self):
        return {key[len("sess:"):] for key in self.cli("KEYS", "sess:*").split()}

    def target(self, name="portal", mapping="portal.conf"):
        return {"name": name, "connector": "session", "mappings": [mapping], "probe": "200 ms", "retry": {"base": "50 ms", "most": "1 s"},
                "settings": {"store": "redis", "address": [f"127.0.0.1:{self.port}"], "allow_plaintext": True}}
