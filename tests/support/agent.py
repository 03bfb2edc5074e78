"""provostd in a temporary folder, its configuration, its endpoint and provostctl."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess

import okta
from bounded import SCALE, await_condition
from directory import AGENT, AGENT_PASSWORD, SOURCE

BUILD = os.environ.get("PROVOST_BUILD") or os.path.join(SOURCE, "build")
SECRET = "the hook's secret, spaces and all"
TARGET = "corp-ldap"


def config_text(value, indent=0):
    """A Python value as libconfig writes it: a list is an array, a tuple a list."""
    space = "    " * indent
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        left, right = ("[", "]") if isinstance(value, list) else ("(", ")")
        return left + ", ".join(config_text(v, indent + 1) for v in value) + right
    lines = [f"{space}    {name} = {config_text(member, indent + 1)};" for name, member in value.items()]
    return "{\n" + "\n".join(lines) + "\n" + space + "}"


def shipped_mapping(name, replace=()):
    """A mapping file as shipped, with pairs of old and new text put in; the old must be there."""
    with open(os.path.join(SOURCE, "mappings", name), encoding="utf-8") as file:
        text = file.read()
    for old, new in replace:
        assert old in text, f"mappings/{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def mappings(people=(), groups=()):
    return {"openldap-people.conf": shipped_mapping("openldap-people.conf", people),
            "openldap-groups.conf": shipped_mapping("openldap-groups.conf", groups)}


# For the people's mapping: a leaver is refused, where there is no ppolicy.
REFUSED_LOCK = ('passwordLock = "TRUE";', 'pwdAccountLockedTime = "000001010000Z";')


def out_of(agent, *arguments, code=0):
    """Standard output of provostctl, which must exit so."""
    seen, out, err = agent.ctl(*arguments)
    assert seen == code, f"provostctl {' '.join(arguments)}: exit {seen} instead of {code}\n{out}\n{err}"
    return out


def parse_logfmt(line):
    """time level key=value … → dict."""
    time, level, rest = line.split(" ", 2)
    fields = {"time": time, "level": level}
    for key, quoted, plain in re.findall(r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', rest):
        fields[key] = plain if plain else re.sub(r"\\(.)", r"\1", quoted)
    return fields


def fault_points():
    """Their names; none where the build has none."""
    done = subprocess.run([os.path.join(BUILD, "provostd"), "--fault-points"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return [line.split()[0] for line in done.stdout.splitlines()] if done.returncode == 0 else []


def need_fault_points():
    if not fault_points():
        from tap import Skip  # tap imports us
        raise Skip("this build has no fault points: configure with --enable-fault-points")


def connections(agent, directory):
    """The agent's own ports of its open connections to a directory."""
    folder = f"/proc/{agent.process.pid}/fd"
    own = {os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder) if os.path.islink(os.path.join(folder, fd))}
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    port = int(directory.uri.rpartition(":")[2])
    return {int(row[1].split(":")[1], 16) for row in rows
            if row[3] == "01" and int(row[2].split(":")[1], 16) == port and f"socket:[{row[9]}]" in own}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


class Agent:
    """start() returns when it is ready; stop() asks politely, kill() does not, end() is for the World."""

    def __init__(self, folder, directory=None, service=None, mappings_=None, settings=None, target=None, top=None, tls=False, faults=None,
                 listen=None, arguments=()):
        """`service`: (target's name, what has url, token_file and probe), for the REST connector instead of a directory."""
        self.folder, self.directory, self.service, self.tls, self.faults = folder, directory, service, tls, faults
        self.process, self.port, self.arguments = None, None, list(arguments)
        os.makedirs(os.path.join(folder, "mappings"))
        self.config_path = self.path("provost.conf")
        self.write("hook.secret", SECRET + "\n", 0o600)
        self.write("ldap.secret", AGENT_PASSWORD + "\n", 0o600)
        self.mapping_texts = mappings_ if mappings_ is not None else mappings()
        for name, text in self.mapping_texts.items():
            self.write(os.path.join("mappings", name), text)
        self.listen = {"address": "127.0.0.1", "port": 0, **(listen or {})}
        if tls:
            self._make_certificate()
            self.listen["tls"] = {"certificate": "tls.crt", "key": "tls.key"}
        self.settings, self.target, self.top = settings or {}, target or {}, top or {}
        self.write_config()

    # --- files

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="backslashreplace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def config(self):
        targets = []
        if self.directory is not None:
            settings = {"uri": self.directory.uri, "bind_dn": AGENT, "password": "file:" + self.path("ldap.secret"), **self.settings}
            targets.append({"name": TARGET, "connector": "ldap", "mappings": list(self.mapping_texts), "probe": "200 ms",
                            "retry": {"base": "50 ms", "most": "1 s"}, **self.target, "settings": settings})
        if self.service is not None:
            name, peer = self.service
            settings = {"url": peer.url, "auth": "bearer", "token": "file:" + peer.token_file, "probe": peer.probe, **self.settings}
            targets.append({"name": name, "connector": "rest", "mappings": list(self.mapping_texts), "probe": "200 ms",
                            "retry": {"base": "50 ms", "most": "1 s"}, **self.target, "settings": settings})
        return {"listen": self.listen, "hook": {"path": "/okta/events", "secret": "file:" + self.path("hook.secret")},
                "store": self.path("provost.db"), "control": self.path("control.sock"), "log": self.path("status.log"),
                "mappings": self.path("mappings"), "targets": tuple(targets), **self.top}

    def write_config(self):
        self.write("provost.conf", "".join(f"{name} = {config_text(value)};\n" for name, value in self.config().items()))

    def write_mapping(self, name, text):
        self.write(os.path.join("mappings", name), text)

    def _make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                        "-keyout", self.path("tls.key"), "-out", self.path("tls.crt")], check=True, capture_output=True)
        os.chmod(self.path("tls.key"), 0o600)

    # --- the process

    def environment(self):
        environment = {**os.environ, "PROVOST_CONNECTORS": os.environ.get("PROVOST_CONNECTORS") or os.path.join(BUILD, ".libs")}
        environment.pop("NOTIFY_SOCKET", None)
        environment.pop("PROVOST_FAULTS", None)
        if self.faults:
            need_fault_points()
            environment["PROVOST_FAULTS"] = self.faults
        return environment

    def launch(self):
        """Starts it without waiting: for a start that is to fail. SIGXFSZ stays ignored, for what limits its files."""
        said = len(self.read("stderr"))
        with open(self.path("stderr"), "ab") as stderr:
            self.process = subprocess.Popen([os.path.join(BUILD, "provostd"), "-c", self.config_path, *self.arguments], stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr, env=self.environment(), restore_signals=False)
        return said

    def start(self):
        said = self.launch()

        def listening():
            found = re.search(r"listening on (https?)://[^/\s]*:(\d+)/", self.read("stderr")[said:])
            if not found:
                assert self.process.poll() is None, f"provostd ended with {self.process.returncode} instead of starting"
            return found

        self.port = int(await_condition("provostd says where it listens", listening)[2])
        return self

    def wait(self, within_s=20):
        return self.process.wait(within_s * SCALE)

    def stop(self, within_s=20):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(within_s)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        assert self.stop() == 0, "provostd did not end in order"
        return self.start()

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def end(self):
        if not self.running():
            return
        try:
            self.stop(30)
        except subprocess.TimeoutExpired:
            self.kill()

    # --- the endpoint

    def connection(self, timeout_s=30):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        context = ssl.create_default_context(cafile=self.path("tls.crt"))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout_s, context=context)

    def request(self, method, path="/okta/events", body=None, headers=None, secret=SECRET, timeout_s=30):
        """status, headers, body of one request on a connection of its own."""
        connection = self.connection(timeout_s)
        headers = dict(headers or {})
        if secret is not None:
            headers.setdefault("Authorization", secret.encode())
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            try:
                connection.request(method, path, body=body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                if connection.sock is None:  # not even connected
                    raise
                # answered before the whole body was sent (413): the answer may still be read
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(self, body, **options):
        return self.request("POST", body=body, **options)[0]

    def send(self, *events):
        """Posts the events as one body, which must be accepted."""
        status, _, text = self.request("POST", body=okta.body(*events))
        assert status == 204, f"expected 204, got {status}: {text!r}"

    # --- provostctl and the local API

    def ctl(self, *arguments, stdin=None):
        """exit code, standard output, standard error."""
        done = subprocess.run([os.path.join(BUILD, "provostctl"), "-c", self.config_path, *arguments], input=stdin, text=True,
                              stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, env=self.environment(),
                              timeout=60 * SCALE, check=False)
        return done.returncode, done.stdout, done.stderr

    def ctl_json(self, *arguments):
        code, out, err = self.ctl(*arguments, "--json")
        assert out, f"provostctl {' '.join(arguments)} --json: exit {code}, said nothing: {err}"
        return json.loads(out)

    def api(self, path, method="GET"):
        connection = UnixConnection(self.path("control.sock"))
        try:
            connection.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
            answer = connection.getresponse()
            return json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def status(self):
        return self.api("/v1/status")

    def target_status(self):
        return self.status()["targets"][0]

    def all_events(self):
        """Every event of the store, newest first."""
        rows, before = [], ""
        while True:
            page = self.api("/v1/events?most=1000" + before)
            if not page:
                return rows
            rows += page
            before = f"&before={page[-1]['row']}"

    def settle(self, within_s=30):
        """Until nothing is ready, leased or waiting."""
        def idle():
            status = self.target_status()
            return all(status[state] == 0 for state in ("ready", "leased", "waiting"))
        await_condition("all lanes came to rest", idle, within_s)

    # --- what it said

    def log(self, **wanted):
        """Lines of the status log whose fields are as wanted."""
        lines = [parse_logfmt(line) for line in self.read("status.log").splitlines()]
        return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]

    def await_log(self, within_s=15, **wanted):
        return await_condition(f"a line in the status log with {wanted}", lambda: self.log(**wanted), within_s)[-1]

    def said(self, text):
        return text in self.read("stderr")

    def evidence(self):
        tail = lambda name: "\n".join(self.read(name).splitlines()[-15:])
        return f"--- {self.folder}: stderr\n{tail('stderr')}\n--- status log\n{tail('status.log')}"
