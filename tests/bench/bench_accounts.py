"""The directory's part of the bench: accounts a second in a private slapd, beside a bare libldap loop on the same slapd;
and how long one event takes to become an account that others see, while nothing else goes on."""

import os
import subprocess
import time

import okta
from agent import BUILD
from bounded import await_condition
from directory import ADMIN, ADMIN_PASSWORD, PEOPLE
from okta import User

ACCOUNTS = int(os.environ.get("PROVOST_BENCH_ACCOUNTS", "2000"))
SAMPLES = int(os.environ.get("PROVOST_BENCH_SAMPLES", "300"))
# The agent's default, and a directory as it is run.
COUNTED = ("fsync for each change", 4)


def bare_adds(directory, connections):
    """Adds per second."""
    done = subprocess.run([os.path.join(BUILD, "bench_ldap_adds"), directory.uri, ADMIN, ADMIN_PASSWORD, PEOPLE, str(ACCOUNTS), str(connections)],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def lanes_left(agent):
    target = agent.target_status()
    return target["ready"] + target["leased"] + target["waiting"]


def provisioned(world, directory, workers):
    """Accounts per second from a backlog, so that the endpoint's own work is out of the picture."""
    agent = world.agent(directory=directory, target={"workers": workers})
    agent.ctl("hold", "corp-ldap")
    users = [User(f"00ub{n}", f"b{n}@example.com", f"Bench {n}") for n in range(ACCOUNTS)]
    for first in range(0, ACCOUNTS, 500):
        agent.send(*[okta.create(user) for user in users[first:first + 500]])
    agent.ctl("resume", "corp-ldap")
    start = time.monotonic()
    await_condition("all accounts are made", lambda: lanes_left(agent) == 0, 300)
    rate = ACCOUNTS / (time.monotonic() - start)
    made = len(directory.people())
    assert made == ACCOUNTS, f"{made} of {ACCOUNTS} accounts are in the directory"
    agent.end()
    return rate


def beside(world, directory, workers):
    """The bare loop before and after the agent, so that a machine that grows busier does not flatter one of them."""
    before = bare_adds(directory, workers)
    directory.clear()
    agent = provisioned(world, directory, workers)
    directory.clear()
    return (before + bare_adds(directory, workers)) / 2, agent


def bench_provisioning(world, row):
    for name, options in (("fsync for each change", ()), ("no fsync", ("--nosync",))):
        print(f"provisioning ({ACCOUNTS} accounts, slapd with {name})")
        for workers in (1, 4):
            directory = world.own_directory(*options)
            bare, agent = beside(world, directory, workers)
            counted = (name, workers) == COUNTED
            row(f"bare libldap loop, {workers} connection(s)", bare, "adds/s")
            row(f"provostd, {workers} worker(s)", agent, "adds/s", key="provision_per_s" if counted else None)
            row(f"provostd / bare, {workers} worker(s)", agent / bare, "", 0.85, key="provision_ratio" if counted else None)
            directory.stop()


# --- from the POST to the account

def one_account(agent, directory, number):
    """Milliseconds."""
    user = User(f"00ulat{number}", f"lat{number}@example.com", f"Late {number}")
    dn = f"uid=lat{number},{PEOPLE}"
    body = okta.body(okta.create(user))
    start = time.monotonic()
    assert agent.post(body) == 204
    while not directory.search(dn, directory.ldap.SCOPE_BASE, attributes=["1.1"]):
        assert time.monotonic() - start < 10, "there is no account after 10 s"
    return (time.monotonic() - start) * 1000


def idle_then(agent, directory, number):
    agent.settle()
    return one_account(agent, directory, number)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def bench_latency(world, row):
    print(f"from the POST to the account that a search finds ({SAMPLES} samples, idle, slapd with fsync for each change)")
    directory = world.own_directory()
    agent = world.agent(directory=directory)
    one_account(agent, directory, "warm")
    taken = [idle_then(agent, directory, number) for number in range(SAMPLES)]
    row("p50", percentile(taken, 0.50), "ms", key="latency_ms_p50")
    row("p99", percentile(taken, 0.99), "ms", most=25, key="latency_ms_p99")
    row("most", max(taken), "ms")
    agent.end()
    directory.stop()
