#!/usr/bin/python3
"""Clients that mean harm, or are broken: each gets its answer or is cut off, and while all of them come at once the
endpoint answers good requests in time, in bounded memory, and is as before when they have gone.

PROVOST_HOSTILE=SECONDS says how long they come at once (3).
"""

import contextlib
import http.client
import multiprocessing
import os
import queue
import random
import resource
import select
import selectors
import socket
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import okta
from agent import SECRET
from bounded import SCALE, await_condition
from okta import User, body
from tap import run, test

SECONDS = float(os.environ.get("PROVOST_HOSTILE", "3"))
SAMPLES_LEAST = 1000             # so that one in a thousand can be told
WINDOW_S_MOST = 300              # what a busy machine may need for as many, and for each kind of harm
ANSWER_S_MOST = 3.0              # Okta waits no longer
TIMEOUT_S = 10                   # listen.timeout: so long a connection may do nothing
ROW_S_MOST = 1                   # the wait for a row's answer; some are given at the time-out only
CROWD = 2000                     # connections that are open and say nothing
# The bound of memory: that of the agent itself, and so much for each connection: libmicrohttpd's 16 KiB for headers, its
# own record and ours; with TLS a session besides. Bodies are kept only of whoever knows the secret.
PLAIN_BYTES_MOST, TLS_BYTES_MOST = 24 * 1024, 64 * 1024
BASE_BYTES_MOST = 32 * 1024 * 1024
SANITIZED = bool(os.environ.get("ASAN_OPTIONS") or os.environ.get("TSAN_OPTIONS"))  # their memory is not ours to bound


def head(length, secret=SECRET, *more, method="POST"):
    """A request's head; `length` None leaves Content-Length out."""
    lines = [f"{method} /okta/events HTTP/1.1", "Host: agent", "Content-Type: application/json"]
    lines += [f"Authorization: {secret}"] if secret is not None else []
    lines += [f"Content-Length: {length}"] if length is not None else []
    return "\r\n".join([*lines, *more, "", ""]).encode()


def request(text, secret=SECRET):
    return head(len(text), secret) + text


def chunked(*pieces):
    return head(None, SECRET, "Transfer-Encoding: chunked") + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def event_with(text):
    """A hook body whose event has these bytes where a login stands."""
    return body(okta.create(User("00uevil", "LOGIN", "Evil"))).replace(b"LOGIN", text)


GOOD = body(okta.create(User("00uann", "ann@example.com", "Ann")))
DEEP = b'{"data":{"events":[' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"]}}"
TEN_MB = b"x" * 10_000_000
CUT = None  # no answer: the connection ends

# what is sent, and the answers that are right
ROWS = [
    ("chunks of a good body", chunked(GOOD[:100], GOOD[100:], b""), {204}),
    ("a chunk for each byte", chunked(*(GOOD[i:i + 1] for i in range(len(GOOD))), b""), {204}),
    ("a chunk whose size is no number", head(None, SECRET, "Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n", {400, CUT}),
    ("a chunk as long as memory", head(None, SECRET, "Transfer-Encoding: chunked") + b"ffffffffffffffff\r\nabc", {400, 413, CUT}),
    ("a negative chunk", head(None, SECRET, "Transfer-Encoding: chunked") + b"-5\r\nabc\r\n", {400, CUT}),
    ("chunks without end", chunked(*[b"y" * 65536] * 300), {413, CUT}),
    ("chunked and with a length", head(5, SECRET, "Transfer-Encoding: chunked") + b"0\r\n\r\n", {400, CUT}),
    ("two lengths", head(5, SECRET, "Content-Length: 6") + b"abcdef", {400, CUT}),
    ("a negative length", head(-1), {400, 413, CUT}),
    ("a length beyond 64 bits", head(10 ** 30), {400, 413, CUT}),
    ("a terabyte announced", head(10 ** 12), {413, CUT}),
    ("a terabyte announced by a stranger", head(10 ** 12, "wrong"), {401, CUT}),
    ("100,000 headers", head(0)[:-2] + b"X-Flood: y\r\n" * 100_000 + b"\r\n", {400, 431, CUT}),
    ("a header of 10 MB", head(0)[:-2] + b"X-Long: " + TEN_MB + b"\r\n\r\n", {400, 431, CUT}),
    ("a path of 1 MB", b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 414, 431, CUT}),
    ("a secret of 10 KB", request(GOOD, "s" * 10_000), {401}),
    ("a NUL in a header", head(0)[:-2] + b"X-Nul: a\0b\r\n\r\n", {204, 400, CUT}),
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + b"\0" * 500 + b"\r\n\r\n", {400, CUT}),
    ("a string of 10 MB", request(event_with(TEN_MB)), {413}),
    ("a string of 10 MB by a stranger", request(event_with(TEN_MB), "wrong"), {401}),
    ("10,000 levels", request(DEEP), {400}),
    ("no UTF-8 in a login", request(event_with(b"\xff\xfe\xc0\x80")), {400}),
    ("half a surrogate pair", request(event_with(b"\\ud800")), {204, 400}),
    ("a NUL byte in a login", request(event_with(b"a\0b")), {400}),
    ("an escaped NUL in a login", request(event_with(b"a\\u0000b")), {204, 400}),
    ("a million events that are numbers", request(b'{"data":{"events":[' + b"1," * 500_000 + b"1]}}"), {400}),
    ("the same key 50,000 times", request(b'{"data":{' + b'"events":[],' * 50_000 + b'"events":[]}}'), {204, 400}),
]


def connect(port, timeout_s=20):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s * SCALE)


def answer(connection):
    """The status; CUT where the connection ends without one."""
    seen = b""
    try:
        while b"\r\n" not in seen:
            piece = connection.recv(4096)
            if not piece:
                return CUT
            seen += piece
    except ConnectionError:
        return CUT
    return int(seen.split(b" ", 2)[1])


def send(connection, sent):
    with contextlib.suppress(ConnectionError):  # answered before all was sent: the answer may still be there
        connection.sendall(sent)


def ask(port, sent):
    with connect(port) as connection:
        send(connection, sent)
        return answer(connection)


def alone(world, timeout_s=TIMEOUT_S, **options):
    return world.agent(directory=None, mappings_={}, listen={"timeout": f"{timeout_s} s"}, **options)


# ---- what it costs ----

def files_of(agent):
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def files_of_clients(agent):
    """Without the store's: SQLite keeps one that the checkpoint opened."""
    folder, store = f"/proc/{agent.process.pid}/fd", agent.path("provost.db")
    count = 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += not os.readlink(os.path.join(folder, name)).startswith(store)
    return count


def memory_peak(agent):
    with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def check_memory(agent, connections, each_bytes):
    bound, peak = BASE_BYTES_MOST + connections * each_bytes, memory_peak(agent)
    print(f"# at most {peak / 2 ** 20:.1f} MiB with {connections} connections; the bound is {bound / 2 ** 20:.1f}")
    assert SANITIZED or peak < bound, f"{peak} bytes of memory, the bound is {bound}"


# ---- those who mean harm: each is a process of its own that goes on until it is ended, and counts in `done` what it did ----

def crowd_is_silent(port, count, opened):
    """That many connections, opened again as the agent ends them."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        selector.register(connect(port), selectors.EVENT_READ)
    opened.set()
    while True:
        for key, _ in selector.select(1):
            selector.unregister(key.fileobj)
            key.fileobj.close()
            selector.register(connect(port), selectors.EVENT_READ)


def trickle(port, done, sent):
    """Fifty at once, a byte of each every tenth of a second."""
    slow = [[connect(port), 0] for _ in range(50)]
    while True:
        for one in slow:
            connection, at = one
            try:
                connection.sendall(sent[at:at + 1])
                one[1] = (at + 1) % len(sent)
                done[0] += 1
            except OSError:
                connection.close()
                one[:] = connect(port), 0
        time.sleep(0.1)


def send_slow_heads(port, done):
    trickle(port, done, head(10))


def send_slow_bodies(port, done):
    sent = request(GOOD)
    slow = head(len(GOOD))
    trickle(port, done, slow + sent[len(slow):])


def leave_in_mid_body(port, done):
    while True:
        with connect(port) as connection:
            connection.sendall(request(GOOD)[:-random.randrange(1, len(GOOD))])
            if random.random() < 0.5:  # a reset instead of an end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        done[0] += 1


def send_rows(port, done):
    while True:
        for number in random.sample(range(len(ROWS)), len(ROWS)):
            with connect(port) as connection:
                send(connection, ROWS[number][1])
                done[number] += 1
                connection.settimeout(ROW_S_MOST * SCALE)
                with contextlib.suppress(TimeoutError):
                    answer(connection)


def guess_secrets(port, done):
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            for _ in range(500):
                client.request("POST", "/okta/events", GOOD, {"Authorization": f"guess-{random.random()}", "Content-Type": "application/json"})
                response = client.getresponse()
                response.read()
                assert response.status == 401, f"a guess was answered {response.status}"
                done[0] += 1
        except (OSError, http.client.HTTPException):
            pass
        client.close()


def garble_tls(port, done):
    """Handshakes that do not end, and noise where one should be."""
    while True:
        with connect(port) as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(random.randrange(600)))
        done[0] += 1


def harm(function, *arguments):
    """Whatever meets a hostile client, it goes on; its end is SIGKILL."""
    while True:
        with contextlib.suppress(OSError):
            function(*arguments)


def kinds_of(function):
    """What it counts, in this order."""
    return [what for what, _, _ in ROWS] if function is send_rows else [function.__name__]


class Harm:
    """Processes that do harm from now on; missing() are the kinds that were not done since, end() ends them."""

    def __init__(self, port, functions, crowd):
        fork = multiprocessing.get_context("fork")
        opened = fork.Event()
        self._counts = {function: fork.RawArray("Q", len(kinds_of(function))) for function in functions}
        jobs = [(crowd_is_silent, port, crowd, opened)] + [(function, port, done) for function, done in self._counts.items()]
        self._processes = [fork.Process(target=harm, args=job, name=job[0].__name__, daemon=True) for job in jobs]
        for process in self._processes:
            process.start()
        await_condition(f"{crowd} connections are open", opened.is_set, 30)
        self._before = self._done()

    def _done(self):
        """kind → how often."""
        return {kind: count for function, done in self._counts.items() for kind, count in zip(kinds_of(function), done)}

    def _since(self, function):
        """kind → how often since all had begun."""
        kinds = kinds_of(function)
        return {kind: count - self._before[kind] for kind, count in self._done().items() if kind in kinds}

    def check(self):
        ended = [f"{process.name}: {process.exitcode}" for process in self._processes if process.exitcode is not None]
        assert not ended, f"ended before their time: {ended}"

    def missing(self):
        self.check()
        return [kind for function in self._counts for kind, count in self._since(function).items() if count == 0]

    def tell(self):
        for function in self._counts:
            counts = self._since(function).values()
            each = f", each of {len(counts)} kinds at least {min(counts)}" if len(counts) > 1 else ""
            print(f"# meanwhile {function.__name__}: {sum(counts)} times{each}")

    def end(self):
        for process in self._processes:
            process.kill()
            process.join()


# ---- those who mean well ----

class GoodClient:
    """Every other request is on a connection that stays. The agent may end that one when it did nothing for its time-out: a client
    of HTTP/1.1 has to expect it (RFC 9112, 9.3.1 and 9.5) and sends again on a new one. Any other loss is a failure."""

    def __init__(self, agent, timeout_s=TIMEOUT_S):
        self._agent, self._kept, self._timeout_s = agent, agent.connection(), timeout_s
        self._turn, self._used, self.again = 0, time.monotonic(), 0

    def close(self):
        self._kept.close()

    def is_ended(self):
        """The agent has ended the connection that stays."""
        return bool(select.select([self._kept.sock], [], [], 0)[0])

    @staticmethod
    def _exchange(connection, text):
        connection.request("POST", "/okta/events", text, {"Authorization": SECRET, "Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status == 204, f"a good request was answered {response.status}"

    def _exchange_kept(self, text):
        # counted from when the last one was begun: the agent cannot have counted from before
        unused_s, self._used = time.monotonic() - self._used, time.monotonic()
        try:
            return self._exchange(self._kept, text)
        except (ConnectionError, ssl.SSLEOFError) as error:
            if unused_s < self._timeout_s:
                raise AssertionError(f"a good request was lost, {unused_s:.3f} s after the one before: {error!r}") from error
        self._kept.close()
        self.again += 1
        self._exchange(self._kept, text)

    def _exchange_new(self, text):
        with contextlib.closing(self._agent.connection()) as connection:
            self._exchange(connection, text)

    def post(self, number):
        """Seconds that the answer took."""
        text = body(okta.create(User(f"00ugood{number}", f"good{number}@example.com", "Good")))
        self._turn += 1
        begun = time.monotonic()
        (self._exchange_kept if self._turn % 2 else self._exchange_new)(text)
        return time.monotonic() - begun


def post_for(agent, seconds, is_enough, look):
    """Four at once for so long, and until there are enough and is_enough(); look() is called now and then. The times, sorted."""
    times, numbers, failures = [], iter(range(10 ** 9)), queue.Queue()
    clients = [GoodClient(agent) for _ in range(4)]
    begun = time.monotonic()

    def goes_on():
        passed_s = time.monotonic() - begun
        return failures.empty() and (passed_s < seconds or (passed_s < WINDOW_S_MOST and not (len(times) >= SAMPLES_LEAST and is_enough())))

    def run_client(client):
        try:
            while goes_on():
                times.append(client.post(next(numbers)))
        except Exception as error:  # told by the thread that waits
            failures.put(error)
        client.close()

    threads = [threading.Thread(target=run_client, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            look()
            thread.join(0.25)
    assert failures.empty(), repr(failures.get())
    again = sum(client.again for client in clients)
    print(f"# {len(times)} good requests in {time.monotonic() - begun:.1f} s, {again} of them sent again on a new connection")
    return sorted(times)


def check_times(times):
    assert times, "no answer at all"
    worst = times[int(len(times) * 0.999)]
    print(f"# p50 {times[len(times) // 2] * 1000:.0f} ms, p99.9 {worst * 1000:.0f} ms")
    assert len(times) >= SAMPLES_LEAST, f"only {len(times)} answers in {WINDOW_S_MOST} s"
    assert worst < ANSWER_S_MOST * SCALE, f"one in a thousand took {worst:.1f} s"


def stand(agent, functions, crowd, each_bytes):
    """All of them at once: good requests are answered in time, all are stored, and what was taken is given back."""
    for number in range(8):
        with contextlib.closing(GoodClient(agent)) as client:
            client.post(10 ** 6 + number)
    before, before_clients, events = files_of(agent), files_of_clients(agent), agent.status()["store"]["events"]
    crowd_is_there = lambda: files_of(agent) >= before + crowd
    connections = []  # how many it had when looked at: besides the crowd there are those who left and were not seen off yet
    harm_done = Harm(agent.port, functions, crowd)
    try:
        await_condition("the agent has taken them", crowd_is_there)
        times = post_for(agent, SECONDS, lambda: not harm_done.missing(), lambda: connections.append(files_of(agent) - before))
        await_condition("as many are there at the end", crowd_is_there)
        harm_done.tell()
        assert not harm_done.missing(), f"not done meanwhile: {harm_done.missing()}"
    finally:
        harm_done.end()
    check_times(times)
    check_memory(agent, max(connections), each_bytes)
    await_condition("all files that they opened are closed", lambda: files_of_clients(agent) <= before_clients, 20)
    assert agent.status()["store"]["events"] >= events + len(times), "an answered event is not in the store"


@test
def each_gets_its_answer_or_is_cut_off(world):
    agent = alone(world, timeout_s=1)
    wrong = []
    for what, sent, right in ROWS:
        seen = ask(agent.port, sent)
        if seen not in right:
            wrong.append(f"{what}: {seen}, not one of {right}")
        assert agent.running(), f"{what} ended the agent"
    assert not wrong, "\n".join(wrong)
    assert agent.post(GOOD) == 204
    check_memory(agent, 1, PLAIN_BYTES_MOST)


@test
def a_cut_body_is_never_taken_for_a_whole_one(world):
    agent = alone(world)
    for cut in range(1, len(GOOD), 97):
        with connect(agent.port) as connection:
            connection.sendall(request(GOOD)[:-cut])
            connection.shutdown(socket.SHUT_WR)
            assert answer(connection) in (CUT, 400)
    assert agent.status()["store"]["events"] == 0


@test
def who_leaves_in_the_middle_holds_no_place(world):
    """The end comes together with the last bytes, of a head or of a body: not seen, it would hold its place until the time-out."""
    agent = alone(world, timeout_s=60)
    assert agent.post(GOOD) == 204
    before = files_of(agent)
    for number in range(300):
        with connect(agent.port) as connection:
            connection.sendall(request(GOOD)[:50 if number % 2 else -50])
    await_condition("all files that they opened are closed", lambda: files_of(agent) <= before, 10)


@test
def wrong_secrets_by_the_thousand_are_counted_and_do_not_fill_the_log(world):
    agent = alone(world)
    client = agent.connection()
    for number in range(3000):
        client.request("POST", "/okta/events", b"{}", {"Authorization": f"guess-{number}", "Content-Type": "application/json"})
        response = client.getresponse()
        response.read()
        assert response.status == 401
    client.close()
    assert agent.status()["endpoint"]["unauthorized"] == 3000
    assert agent.post(GOOD) == 204
    said = agent.read("stderr") + agent.read("status.log")
    assert "guess-" not in said and len(said) < 256 * 1024, f"{len(said)} bytes of log"
    assert agent.status()["store"]["quarantined"] == 0


@test
def a_request_is_sent_again_only_where_the_time_out_ended_its_connection(world):
    """Otherwise the good clients of the next tests would hide a loss."""
    agent = alone(world, timeout_s=1)
    rightly, early = GoodClient(agent, timeout_s=1), GoodClient(agent, timeout_s=60)
    for client in (rightly, early):
        client.post(1)
        await_condition("the agent has ended it", client.is_ended)
        client.post(2)  # on a new one
    rightly.post(3)
    assert rightly.again == 1 and agent.status()["store"]["events"] == 5
    try:
        early.post(3)
    except AssertionError as lost:
        assert "lost" in str(lost), lost
    else:
        assert False, "ended before its time-out, and nothing told"


@test
def good_requests_are_answered_while_all_of_them_come_at_once(world):
    agent = alone(world)
    stand(agent, [send_slow_heads, send_slow_bodies, leave_in_mid_body, send_rows, guess_secrets], CROWD, PLAIN_BYTES_MOST)


@test
def good_requests_are_answered_over_tls_meanwhile(world):
    agent = alone(world, tls=True)
    stand(agent, [send_slow_heads, garble_tls], CROWD // 2, TLS_BYTES_MOST)


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
run()
