"""A SCIM service that is not ours (scim_peer.mjs: SCIMMY on Express), fetched once into the build folder."""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import urllib.request

from agent import BUILD
from directory import SOURCE
from tap import Skip

PACKAGES = ["express@4.22.3", "scimmy@1.3.5", "scimmy-routers@1.3.2"]
TOKEN = "scim-token-30b9"
FOLDER = os.path.join(BUILD, "scim-peer")


def _fetch():
    npm = ["npm", "install", "--prefix", FOLDER, "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *PACKAGES]
    done = subprocess.run(npm, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Skip(f"npm could not fetch {' '.join(PACKAGES)}: {done.stderr.strip()[-300:]}")


def prepare():
    """The peer, ready to run; a Skip says what is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Skip("node and npm are missing (Debian: nodejs, npm)")
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = os.path.join(FOLDER, "ready")
        wanted = "\n".join(PACKAGES)
        if not os.path.exists(ready) or open(ready, encoding="utf-8").read() != wanted:
            _fetch()
            with open(ready, "w", encoding="utf-8") as file:
                file.write(wanted)
        shutil.copy(os.path.join(SOURCE, "tests", "support", "scim_peer.mjs"), FOLDER)


class Scim:
    """Owned by the World that started it. Starts empty."""

    probe = "/ServiceProviderConfig"

    def __init__(self, folder):
        prepare()
        os.makedirs(folder)
        self.token_file = os.path.join(folder, "token")
        with open(os.open(self.token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        with open(os.path.join(folder, "stderr"), "ab") as stderr:
            self.process = subprocess.Popen(["node", os.path.join(FOLDER, "scim_peer.mjs")], env={**os.environ, "SCIM_TOKEN": TOKEN},
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        self.url = self.process.stdout.readline().decode().strip() if ready else ""
        assert self.url, f"scim_peer.mjs did not start; see {folder}/stderr"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.process.stdout.close()

    def _get(self, url):
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"}), timeout=30) as answer:
            return json.loads(answer.read())

    def all(self, kind):
        """Resources of /Users or /Groups."""
        return self._get(f"{self.url}/{kind}?count=1000")["Resources"]

    def user(self, user):
        found = [item for item in self.all("Users") if item.get("externalId") == user.id]
        assert len(found) < 2, found
        return found[0] if found else None

    def group(self, group):
        found = [item for item in self.all("Groups") if item.get("externalId") == group.id]
        assert len(found) < 2, found
        return found[0] if found else None

    def requests(self):
        """Those that change something, oldest first."""
        return [r for r in self._get(self.url.removesuffix("/scim") + "/_requests") if r["method"] != "GET"]
