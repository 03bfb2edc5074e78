"""Tests are functions marked @test whose names are behaviours; run() prints TAP for automake's driver.

Each test gets a World (world.py): servers and agents of its own, ended when the test is over. On a failure the world
tells what it saw; with PROVOST_STOP=1 the first failure ends the run. Arguments on the command line choose the tests
whose names contain one of them.
"""

import os
import signal
import sys
import traceback

from world import World

_tests = []


class Skip(Exception):
    """Something real is missing. Said loudly; a failure where CI=true."""


def test(function):
    _tests.append(function)
    return function


def _print(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _diagnose(text):
    for line in text.rstrip("\n").splitlines():
        _print("# " + line)


def _run_one(number, function, world):
    name = function.__name__
    try:
        function(world)
    except Skip as skip:
        ci = os.environ.get("CI") == "true"
        _print(f"not ok {number} - {name}" if ci else f"ok {number} - {name} # SKIP {skip}")
        _diagnose(f"SKIP {name}: {skip}" + (" (CI=true: a failure)" if ci else ""))
        return not ci
    except Exception as error:  # whatever it was, the next test still runs
        _print(f"not ok {number} - {name}")
        for frame in traceback.extract_tb(error.__traceback__)[1:]:
            _diagnose(f"{os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}")
        _diagnose(f"{type(error).__name__}: {error}")
        _diagnose(world.evidence())
        return False
    _print(f"ok {number} - {name}")
    return True


def run():
    # A test run that is told to end (a time-out) ends its servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    chosen = [t for t in _tests if len(sys.argv) < 2 or any(word in t.__name__ for word in sys.argv[1:])]
    _print(f"1..{len(chosen)}")
    world = World()
    good = True
    try:
        for number, function in enumerate(chosen, 1):
            good = _run_one(number, function, world) and good
            world.end_test()
            if not good and os.environ.get("PROVOST_STOP"):
                _print("Bail out! PROVOST_STOP is set")
                break
    finally:
        world.close()
    sys.exit(0 if good else 1)
