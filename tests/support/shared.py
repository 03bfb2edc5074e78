"""Third-party sample data that is not part of the project: read where it is, never copied."""

import os

from directory import SOURCE
from tap import Skip

FOLDER = os.environ.get("PROVOST_SHARED") or os.path.join(os.path.dirname(SOURCE), "shared")


def samples(kind):
    """(name, bytes) of every sample of a kind ("hook", "logevent")."""
    folder = os.path.join(FOLDER, "okta", "samples", kind)
    if not os.path.isdir(folder):
        raise Skip(f"Okta's samples are not in {folder}; set PROVOST_SHARED to the folder that holds okta/samples")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            yield name, file.read()
