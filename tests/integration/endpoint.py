#!/usr/bin/python3
"""Every row of the endpoint's table of answers, over HTTP and HTTPS, against the real provostd."""

import json
import os
import resource
import socket
import ssl
import sys
import threading
import warnings

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import SECRET
from bounded import await_condition
from okta import Group, User, body
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
LIMIT = 1024 * 1024


def alone(world, **options):
    """An agent without targets: the endpoint and the store."""
    return world.agent(directory=None, mappings_={}, **options)


def status(agent, method, **options):
    return agent.request(method, **options)[0]


def padded(length):
    """A good body of exactly that many bytes."""
    text = body(okta.create(ANN))
    return text + b" " * (length - len(text))


# method, what is sent, the answer
ROWS = [
    ("POST", "an event", {"body": body(okta.create(ANN))}, 204),
    ("POST", "no events at all", {"body": body()}, 204),
    ("POST", "charset in the content type", {"body": body(), "headers": {"Content-Type": "application/json; charset=UTF-8"}}, 204),
    ("POST", "an unknown event type", {"body": body(okta.event("user.lifecycle.sublimate", ANN))}, 204),
    ("POST", "no target", {"body": body(okta.event("user.lifecycle.create"))}, 204),
    ("POST", "a failure", {"body": body(okta.create(ANN, result="FAILURE"))}, 204),
    ("POST", "a body of just the limit", {"body": padded(LIMIT)}, 204),
    ("POST", "a wrong secret", {"body": body(), "secret": "wrong"}, 401),
    ("POST", "the secret and more", {"body": body(), "secret": SECRET + "x"}, 401),
    ("POST", "half of the secret", {"body": body(), "secret": SECRET[:5]}, 401),
    ("POST", "no secret", {"body": body(), "secret": None}, 401),
    ("GET", "a challenge without a secret", {"headers": {"X-Okta-Verification-Challenge": "x"}, "secret": None}, 401),
    ("POST", "nothing", {"body": b""}, 400),
    ("POST", "no JSON", {"body": b"event=create&user=ann"}, 400),
    ("POST", "half of a JSON", {"body": body(okta.create(ANN))[:-20]}, 400),
    ("POST", "a JSON that is no hook body", {"body": b'{"hello": "world"}'}, 400),
    ("POST", "an array", {"body": b"[]"}, 400),
    ("POST", "no UTF-8", {"body": b'{"data": {"events": [{"uuid": "\xff\xfe"}]}}'}, 400),
    ("POST", "100,000 brackets", {"body": b"[" * 100_000 + b"]" * 100_000}, 400),
    ("POST", "a body over the limit", {"body": padded(LIMIT + 1)}, 413),
    ("POST", "text", {"body": body(), "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", "a form", {"body": body(), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
    ("POST", "another path", {"body": body(), "path": "/elsewhere"}, 404),
    ("GET", "another path", {"path": "/"}, 404),
    ("PUT", "another method", {"body": body()}, 405),
    ("DELETE", "another method", {}, 405),
]


def check_rows(agent):
    wrong = []
    for method, what, request, expected in ROWS:
        seen = status(agent, method, **request)
        if seen != expected:
            wrong.append(f"{method} with {what}: expected {expected}, got {seen}")
    assert not wrong, "\n".join(wrong)


def check_verification(agent):
    for challenge in ("abc-123", 'a "quoted" \\ one'):
        code, headers, text = agent.request("GET", headers={"X-Okta-Verification-Challenge": challenge})
        assert code == 200 and json.loads(text) == {"verification": challenge}, (code, text)
        assert headers["Content-Type"].split(";")[0] == "application/json", headers["Content-Type"]


@test
def every_row_of_the_table_over_http(world):
    check_rows(alone(world))


@test
def every_row_of_the_table_over_https(world):
    check_rows(alone(world, tls=True))


@test
def verification_echoes_the_challenge_over_http_and_https(world):
    check_verification(alone(world))
    check_verification(alone(world, tls=True))


@test
def old_tls_is_refused(world):
    agent = alone(world, tls=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        with socket.create_connection(("127.0.0.1", agent.port)) as plain, context.wrap_socket(plain):
            raise AssertionError("TLS 1.1 was accepted")
    except (ssl.SSLError, ConnectionError):
        pass


@test
def bad_bodies_are_kept_in_quarantine_and_counted(world):
    agent = alone(world)
    for bad in (b"no json", b"{}", b"[1, 2"):
        assert agent.post(bad) == 400
    await_condition("three bodies in quarantine", lambda: agent.status()["store"]["quarantined"] == 3)
    agent.post(b"x", secret="wrong")
    assert agent.status()["endpoint"]["unauthorized"] == 1
    assert agent.status()["store"]["quarantined"] == 3, "a body without the secret must not fill the store"


@test
def wrong_secrets_are_logged_without_the_secret(world):
    agent = alone(world)
    assert agent.post(body(), secret="guessed-by-a-stranger") == 401
    await_condition("the refusal is said", lambda: "401" in agent.read("stderr") + agent.read("status.log")
                    or "secret" in agent.read("stderr") + agent.read("status.log"))
    for name in ("stderr", "status.log"):
        assert "guessed-by-a-stranger" not in agent.read(name) and SECRET not in agent.read(name), name


@test
def both_secrets_are_valid_while_they_rotate(world):
    agent = alone(world, start=False)
    agent.write("old.secret", "the old one\n", 0o600)
    agent.top["hook"] = {**agent.config()["hook"], "previous_secret": "file:" + agent.path("old.secret")}
    agent.write_config()
    agent.start()
    assert agent.post(body(), secret="the old one") == 204
    assert agent.post(body()) == 204
    del agent.top["hook"]
    agent.write_config()
    assert agent.ctl("reload")[0] == 0
    assert agent.post(body(), secret="the old one") == 401
    assert agent.post(body()) == 204


@test
def a_duplicate_is_accepted_again_and_stored_once(world):
    agent = alone(world)
    one = body(okta.create(ANN))
    assert [agent.post(one) for _ in range(3)] == [204, 204, 204]
    store = agent.status()["store"]
    assert store["events"] == 1 and store["duplicates"] >= 1, store


@test
def an_accepted_event_survives_a_kill_right_after_the_answer(world):
    agent = alone(world)
    events = [okta.create(User(f"00u{i}", f"u{i}@example.com", f"U {i}")) for i in range(30)]
    agent.send(*events)
    agent.kill()
    agent.start()
    assert {row["event"] for row in agent.all_events()} == {event["uuid"] for event in events}


@test
def nothing_is_answered_before_the_commit(world):
    """Killed between commit and answer: in the store. Killed before the commit: no 2xx was seen."""
    for fault, expected in (("store.commit=kill@1", 0), ("store.committed=kill@1", 1)):
        agent = alone(world)
        agent.stop()
        agent.faults = fault
        try:
            agent.start()
            assert agent.post(body(okta.create(ANN))) != 204
        except (ConnectionError, AssertionError, OSError):
            pass
        agent.wait()
        agent.faults = None
        agent.start()
        stored = len(agent.all_events())
        assert stored <= expected, f"{fault}: {stored} events in the store"


def check_heals(agent, word):
    """The next bodies are answered 503 until the fault is over; then 204, without a restart."""
    answers = []

    def posted():
        answers.append(agent.post(body(okta.create(ANN))))
        return answers[-1] == 204

    await_condition("the event is accepted once the fault is over", posted)
    assert 503 in answers and set(answers) <= {503, 204}, answers
    assert agent.running() and len(agent.all_events()) == 1
    assert agent.status()["endpoint"]["unavailable"] == answers.count(503)
    assert word in agent.read("stderr"), f"{word!r} is not in the log"


@test
def a_full_disk_is_503_and_heals_without_a_restart(world):
    check_heals(alone(world, faults="store.write=full*3@2"), "no space left")


@test
def a_read_only_disk_is_503_and_heals_without_a_restart(world):
    check_heals(alone(world, faults="store.write=read-only*3@2"), "read-only")


@test
def a_locked_database_is_503_and_heals_without_a_restart(world):
    check_heals(alone(world, faults="store.write=busy*3@2"), "locked")


@test
def a_file_that_may_not_grow_is_503_and_heals_without_a_restart(world):
    """A real failure of write(2): the process's own limit on the size of files."""
    agent = alone(world)
    agent.send(okta.create(ANN))
    unlimited = resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, (128 * 1024, unlimited[1]))
    one = lambda n: body(okta.create(User(f"00u{n}", f"u{n}@example.com", "x" * 20_000)))
    accepted, refused = 1, 0
    for number in range(40):
        status = agent.post(one(number))
        assert status in (204, 503), status
        accepted, refused = accepted + (status == 204), refused + (status == 503)
    assert refused > 0, "the limit was never felt"
    resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, unlimited)
    await_condition("accepted again", lambda: agent.post(one(99)) == 204)
    assert len(agent.all_events()) == accepted + 1, "what was answered 204 and what is stored differ"


@test
def a_stalled_client_and_2000_open_connections_stop_nobody(world):
    agent = alone(world)
    stalled = socket.create_connection(("127.0.0.1", agent.port))
    stalled.sendall(b"POST /okta/events HTTP/1.1\r\nHost: x\r\nContent-Le")
    crowd = []
    try:
        for _ in range(900 if limit_of_files() < 2100 else 2000):
            crowd.append(socket.create_connection(("127.0.0.1", agent.port)))
        assert agent.post(body(okta.create(ANN)), timeout_s=5) == 204
    finally:
        for connection in crowd + [stalled]:
            connection.close()


def limit_of_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 8192), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@test
def many_at_once_all_get_their_answer(world):
    agent = alone(world)
    answers = []

    def client(number):
        for i in range(20):
            answers.append(agent.post(body(okta.create(User(f"00u{number}-{i}", f"u{number}-{i}@example.com", "U")))))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [204] * 320, [a for a in answers if a != 204]
    assert agent.status()["store"]["events"] == 320


@test
def plain_http_beyond_loopback_is_refused_at_the_start(world):
    agent = alone(world, start=False, listen={"address": "0.0.0.0"})
    agent.launch()
    assert agent.wait() != 0
    assert "provost.conf:" in agent.read("stderr") and "tls" in agent.read("stderr"), agent.read("stderr")


@test
def okta_sample_bodies_are_accepted(world):
    import shared
    agent = alone(world)
    for name, text in shared.samples("hook"):
        assert agent.post(text) == 204, name


@test
def hostile_text_is_stored_whole_or_refused_never_a_crash(world):
    agent = alone(world)
    for login in (")(uid=*", "x,ou=admins", "nul\u0000byte", "a" * 900_000, "\u202e\ud83d\ude00", "' or 1=1 --"):
        user = User("00uevil", login, login)
        assert agent.post(body(okta.create(user), okta.member_add(user, Group("00g", login)))) in (204, 400, 413), login[:20]
    assert agent.post(body(okta.create(User("00ubig", "a" * 10_000_000, "Big")))) == 413
    assert agent.running() and agent.post(body(okta.create(ANN))) == 204


run()
