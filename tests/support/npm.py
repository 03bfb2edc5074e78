"""Packages from npm, pinned, fetched once into the build folder."""

import fcntl
import os
import shutil
import subprocess

from agent import BUILD
from tap import Skip


_refused = {}  # folder: why; asked once, for a registry that does not answer takes its time to say so


def _fetch(folder, packages):
    npm = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", "--fetch-retries", "1", *packages]
    if folder not in _refused:
        try:
            done = subprocess.run(npm, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode == 0:
                return
            _refused[folder] = done.stderr.strip()[-300:]
        except subprocess.TimeoutExpired as late:
            _refused[folder] = f"no end within {late.timeout} s"
    raise Skip(f"npm could not fetch {' '.join(packages)}: {_refused[folder]}")


def prepare(name, packages, script):
    """The path of `script`, copied beside its packages in the folder `name`; a Skip says what is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Skip("node and npm are missing (Debian: nodejs, npm)")
    folder = os.path.join(BUILD, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = os.path.join(folder, "ready")
        wanted = "\n".join(packages)
        if not os.path.exists(ready) or open(ready, encoding="utf-8").read() != wanted:
            _fetch(folder, packages)
            with open(ready, "w", encoding="utf-8") as file:
                file.write(wanted)
        return shutil.copy(script, folder)
