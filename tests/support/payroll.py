#!/usr/bin/python3
"""A payroll with a plain employee API, for tests, the demo and the bench. Python's standard library only.

    payroll.py --db FILE [--port N] [--token-file FILE] [--tls CERT KEY] [--durable] [--not-unique] [--trouble JSON] [--seed N]

Prints its URL once it answers, ends on SIGTERM. The API is payroll.openapi.json; each request and each answer is held
against it: a request that it does not allow is answered 400 (404, 405, 415), noted, and told under /_control.

Without a token, for the tests alone:
    GET  /_control             {"begun": N, "requests": N, "unexpected": […], "lost": N, "by": {"POST /employees": N}}
    GET  /_control/employees   all of them
    GET  /_control/requests    the last 1000: method, path, query, body, key, if_match, status
    POST /_control/trouble     an object of these, replacing what was there:
        only            the troubles below befall only what begins with it: "POST", "GET /employees?email="
        about           and only what is about this employee, by external_id or email (with only: both)
        times           only so many requests, then none
        delay_ms        each request waits so long before it is worked on
        status          answered so, nothing done; with retry_after (seconds, or a text as it is) and retry_after_date (true: as a date),
                        headers (an object, such as a quota's) and say (the words of the answer)
        replays         what is answered to a change with an Idempotency-Key is kept whatever its status, and given again to the
                        same key from then on, as Stripe does; without it only what was done is
        lose            this part (0.2) of the changes is made, but the connection is reset instead of answered
        late_ms         with lose: the change is made only so long after the connection was reset
        spoil           done, but the answer is: html, invalid, wrong_type, empty, cut, huge (50 MB), no_id,
                        another (of employee 1, and of none that anybody asked for),
                        stale (an employee's status is shown as it was before), active_text and active_number (employees have
                        "active", too: "True" or "False", 1 or 0),
                        brief (a listing shows of its employees no more than id, email and status),
                        echo (an HTML page with the request's credentials)
        pretend         answered 2xx, and nothing is done
        ignore_filters  a listing takes no notice of its filters
        ignore_keys     nor a change of its Idempotency-Key
    POST /_control/clear       no employees, no keys, no counts, no trouble
"""

import argparse
import collections
import datetime
import email.utils
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True

from employees import Duplicate, Employees, document, etag
from openapi import Description, Mismatch

HERE = os.path.dirname(os.path.abspath(__file__))
BODY_MOST = 1 << 20
PAGE_MOST = 100
TROUBLES = {"only": str, "about": str, "times": int, "delay_ms": int, "status": int, "retry_after": (int, str), "retry_after_date": bool,
            "headers": dict, "say": str, "replays": bool, "lose": (int, float), "late_ms": int, "spoil": str, "pretend": bool,
            "ignore_filters": bool, "ignore_keys": bool}
REASONS = {200: "OK", 201: "Created", 204: "No Content", 429: "Too Many Requests", 503: "Service Unavailable"}


class Answer:
    def __init__(self, status, body=None, headers=None):
        self.status, self.document, self.headers = status, body, headers or {}


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.answer = Answer(status, {"error": {"code": code, "message": message}})


class Request:
    def __init__(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        self.method, self.path, self.headers, self.body = method, parts.path, headers, body
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.line, self.whole_line = f"{method} {self.path}", f"{method} {target}"

    def log_entry(self, status):
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body.decode("utf-8", "backslashreplace")
        return {"method": self.method, "path": self.path, "query": self.query, "body": body, "key": self.headers.get("idempotency-key"),
                "if_match": self.headers.get("if-match"), "status": status}


# --- the API

class Payroll:
    """What the operations of the description do; each method's name is an operationId."""

    def __init__(self, employees, trouble):
        self.rows, self.trouble = employees, trouble

    def _row(self, arguments, request=None):
        row = self.rows.get(arguments["id"])
        if row is None:
            raise Refusal(404, "no_such_employee", f"There is no employee {arguments['id']}.")
        wanted = request.headers.get("if-match") if request else None
        if wanted not in (None, "*", etag(row)):
            raise Refusal(412, "changed", f"The employee is {etag(row)} now, not {wanted}.")
        return row

    @staticmethod
    def _employee(row, status=200):
        return Answer(status, document(row), {"ETag": etag(row)})

    def listEmployees(self, request, arguments, body):
        after = int(arguments.get("cursor", "0"), 16)
        limit = max(1, min(arguments.get("limit", PAGE_MOST), PAGE_MOST))
        filters = {} if self.trouble.has("ignore_filters") else {n: arguments[n] for n in ("external_id", "email", "status") if n in arguments}
        rows = self.rows.find(filters, after, limit + 1)
        more = len(rows) > limit
        return Answer(200, {"items": [document(row) for row in rows[:limit]], "next": f"{rows[limit - 1]['id']:x}" if more else None})

    def getEmployee(self, request, arguments, body):
        return self._employee(self._row(arguments))

    def createEmployee(self, request, arguments, body):
        return self._employee(self.rows.create(body), 201)

    def patchEmployee(self, request, arguments, body):
        row = self._row(arguments, request)
        return self._employee(self.rows.write(row["id"], merged(document(row), body)))

    def putEmployee(self, request, arguments, body):
        return self._employee(self.rows.write(self._row(arguments, request)["id"], body))

    def terminateEmployee(self, request, arguments, body):
        row = self._row(arguments)
        if row["status"] == "terminated":
            raise Refusal(409, "terminated", f"The employee left on {row['last_working_day']}.")
        return self._employee(self.rows.set_status(row["id"], "terminated", body["last_working_day"], row["start_date"]))

    def rehireEmployee(self, request, arguments, body):
        row = self._row(arguments)
        if row["status"] == "active":
            raise Refusal(409, "active", "The employee has not left.")
        return self._employee(self.rows.set_status(row["id"], "active", None, body["start_date"]))

    def deleteEmployee(self, request, arguments, body):
        self.rows.delete(self._row(arguments, request)["id"])
        return Answer(204)

    def perform(self, name, request, arguments, body):
        work = lambda: getattr(self, name)(request, arguments, body)
        if request.method == "GET":
            return work()
        key = request.headers.get("idempotency-key")
        try:
            with self.rows.change():
                return work() if key is None or self.trouble.has("ignore_keys") else self._once(key, request, work)
        except Duplicate as duplicate:
            refusal = Refusal(409, f"duplicate_{duplicate}", f"Another employee has this {duplicate}.")
        except Refusal as refused:
            refusal = refused
        if self.trouble.has("replays"):
            self.keep_refusal(request, refusal.answer)
        raise refusal

    def keep_refusal(self, request, answer):
        key = request.headers.get("idempotency-key")
        if key is not None and request.method != "GET":
            with self.rows.change():
                if self.rows.kept(key) is None:
                    self.rows.keep(key, digest_of(request), answer.status, None, answer.document)

    def _once(self, key, request, work):
        """The same key with the same request is answered as before; with another one it is a mistake."""
        digest = digest_of(request)
        kept = self.rows.kept(key)
        if kept is None:
            answer = work()
            self.rows.keep(key, digest, answer.status, answer.headers.get("ETag"), answer.document)
            return answer
        before, status, tag, body = kept
        if before != digest:
            raise Refusal(422, "key_reused", "This Idempotency-Key came with another request before.")
        return Answer(status, body, {"Idempotent-Replayed": "true", **({"ETag": tag} if tag else {})})


def digest_of(request):
    return hashlib.sha256(f"{request.line}\n".encode() + request.body).hexdigest()


def merged(value, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, member in patch.items():
        if member is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), member)
    return result


# --- trouble

class Trouble:
    def __init__(self, seed):
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._settings = {}

    def set(self, settings):
        for name, value in settings.items():
            if name not in TROUBLES or not isinstance(value, TROUBLES[name]):
                raise Mismatch(f"trouble: {name} = {json.dumps(value)} is none; see the head of payroll.py")
        if settings.get("spoil", "html") not in SPOILT:
            raise Mismatch(f"trouble: spoil is one of {' '.join(SPOILT)}")
        with self._lock:
            self._settings = dict(settings)

    def has(self, name):
        with self._lock:
            return bool(self._settings.get(name))

    def befalls(self, request, is_about):
        """The troubles that this request meets; counts `times` down. is_about(who) tells whom it is about."""
        with self._lock:
            about = self._settings.get("about")
        met_by_whom = about is None or is_about(about)  # it reads the employees, whose writer asks us: not with our lock
        with self._lock:
            settings = self._settings
            if not settings or not request.whole_line.startswith(settings.get("only", "")) or settings.get("times") == 0:
                return {}
            if not met_by_whom:
                return {}
            if "times" in settings:
                settings["times"] -= 1
            met = dict(settings)
            met["lose"] = request.method != "GET" and self._random.random() < met.get("lose", 0)
            return met


def dumped(value):
    return json.dumps(value).encode()


def echo(good, request):
    return f"<html>{request.headers.get('authorization')}</html>".encode()


def each_employee(good, change):
    """The answer with each employee in it changed."""
    if good and "items" in good:
        return {**good, "items": [change(employee) for employee in good["items"]]}
    return change(good) if good and "status" in good else good


def active_as(true, false):
    return lambda good, _: dumped(each_employee(good, lambda employee: {**employee, "active": true if employee["status"] == "active" else false}))


def brief(good, _):
    shown = lambda employee: {name: employee[name] for name in ("id", "email", "status")}
    return dumped({**good, "items": [shown(employee) for employee in good["items"]]} if good and "items" in good else good)


def stale(good, _):
    return dumped(each_employee(good, lambda employee: {**employee, "status": "terminated" if employee["status"] == "active" else "active"}))


# An answer that is none, from the good one and the request: its body. "cut" has fewer bytes than its Content-Length.
SPOILT = {
    "html": lambda good, _: b"<!DOCTYPE html><html><body><h1>Single sign-on</h1>Please log in.</body></html>",
    "invalid": lambda good, _: dumped(good)[:-1] + b",,",
    "wrong_type": lambda good, _: dumped({name: [None] for name in good or {}}),
    "echo": echo,
    "empty": lambda good, _: b"",
    "cut": lambda good, _: dumped(good)[:len(dumped(good)) // 2],
    "huge": lambda good, _: b'{"items": ["' + b"x" * 50_000_000 + b'"], "next": null}',
    "another": lambda good, _: dumped({**(good or {}), "id": 1, "external_id": "another", "email": "another@example.com"}),
    "stale": stale,
    "brief": brief,
    "active_text": active_as("True", "False"),
    "active_number": active_as(1, 0),
    "no_id": lambda good, _: dumped({name: value for name, value in (good or {}).items() if name != "id"}),
}


# --- the service

class Service:
    def __init__(self, options):
        self.description = Description(os.path.join(HERE, "payroll.openapi.json"))
        self.rows = Employees(options.db, options.durable, not options.not_unique)
        self.trouble = Trouble(options.seed)
        self.trouble.set(json.loads(options.trouble))
        self.payroll = Payroll(self.rows, self.trouble)
        self.token = None
        if options.token_file:
            with open(options.token_file, encoding="utf-8") as file:
                self.token = file.read().strip()
        self._lock = threading.Lock()
        self._forget()

    def _forget(self):
        self.begun, self.by, self.lost, self.last = 0, collections.Counter(), 0, collections.deque(maxlen=1000)

    def control(self, request):
        if request.line == "GET /_control":
            with self._lock:
                return Answer(200, {"begun": self.begun, "requests": sum(self.by.values()), "unexpected": self.rows.unexpected(), "lost": self.lost, "by": dict(self.by)})
        if request.line == "GET /_control/requests":
            with self._lock:
                return Answer(200, list(self.last))
        if request.line == "GET /_control/employees":
            return Answer(200, [document(row) for row in self.rows.find({}, 0, -1)])
        if request.line == "POST /_control/trouble":
            self.trouble.set(json.loads(request.body))
            return Answer(204)
        if request.line == "POST /_control/clear":
            self.trouble.set({})
            self.rows.clear()
            with self._lock:
                self._forget()
            return Answer(204)
        return Answer(404, {"error": {"code": "not_found", "message": request.path}})

    def allowed(self, request):
        given = request.headers.get("authorization", "")
        return self.token is None or hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode())

    def answer(self, request, pretend=False):
        """Does what the request asks for. What the description does not allow, in either direction, is noted."""
        if not self.allowed(request):
            return Answer(401, {"error": {"code": "unauthorized", "message": "Who are you?"}}, {"WWW-Authenticate": "Bearer"})
        try:
            operation, in_path = self.description.find(request.method, request.path)
            arguments, body = operation.check_request(in_path, request.query, request.headers.get("content-type", ""), request.body)
        except Mismatch as mismatch:
            self.rows.note_unexpected(f"{request.line}: {mismatch}")
            return Answer(mismatch.status, {"error": {"code": "not_allowed", "message": str(mismatch)}})
        try:
            answer = self.pretended(operation, arguments) if pretend else self.payroll.perform(operation.name, request, arguments, body)
        except Refusal as refusal:
            answer = refusal.answer
        if not pretend and "Idempotent-Replayed" not in answer.headers:
            try:
                operation.check_answer(answer.status, answer.document)
            except Mismatch as mismatch:
                self.rows.note_unexpected(f"answer to {request.line}: {mismatch}")
        return answer

    def pretended(self, operation, arguments):
        status = next(int(status) for status in operation.operation["responses"] if status.startswith("2"))
        row = self.rows.get(arguments["id"]) if "id" in arguments else None
        return Answer(status, None if status == 204 else document(row) if row else {"result": "ok"})

    def begin(self):
        with self._lock:
            self.begun += 1

    def is_about(self, request, who):
        """By what the request says, or by whose id is in its path."""
        number = next((part for part in request.path.split("/") if part.isdigit()), None)
        row = self.rows.get(number) if number else None
        said = urllib.parse.unquote(request.whole_line) + request.body.decode("utf-8", "replace")
        return who in said or (row is not None and who in (row["external_id"], row["email"]))

    def note(self, request, status, lost=False):
        with self._lock:
            self.by[f"{request.method} {generic(request.path)}"] += 1
            self.lost += lost
            self.last.append(request.log_entry(status))


def generic(path):
    return "/".join("{id}" if part.isdigit() else part for part in path.split("/"))


class Handler(socketserver.BaseRequestHandler):
    """One connection: HTTP/1.1 with keep-alive. By hand, since some answers have to be broken."""

    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.secure()
        self.input = self.request.makefile("rb")
        try:
            while (request := self.read()) is not None and self.serve(request):
                pass
        except (OSError, ValueError):
            pass  # the client went away, or speaks something else

    def secure(self):
        if self.server.tls is not None:
            try:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            except OSError:
                self.request.close()

    def read(self):
        line = self.input.readline(16384)
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split()
        headers = {}
        while (line := self.input.readline(16384)) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        if length > BODY_MOST or "transfer-encoding" in headers:
            self.send(Answer(413, {"error": {"code": "too_large", "message": f"{BODY_MOST} bytes at most, with Content-Length"}}))
            return None
        if headers.get("expect", "").lower() == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, target, headers, self.input.read(length))

    def serve(self, request):
        """True: the connection goes on."""
        service = self.server.service
        if request.path.startswith("/_control"):
            try:
                self.send(service.control(request))
            except (Mismatch, ValueError) as error:
                self.send(Answer(400, {"error": {"code": "bad_control", "message": str(error)}}))
            return True
        service.begin()
        met = service.trouble.befalls(request, lambda who: service.is_about(request, who))
        time.sleep(met.get("delay_ms", 0) / 1000)
        if "status" in met:
            service.note(request, met["status"])
            refusal = {"error": {"code": "trouble", "message": met.get("say", "Try again.")}}
            if met.get("replays"):
                service.payroll.keep_refusal(request, Answer(met["status"], refusal))
            self.send(Answer(met["status"], refusal, {**retry_after(met), **met.get("headers", {})}))
            return True
        return self.lose(request, met.get("late_ms", 0)) if met.get("lose") else self.fulfil(request, met)

    def fulfil(self, request, met):
        answer = self.server.service.answer(request, met.get("pretend", False))
        self.server.service.note(request, answer.status)
        if "spoil" not in met:
            self.send(answer)
            return True
        kind = met["spoil"]
        headers = {**answer.headers, "Content-Type": "text/html" if kind in ("html", "echo") else "application/json"}
        self.send_bytes(answer.status, headers, SPOILT[kind](answer.document, request), len(dumped(answer.document)) if kind == "cut" else None)
        return kind != "cut"

    def lose(self, request, late_ms):
        if late_ms:
            self.reset()
            time.sleep(late_ms / 1000)
        answer = self.server.service.answer(request)
        self.server.service.note(request, answer.status, lost=True)
        self.reset()
        return False

    def reset(self):
        """RST instead of FIN, once."""
        if self.request.fileno() >= 0:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.input.close()
            self.request.close()

    def send(self, answer):
        if answer.document is None:
            self.send_bytes(answer.status, answer.headers, b"")
        else:
            self.send_bytes(answer.status, {**answer.headers, "Content-Type": "application/json"}, json.dumps(answer.document).encode())

    def send_bytes(self, status, headers, body, length=None):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", f"Date: {email.utils.formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if status != 204:
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        self.request.sendall("\r\n".join(lines + ["", ""]).encode("latin-1") + body)


def retry_after(met):
    if "retry_after" not in met:
        return {}
    if not met.get("retry_after_date"):
        return {"Retry-After": str(met["retry_after"])}
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=met["retry_after"])
    return {"Retry-After": email.utils.format_datetime(when, usegmt=True)}


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port, service, tls):
        self.service, self.tls = service, tls
        super().__init__(("127.0.0.1", port), Handler)

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass  # reset already

    def handle_error(self, request, client_address):
        # Not a print alone: tests look at this.
        self.service.rows.note_unexpected(f"the test payroll itself: {sys.exc_info()[1]!r}")
        super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token-file")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--not-unique", action="store_true")
    parser.add_argument("--trouble", default="{}")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.tls)
    with Server(options.port, Service(options), tls) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        print(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}", flush=True)
        over.wait()
        server.shutdown()


if __name__ == "__main__":
    main()
