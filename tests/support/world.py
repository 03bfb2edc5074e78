"""What a test runs in: a temporary folder, a directory shared by the tests of a file, agents of its own."""

import os
import shutil
import tempfile

from agent import Agent
from directory import Directory
from payroll_service import Payroll


class World:
    """end_test() ends what one test started and empties the shared directory; close() ends all and removes the folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pv-")
        self._directory = None
        self._own = []
        self._agents = []
        self._number = 0

    def new_folder(self, name):
        self._number += 1
        return os.path.join(self.folder, f"{self._number}-{name}")

    def directory(self):
        """The shared one. A test that stops it starts it again."""
        if self._directory is None:
            self._directory = Directory(self.new_folder("slapd"), "--tls", "--nosync")
        return self._directory

    def own(self, server):
        """What has stop(): ended with the test."""
        self._own.append(server)
        return server

    def own_directory(self, *options):
        return self.own(Directory(self.new_folder("slapd"), *options))

    def payroll(self, *options):
        """One of this test's own."""
        return self.own(Payroll(self.new_folder("payroll"), *options))

    def agent(self, start=True, **options):
        """An agent on the shared directory unless told otherwise; see agent.py for the options."""
        if "directory" not in options and "service" not in options:
            options["directory"] = self.directory()
        agent = Agent(self.new_folder("agent"), **options)
        self._agents.append(agent)
        if start:
            agent.start()
        return agent

    def evidence(self):
        return "\n".join(agent.evidence() for agent in self._agents)

    def end_test(self):
        for agent in self._agents:
            agent.end()
        self._agents = []
        for server in self._own:
            server.stop()
        self._own = []
        if self._directory is not None:
            self._directory.clear()

    def close(self):
        self._agents, agents = [], self._agents
        for agent in agents:
            agent.end()
        for server in self._own + ([self._directory] if self._directory else []):
            server.stop()
        if os.environ.get("PROVOST_KEEP"):
            print(f"# kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
