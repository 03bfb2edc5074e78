"""Waiting for a condition, with a bound. Nothing in the tests sleeps for a fixed time."""

import os
import time

# A sanitizer build and a busy machine are slower, not wrong.
SCALE = float(os.environ.get("PROVOST_TIME_SCALE", "1"))


class NotInTime(AssertionError):
    pass


def await_condition(what, condition, within_s=15.0, every_s=0.02):
    """Returns the first true value of condition(); NotInTime says `what` was awaited and what was seen last."""
    deadline = time.monotonic() + within_s * SCALE
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() >= deadline:
            raise NotInTime(f"not within {within_s * SCALE:g} s: {what} (last seen: {seen!r})")
        time.sleep(every_s)


def stays(what, condition, for_s=0.4, every_s=0.02):
    """The opposite: the condition must hold all along a short span. For what must not happen."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert condition(), f"did not stay so for {for_s} s: {what}"
        time.sleep(every_s)
