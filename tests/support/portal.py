"""An application's sessions in a folder (folder_sessions.c), and an agent that ends them."""

import json
import os
import time

MAPPING = 'target = "portal"; kind = "user"; sessions: { user = "{login}"; };\n'


class Portal:
    def __init__(self, folder):
        self.folder = folder
        for name in ("sessions", "marks"):
            os.makedirs(os.path.join(folder, name))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def _write(self, value, *names):
        with open(self.path("new"), "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.rename(self.path("new"), self.path(*names))

    def open(self, session, user, created=None, dated=True):
        """A session, opened a second ago unless told otherwise; undated: the store does not tell when."""
        value = {"user": user}
        if dated:
            value["created"] = created if created is not None else time.time() - 1
        self._write(value, "sessions", session)

    def sessions(self):
        return set(os.listdir(self.path("sessions")))

    def marks(self, user):
        try:
            with open(self.path("marks", user), encoding="utf-8") as file:
                return json.load(file)
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def asked(self, **wanted):
        """Sweeps so far, in order, whose members are as wanted."""
        try:
            with open(self.path("asked"), encoding="utf-8") as file:
                sweeps = [json.loads(line) for line in file]
        except FileNotFoundError:
            return []
        return [sweep for sweep in sweeps if all(sweep[name] == value for name, value in wanted.items())]

    def fail(self, word):
        """retry, rejected, down; None: no more."""
        if word is None:
            os.unlink(self.path("fail"))
            return
        with open(self.path("failing"), "w", encoding="utf-8") as file:
            file.write(word)
        os.rename(self.path("failing"), self.path("fail"))

    def target(self, name="portal", mapping="portal.conf", **more):
        return {"name": name, "connector": "folder_sessions", "mappings": [mapping], "probe": "200 ms",
                "retry": {"base": "50 ms", "most": "1 s"}, **more, "settings": {"folder": self.folder}}


def portal_agent(world, mapping="", folder="portal", start=True, target=None, **options):
    """portal, agent: `mapping` is put after MAPPING."""
    portal = Portal(world.new_folder(folder))
    agent = world.agent(start=start, directory=None, mappings_={"portal.conf": MAPPING + mapping},
                        top={"targets": (portal.target(**(target or {})),)}, **options)
    return portal, agent
