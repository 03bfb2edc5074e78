"""A source that behaves as Okta does, but more stubborn: it posts until each event is accepted, and remembers what was."""

import http.client
import threading

import okta
from okta import User


def joiner(user):
    return [[okta.create(user), okta.activate(user)]]


class Load:
    """What happens to one person after the other, posted one body at a time from a few threads: a list of bodies, each a list of
    events; joiners unless told otherwise. `accepted` are the uuids answered 2xx; start → stop → users."""

    def __init__(self, agent, prefix, threads=4, most=100_000, happens=joiner):
        self.agent, self.prefix, self.most, self.happens = agent, prefix, most, happens
        self.accepted, self.users, self.wrong = [], [], []
        self._lock = threading.Lock()
        self._number = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """No new events; those begun are posted until accepted."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "an event was not accepted within 60 s"
        assert not self.wrong, f"answers other than 204 and 503: {self.wrong[:5]}"

    def count(self):
        with self._lock:
            return len(self.accepted)

    def _next(self):
        with self._lock:
            if self._over.is_set() or self._number >= self.most:
                return None
            self._number += 1
            return User(f"00u{self.prefix}{self._number}", f"{self.prefix}{self._number}@example.com", f"Load {self._number}")

    def _run(self):
        while (user := self._next()) is not None:
            for events in self.happens(user):
                self._post_until_accepted(okta.body(*events))
                with self._lock:
                    self.accepted += [event["uuid"] for event in events]
            with self._lock:
                self.users.append(user)

    def _post_until_accepted(self, body):
        while True:
            try:
                status = self.agent.post(body, timeout_s=10)
            except (OSError, http.client.HTTPException):  # nobody there, or gone in mid-answer
                status = None
            if status == 204:
                return
            if status not in (None, 503):
                self.wrong.append(status)
                return
            threading.Event().wait(0.02)
