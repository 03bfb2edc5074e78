"""A SCIM service that is not ours (scim_peer.mjs: SCIMMY on Express), fetched once into the build folder."""

import json
import os
import select
import signal
import subprocess
import urllib.request

import npm
from directory import SOURCE

PACKAGES = ["express@4.22.3", "scimmy@1.3.5", "scimmy-routers@1.3.2"]
TOKEN = "scim-token-30b9"


class Scim:
    """Owned by the World that started it. Starts empty."""

    probe = "/ServiceProviderConfig"

    def __init__(self, folder):
        script = npm.prepare("scim-peer", PACKAGES, os.path.join(SOURCE, "tests", "support", "scim_peer.mjs"))
        os.makedirs(folder)
        self.token_file = os.path.join(folder, "token")
        with open(os.open(self.token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        with open(os.path.join(folder, "stderr"), "ab") as stderr:
            self.process = subprocess.Popen(["node", script], env={**os.environ, "SCIM_TOKEN": TOKEN},
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        self.url = self.process.stdout.readline().decode().strip() if ready else ""
        assert self.url, f"scim_peer.mjs did not start; see {folder}/stderr"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.process.stdout.close()

    def _ask(self, url, document=None, method=None):
        body = None if document is None else json.dumps(document).encode()
        kind = "application/scim+json" if url.startswith(self.url) else "application/json"
        request = urllib.request.Request(url, body, {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def quirks(self, **quirks):
        """See scim_peer.mjs; in place of those before."""
        self._ask(self.url.removesuffix("/scim") + "/_quirks", quirks)

    def add(self, kind, **members):
        """What the service had before: a resource of /Users or /Groups."""
        schema = {"Users": "User", "Groups": "Group"}[kind]
        return self._ask(f"{self.url}/{kind}", {"schemas": [f"urn:ietf:params:scim:schemas:core:2.0:{schema}"], **members})

    def replace(self, kind, resource):
        """By hand, in the service's own console."""
        return self._ask(f"{self.url}/{kind}/{resource['id']}", resource, "PUT")

    def all(self, kind):
        """Resources of /Users or /Groups, through all pages."""
        found, total = [], 1
        while len(found) < total:
            page = self._ask(f"{self.url}/{kind}?count=100&startIndex={len(found) + 1}")
            found, total = found + page["Resources"], page["totalResults"]
        return found

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
        return [r for r in self._ask(self.url.removesuffix("/scim") + "/_requests") if r["method"] != "GET"]
