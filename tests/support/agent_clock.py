"""The clock of an agent (base/clock.h), set by a test."""

import contextlib
import os
import struct

import okta
from agent import need_fault_points


class Clock:
    def __init__(self, path, off_us):
        self.path = path
        with open(path, "wb") as file:
            file.write(struct.pack("qq", off_us, 0))

    def set_off(self, us):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("q", us))

    def let_pass(self, us):
        """For Okta, too."""
        okta.let_pass(us)
        with open(self.path, "r+b") as file:
            file.seek(8)
            file.write(struct.pack("q", us))


@contextlib.contextmanager
def clocked_agent(world, off_us=0, **options):
    need_fault_points()
    clock = Clock(world.new_folder("clock"), off_us)
    os.environ["PROVOST_CLOCK_JUMP"] = clock.path
    try:
        yield clock, world.agent(**options)
    finally:
        del os.environ["PROVOST_CLOCK_JUMP"]
        okta.let_pass(0)
