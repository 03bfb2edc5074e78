"""An nginx of the test's own: a temporary folder, free ports, ended by its pid. Nothing is installed, no service is started:
where the package is missing its program is downloaded and unpacked into a folder of our own."""

import glob
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

from bounded import await_condition


def _unpacked():
    """The program from the Debian package, unpacked once; None where that cannot be."""
    folder = os.path.join(tempfile.gettempdir(), f"provost-nginx-{os.getuid()}")
    program = os.path.join(folder, "usr", "sbin", "nginx")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    seen = os.lstat(folder)
    if seen.st_uid != os.getuid() or not stat.S_ISDIR(seen.st_mode) or seen.st_mode & 0o022:
        return None  # in /tmp somebody else could have put a program there
    if not os.path.exists(program):
        quiet = {"cwd": folder, "stdin": subprocess.DEVNULL, "capture_output": True, "check": False}
        subprocess.run(["apt-get", "download", "-qq", "nginx"], **quiet)
        for package in glob.glob(os.path.join(folder, "nginx_*.deb")):
            subprocess.run(["dpkg", "-x", package, folder], **quiet)
            os.unlink(package)
    return program if os.path.exists(program) else None


def find_program():
    """The path of an nginx that runs; None: there is none."""
    for program in (os.environ.get("NGINX"), "/usr/sbin/nginx", shutil.which("nginx"), shutil.which("apt-get") and _unpacked()):
        if program and os.path.exists(program) and subprocess.run([program, "-v"], capture_output=True, check=False).returncode == 0:
            return program
    return None


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log; server_tokens off; gzip on; gzip_min_length 1; gzip_types application/json; default_type application/json;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    {servers}
}}
"""


class Nginx:
    """`servers` maps a name to the lines of a server block after `listen`; port(name) is where it listens. Owned by a World."""

    def __init__(self, folder, servers):
        os.makedirs(folder)
        self.folder, self.ports, self.process = folder, {}, None
        blocks = []
        for name, (how, lines) in servers.items():
            self.ports[name] = free_port()
            blocks.append(f"server {{ listen 127.0.0.1:{self.ports[name]} {how}; {lines} }}")
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=folder, servers="\n    ".join(blocks)))
        with open(os.path.join(folder, "stderr"), "ab") as stderr:
            self.process = subprocess.Popen([find_program(), "-p", folder, "-c", os.path.join(folder, "nginx.conf")], stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr)
        await_condition("nginx listens", self._listens)

    def _listens(self):
        assert self.process.poll() is None, f"nginx ended: {self.read('stderr')}{self.read('error.log')}"
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
