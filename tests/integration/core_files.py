#!/usr/bin/python3
"""A crash of provostd leaves no core file, since that would hold the targets' passwords."""

import os
import resource
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, SECRET  # noqa: E402
from bounded import await_condition  # noqa: E402
from tap import run, test  # noqa: E402


def leave_sanitizers():
    """No test there, also where nothing may be missing: its leak checker needs a process that can be attached to."""
    with open(os.path.join(BUILD, "provostd"), "rb") as file:
        if b"__asan_init" in file.read():
            print("1..0 # SKIP built with AddressSanitizer, which leaves provostd open to its leak checker; the plain build is tested")
            sys.exit(0)


def core_pattern():
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        return file.read().strip()


def abort(agent, *arguments):
    """Ends a running agent by SIGABRT, core files allowed and its own folder to write them to: was one written?"""
    process = subprocess.Popen([os.path.join(BUILD, "provostd"), "-c", agent.config_path, *arguments], cwd=agent.folder,
                               stdin=subprocess.DEVNULL, stderr=open(agent.path("stderr"), "ab"), env=agent.environment(),
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
    await_condition("provostd listens", lambda: process.poll() is not None or agent.said("listening on"))
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGABRT, f"ended by {status:#x} instead of SIGABRT"
    return os.WCOREDUMP(status)


def holds_secret(agent):
    """Names of the agent's files, but for the secrets' own, that hold the hook's secret."""
    found = []
    for folder, _, names in os.walk(agent.folder):
        for name in (name for name in names if os.path.isfile(os.path.join(folder, name))):
            with open(os.path.join(folder, name), "rb") as file:
                if name != "hook.secret" and SECRET.encode() in file.read():
                    found.append(name)
    return found


@test
def a_crash_leaves_no_core_file(world):
    agent = world.agent(start=False, directory=None)
    assert not abort(agent), "the kernel says that it wrote a core file"
    assert not holds_secret(agent), f"the secret stands in {holds_secret(agent)}"


@test
def a_core_file_is_left_where_it_was_asked_for_and_would_have_held_the_secret(world):
    if core_pattern().startswith(("|", "/")) or resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        print(f"# not tried: core files do not go to the working directory here (core_pattern {core_pattern()}, or a limit)")
        return
    agent = world.agent(start=False, directory=None)
    assert abort(agent, "--core-files"), "no core file was written"
    assert holds_secret(agent), "the core file lacks the secret: the other test proves nothing"


leave_sanitizers()
run()
