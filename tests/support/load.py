"""A source that behaves as Okta does, but more stubborn: it posts until each event is accepted, and remembers what was."""

import http.client
import threading

import okta
from okta import User


<<<<<<< HEAD
def joiner(user):
    return [okta.create(user), okta.activate(user)]


class Load:
    """What happens to one person after the other (joiners unless told otherwise), posted one body at a time from a few threads. `accepted` are the uuids answered 2xx; start → stop → users."""

    def __init__(self, agent, prefix, threads=4, most=100_000, happens=joiner):
        self.happens = happens
        self.agent, self.prefix, self.most = agent, prefix, most
=======
class Load:
    """Joiners posted one body at a time from a few threads. `accepted` are the uuids answered 2xx; start → stop → users.

    `story` gives what happens to a user: a list of bodies, each a list of events.
    """

    def __init__(self, agent, prefix, threads=4, most=100_000, story=lambda user: [[okta.create(user), okta.activate(user)]]):
        self.agent, self.prefix, self.most, self.story = agent, prefix, most, story
>>>>>>> 5d8cd75 (Killed at every fault point and fifty times at random; the store is audited by uuid after each kill)
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
<<<<<<< HEAD
            events = self.happens(user)
            self._post_until_accepted(okta.body(*events))
=======
            for events in self.story(user):
                self._post_until_accepted(okta.body(*events))
                with self._lock:
                    self.accepted += [event["uuid"] for event in events]
>>>>>>> 5d8cd75 (Killed at every fault point and fifty times at random; the store is audited by uuid after each kill)
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
