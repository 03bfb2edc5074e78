"""A private slapd (private-slapd) and what the tests look up in it, through python3-ldap."""

import contextlib
import os
import re
import signal
import subprocess

SOURCE = os.path.abspath(os.environ.get("PROVOST_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."))
SCRIPTS = os.path.join(SOURCE, "tests", "support")
SUFFIX = "dc=example,dc=org"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{SUFFIX}", "admin-secret"
AGENT, AGENT_PASSWORD = f"cn=provost,{SUFFIX}", "provost-secret"
PEOPLE, GROUPS, FORMER = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}", f"ou=former,{SUFFIX}"


def without_chance(value):
    """What locks an account that has no password ends in random digits."""
    return re.sub(r"(?<=\{PROVOST-LOCKED\}\{PROVOST-NONE\})[0-9a-f]{32}$", "", value)


class Directory:
    """Owned by the World that started it; stop() ends the process."""

    script = "private-slapd"

    def __init__(self, folder, *options):
        import ldap  # here, so that a machine without it can say so as a skip
        self.ldap = ldap
        self.folder = folder
        self._connection = None
        self._run("start", folder, *options)

    def _run(self, command, *arguments):
        # Its server outlives the script: no pipe that it would hold open.
        with open(self.folder + ".out", "w+", encoding="utf-8") as out:
            code = subprocess.run([os.path.join(SCRIPTS, self.script), command, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode
            out.seek(0)
            assert code == 0, f"{self.script} {command}: exit {code}: {out.read()}"

    def _read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read().strip()

    @property
    def uri(self):
        return self._read("uri")

    @property
    def ldaps_uri(self):
        return self._read("ldaps_uri")

    @property
    def ca_file(self):
        return os.path.join(self.folder, "ca.pem")

    def stop(self):
        self._connection = None
        self._run("stop", self.folder)

    def kill(self):
        self._connection = None
        self._run("kill", self.folder)

    @contextlib.contextmanager
    def hanging(self):
        """Takes connections, and answers nothing."""
        pid = int(self._read("pid"))
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def restart(self, *options):
        self._connection = None
        self._run("restart", self.folder, *options)

    def connection(self):
        if self._connection is None:
            self._connection = self.ldap.initialize(self.uri)
            self._connection.set_option(self.ldap.OPT_NETWORK_TIMEOUT, 5)
            self._connection.simple_bind_s(ADMIN, ADMIN_PASSWORD)
        return self._connection

    def configure(self, attribute, change, value):
        """Changes the database of SUFFIX in cn=config; `change` is MOD_REPLACE, MOD_ADD or MOD_DELETE. A restart forgets it."""
        config = self.ldap.initialize(self.uri)
        config.simple_bind_s("cn=config", ADMIN_PASSWORD)
        dn = config.search_s("cn=config", self.ldap.SCOPE_ONELEVEL, f"(olcSuffix={SUFFIX})", ["1.1"])[0][0]
        config.modify_s(dn, [(getattr(self.ldap, change), attribute, [value.encode()])])
        config.unbind_s()

    def search(self, base, scope, filter_text="(objectClass=*)", attributes=None):
        try:
            return self.connection().search_s(base, scope, filter_text, attributes)
        except self.ldap.NO_SUCH_OBJECT:
            return []

    def entry(self, dn):
        """attribute → list of text; None when there is no such entry."""
        found = self.search(dn, self.ldap.SCOPE_BASE)
        return {name: [value.decode("utf-8", "backslashreplace") for value in values] for name, values in found[0][1].items()} if found else None

    def people(self):
        return [dn for dn, _ in self.search(PEOPLE, self.ldap.SCOPE_ONELEVEL, attributes=["1.1"])]

    def uuid(self, dn):
        found = self.search(dn, self.ldap.SCOPE_BASE, attributes=["entryUUID"])
        return found[0][1]["entryUUID"][0].decode() if found else None

    def members(self, dn):
        entry = self.entry(dn)
        return None if entry is None else sorted(entry.get("member", []))

    def add(self, dn, **attributes):
        values = {name: value if isinstance(value, list) else [value] for name, value in attributes.items()}
        self.connection().add_s(dn, [(name, [v.encode() for v in value]) for name, value in values.items()])

    def add_person(self, uid, parent=PEOPLE, **attributes):
        dn = f"uid={uid},{parent}"
        self.add(dn, **{"objectClass": "inetOrgPerson", "cn": uid, "sn": uid, **attributes})
        return dn

    def delete(self, dn):
        self.connection().delete_s(dn)

    def clear(self):
        """Takes out all that the agent may have made."""
        for base in (PEOPLE, GROUPS, FORMER):
            for dn, _ in self.search(base, self.ldap.SCOPE_ONELEVEL, attributes=["1.1"]):
                self.delete(dn)

    def dump(self):
        """dn → attributes without operational ones, all sorted: two directories are alike when their dumps are equal."""
        result = {}
        for base in (PEOPLE, GROUPS, FORMER):
            for dn, values in self.search(base, self.ldap.SCOPE_ONELEVEL):
                result[dn] = {name: sorted(without_chance(v.decode("utf-8", "backslashreplace")) for v in vs) for name, vs in values.items()}
        return result


class Directory389(Directory):
    """A private 389 Directory Server, with the same entries."""

    script = "private-389ds"

    @staticmethod
    def lacks():
        """Why there is none; None: there is one."""
        done = subprocess.run([os.path.join(SCRIPTS, Directory389.script), "binary"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        return None if done.returncode == 0 else f"no 389 Directory Server: {done.stderr.strip()}"
