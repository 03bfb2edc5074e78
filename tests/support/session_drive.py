"""The connector "session" by hand: settings in, receipts out, through the program session_drive."""

import atexit
import json
import os
import resource
import signal
import subprocess
import tempfile

BUILD = os.path.abspath(os.environ.get("PROVOST_BUILD", "build"))
LONG_AGO, FAR_OFF = "2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"


def _conf(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[ " + ", ".join(_conf(v) for v in value) + " ]"
    return json.dumps(value)


class Drive:
    """Each call asserts nothing: it returns what the connector answered, as a dictionary. `told` keeps all of it."""

    def __init__(self, run_as=None, limit_file_bytes=None, **settings):
        self.folder = tempfile.TemporaryDirectory(prefix="pv-drive-")
        path = os.path.join(self.folder.name, "settings.conf")
        for name in ("password", "cache_password"):
            if name in settings:
                secret = os.path.join(self.folder.name, name)
                with open(secret, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                    file.write(settings[name])
                settings[name] = f"file:{secret}"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{name} = {_conf(value)};\n" for name, value in settings.items())
        command = [os.path.join(BUILD, "session_drive"), path]
        if run_as is not None:
            os.chmod(self.folder.name, 0o755)
            command = ["setpriv", f"--reuid={run_as}", "--clear-groups", *command]

        def limit():
            if limit_file_bytes is not None:  # as if the disk were full beyond
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_bytes, limit_file_bytes))

        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=limit)
        self.told = ""
        atexit.register(self.close)

    def send(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def ask(self, **command):
        self.send(**command)
        return self.receive()

    def receive(self):
        line = self.process.stdout.readline()
        assert line, f"session_drive ended: {self.process.wait()}"
        self.told += line
        return json.loads(line)

    def problems(self):
        return self.ask(do="check")["problems"]

    def probe(self):
        return self.ask(do="probe")

    def revoke(self, before=FAR_OFF, sweep=1, dated_only=False, **sessions):
        return self.ask(do="revoke", before=before, sweep=sweep, dated_only=dated_only, sessions=sessions)

    def sample(self, **sessions):
        return self.ask(do="sample", sessions=sessions)

    def read(self, **sessions):
        return self.ask(do="read", sessions=sessions)

    def mark(self, values, **sessions):
        return self.ask(do="mark", values=values, sessions=sessions)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            assert self.process.wait(20) == 0, f"session_drive: exit {self.process.returncode}"
        self.folder.cleanup()
