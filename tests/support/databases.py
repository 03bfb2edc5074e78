"""Private servers for session stores: PostgreSQL, MariaDB, memcached. On loopback, on free ports, in a folder of their own.

Each is started once for a script (Server.start) and ended with it. As root they run as "nobody": PostgreSQL takes no root.
Programs come from the package where it is installed, else from private-package, which only unpacks it.
"""

import atexit
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

from bounded import await_condition
from tap import Skip

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "store-secret-1"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def private_package(package, *programs):
    done = subprocess.run([os.path.join(HERE, "private-package"), package, *programs], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"there is no {package}: {done.stderr.strip()}")
    return done.stdout.strip()


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _become_nobody():
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


class Server:
    """A folder, a process, a port. Subclasses say prepare(), command() and answers()."""

    package, packages, programs = None, None, []  # packages: more of them, by commas
    stop_signal = signal.SIGTERM

    def __init__(self):
        self.tree = private_package(self.packages or self.package, *self.programs)
        self.folder = tempfile.mkdtemp(prefix="pv-db-")
        self.port = free_port()
        self.process = None
        if os.getuid() == 0:
            os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, -1)
        atexit.register(self.close)
        self.prepare()
        self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        return os.path.join(self.tree, name)

    def environment(self):
        environment = {**os.environ, "HOME": self.folder, "LC_ALL": "C"}
        if self.tree != "/":
            with open(os.path.join(self.tree, "library_path"), encoding="utf-8") as file:
                environment["LD_LIBRARY_PATH"] = file.read().strip()
        return environment

    def run(self, *command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=self.environment(), cwd=self.folder, preexec_fn=_become_nobody, check=False)
        assert done.returncode == 0, f"{command[0]}: exit {done.returncode}: {done.stdout[-2000:]}"

    def prepare(self):
        pass

    def make_certificates(self):
        """server.pem and server.key for 127.0.0.1 alone, of ca.pem; other.pem is an authority that issued nothing."""
        try:
            from certificates import Authority
        except ImportError as error:
            raise Skip("python3-cryptography is missing") from error
        Authority(self.folder).issue("server", ["127.0.0.1"])
        Authority(self.folder, "other")
        for name in os.listdir(self.folder):
            os.chown(self.path(name), os.stat(self.folder).st_uid, -1)
            if name.endswith(".pem"):
                os.chmod(self.path(name), 0o644)

    def start(self):
        with open(self.path("out"), "ab") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment(),
                                            cwd=self.folder, preexec_fn=_become_nobody)
        await_condition(f"{self.package} answers", self._is_up, 30)

    def _is_up(self):
        if self.process.poll() is not None:
            with open(self.path("out"), encoding="utf-8", errors="replace") as out:
                raise AssertionError(f"{self.package} ended: {out.read()[-2000:]}")
        try:
            return self.answers()
        except Exception:  # not yet, whatever the client calls it
            return False

    def end(self, how=None):
        how = how or self.stop_signal
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        self.process = None

    def kill(self):
        """With its children: while one of them lives, PostgreSQL does not start again in the same folder."""
        children = self._processes()[1:]
        self.end(signal.SIGKILL)
        await_condition(f"the processes of {self.package} are gone", lambda: not any(map(_lives, children)), 30)

    def _processes(self):
        """The server's own and its children's, by number."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return [self.process.pid, *map(int, file.read().split())]

    def freeze(self):
        """It says nothing any more; its threads stop one by one."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)
        await_condition(f"{self.package} is stopped", lambda: all(
            open(stat, encoding="utf-8").read().rsplit(")", 1)[1].split()[0] == "T"
            for pid in self._processes() for stat in glob.glob(f"/proc/{pid}/task/*/stat")))

    def thaw(self):
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def restart(self):
        self.end()
        self.start()

    def close(self):
        self.end(signal.SIGKILL)
        if os.environ.get("PROVOST_KEEP"):
            print(f"# kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def _postgresql_package():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if found:
        return "postgresql-" + found[-1].split("/")[4]
    depends = subprocess.run(["apt-cache", "depends", "postgresql"], stdout=subprocess.PIPE, text=True, check=False).stdout
    names = [line.split()[-1] for line in depends.splitlines() if "Depends: postgresql-" in line and line.split()[-1][-1].isdigit()]
    if not names:
        raise Skip("there is no PostgreSQL (Debian: postgresql)")
    return names[0]


class PostgreSQL(Server):
    """Database app, superuser "admin" by the socket's trust, user "provost" by password."""

    stop_signal = signal.SIGINT  # does not wait for clients

    def __init__(self):
        try:
            import psycopg2
        except ImportError as error:
            raise Skip("python3-psycopg2 is missing") from error
        self.client = psycopg2
        self.package = _postgresql_package()
        self.bin = f"usr/lib/postgresql/{self.package.split('-')[1]}/bin"
        self.programs = [f"{self.bin}/postgres", f"{self.bin}/initdb"]
        super().__init__()

    def prepare(self):
        self.make_certificates()
        self.run(self.program(f"{self.bin}/initdb"), "-D", self.path("data"), "-U", "admin", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        with open(self.path("data/pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write("local all admin trust\nhost all all 127.0.0.0/8 scram-sha-256\n")

    def command(self):
        return [self.program(f"{self.bin}/postgres"), "-D", self.path("data"), "-p", str(self.port), "-k", self.folder, "-h", "127.0.0.1,127.0.0.2",
                "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "ssl=on", "-c", f"ssl_cert_file={self.path('server.pem')}",
                "-c", f"ssl_key_file={self.path('server.key')}"]

    def connection(self, dbname="app"):
        connection = self.client.connect(host=self.folder, port=self.port, user="admin", dbname=dbname)
        connection.autocommit = True
        return connection

    def sql(self, text, *values, dbname="app"):
        connection = self.connection(dbname)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def answers(self):
        self.sql("SELECT 1", dbname="postgres")
        return True

    def settings(self, **changed):
        return {"store": "postgresql", "address": [f"127.0.0.1:{self.port}"], "dbname": "app", "user": "provost", "password": PASSWORD, **changed}


class MariaDB(Server):
    """Database app, root by the socket, user "provost" by password."""

    package, packages = "mariadb-server", "mariadb-server,mariadb-client-core"
    programs = ["usr/sbin/mariadbd", "usr/bin/mariadb-install-db", "usr/bin/my_print_defaults", "usr/bin/resolveip"]

    def __init__(self):
        try:
            import pymysql
        except ImportError as error:
            raise Skip("python3-pymysql is missing") from error
        self.client = pymysql
        super().__init__()

    def _places(self):
        return [f"--basedir={self.program('usr')}", f"--datadir={self.path('data')}", f"--lc-messages-dir={self.program('usr/share/mysql')}"]

    def prepare(self):
        self.make_certificates()
        self.run("/bin/sh", self.program("usr/bin/mariadb-install-db"), "--no-defaults", *self._places()[:2], "--auth-root-authentication-method=normal",
                 "--skip-test-db", "--force")

    def command(self):
        return [self.program("usr/sbin/mariadbd"), "--no-defaults", *self._places(), f"--port={self.port}", "--bind-address=127.0.0.1,127.0.0.2",
                f"--socket={self.path('sock')}", f"--pid-file={self.path('pid')}", "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=16M", "--skip-log-bin", f"--ssl-ca={self.path('ca.pem')}", f"--ssl-cert={self.path('server.pem')}",
                f"--ssl-key={self.path('server.key')}"]

    def connection(self, dbname="app"):
        return self.client.connect(unix_socket=self.path("sock"), user="root", database=dbname, autocommit=True, charset="utf8mb4")

    def sql(self, text, *values, dbname="app"):
        connection = self.connection(dbname)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, values or None)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def answers(self):
        self.sql("SELECT 1", dbname="mysql")
        return True

    def settings(self, **changed):
        return {"store": "mysql", "address": [f"127.0.0.1:{self.port}"], "dbname": "app", "user": "provost", "password": PASSWORD, **changed}


class Memcached(Server):
    package, programs = "memcached", ["usr/bin/memcached"]

    def command(self):
        return [self.program("usr/bin/memcached"), "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "16"]

    def talk(self, text):
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(text.encode() + b"quit\r\n")
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer.decode("latin-1")

    def put(self, key, value):
        assert self.talk(f"set {key} 0 0 {len(value.encode())}\r\n{value}\r\n") == "STORED\r\n"

    def get(self, key):
        lines = self.talk(f"get {key}\r\n").split("\r\n", 1)
        return None if lines[0] == "END" else lines[1].rsplit("\r\nEND", 1)[0]

    def answers(self):
        return self.talk("version\r\n").startswith("VERSION")

    def settings(self, **changed):
        return {"store": "memcached", "address": [f"127.0.0.1:{self.port}"], **changed}
