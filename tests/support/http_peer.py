"""A web server in the test's own process for what an orderly one cannot do: it breaks off, dawdles, floods, and issues tokens.

Each path is a behaviour (see Handler.ways); requests are kept with the time of their arrival.
"""

import base64
import gzip
import http.server
import json
import os
import socket
import struct
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()
        self.close_connection = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        self.seen = {"method": self.command, "path": url.path, "query": url.query, "headers": dict(self.headers), "body": body.decode("utf-8", "replace"),
                     "at": time.monotonic(), "connection": self.client_address[1]}
        self.server.peer.note(self.seen)
        way = url.path.split("/")[1]
        try:
            getattr(self, "way_" + way)(*url.path.split("/")[2:])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

    def way_(self):
        self.answer(200, {})

    def way_echo(self, *_):
        self.answer(200, self.seen)

    def way_status(self, status, *retry_after):
        self.answer(int(status), {"error": "as asked"}, [("Retry-After", urllib.parse.unquote(retry_after[0]))] if retry_after else [])

    def way_quota(self, status, remaining, reset):
        self.answer(int(status), {"error": "as asked"}, [("X-RateLimit-Remaining", remaining), ("X-RateLimit-Reset", reset)])

    def way_headers(self):
        self.send_response(200)
        for name, value in (("ETag", '"7"'), ("Link", '</a?page=2>; rel="next"'), ("link", '</a?page=9>; rel="last"'), ("Content-Length", "2"),
                            ("Content-Type", "application/json; charset=utf-8")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"{}")

    def way_pause(self):
        """503 until peer.pause_until, then 200."""
        if time.monotonic() < self.server.peer.pause_until:
            self.answer(503, {}, [("Retry-After", self.server.peer.pause)])
        else:
            self.answer(200, {})

    def way_date(self):
        self.answer(503, {}, [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:49:44 GMT")])

    def way_redirect(self, status, *where):
        target = "/" + "/".join(where) if where[0] != "other" else f"http://127.0.0.1:1/{where[1]}"
        self.answer(int(status), {}, [("Location", target)])

    def way_close(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def way_close_kept(self):
        """Answers the first request of a connection, then closes it without one when the second comes."""
        if getattr(self, "kept", False):
            self.way_close()
        else:
            self.kept = True
            self.answer(200, {})

    def way_reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())

    def way_half(self, status="200"):
        self.raw(f'HTTP/1.1 {status} X\r\nContent-Length: 1000\r\nRetry-After: 5\r\n\r\n{{"half": '.encode())

    def way_chunk(self):
        self.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n")

    def way_garbage(self):
        self.raw(b"SSH-2.0-OpenSSH_9.2\r\n")

    def way_slow(self, *_):
        self.server.peer.release.wait(20)
        self.answer(200, {})

    def way_drip(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        self.close_connection = True
        self.server.peer.release.wait(20)

    def way_big(self, mebibytes):
        size = int(mebibytes) << 20
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for _ in range(int(mebibytes)):
            self.wfile.write(b" " * (1 << 20))

    def way_flood(self, mebibytes):
        """The same without saying how much."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(int(mebibytes)):
            self.wfile.write(b" " * (1 << 20))
        self.close_connection = True

    def way_bomb(self):
        self.answer(200, gzip.compress(b" " * (50 << 20)), [("Content-Encoding", "gzip")])

    def way_gzip(self, kind):
        body = gzip.compress(b'{"compressed": true}')
        self.answer(200, body if kind == "good" else b"\x1f\x8b\x08" + b"\xff" * 40, [("Content-Encoding", "gzip")])

    def way_many_headers(self):
        self.raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 60000) for i in range(20)) + b"Content-Length: 0\r\n\r\n")

    def way_guarded(self, *_):
        """Only with a token that was issued here, has not run out and was not revoked."""
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.server.peer.is_good(given):
            self.answer(200, self.seen)
        else:
            self.answer(401, {"error": "invalid_token"})

    def way_token(self):
        time.sleep(self.server.peer.token_time_s)  # a real endpoint takes its time: the others come meanwhile
        self.answer(*self.server.peer.issue(self.seen))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many threads of a client come at once

    def handle_error(self, *_):
        pass  # a client that hangs up is part of the play


class Peer:
    """Owned by the World that started it; stop() ends it."""

    def __init__(self, *_):
        self.requests, self.lock = [], threading.Lock()
        self.release = threading.Event()  # set: those who dawdle go on
        self.pause, self.pause_until = "2", 0.0
        self.tokens, self.token_life_s, self.token_time_s = {}, 3600, 0.0
        self.token_answer = None  # (status, body): instead of a token
        self.check_client = lambda form, headers: None  # returns what is wrong with the client
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.peer = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def note(self, request):
        with self.lock:
            self.requests.append(request)

    def seen(self, path):
        with self.lock:
            return [request for request in self.requests if request["path"].startswith(path)]

    # --- tokens

    def issue(self, request):
        form = dict(urllib.parse.parse_qsl(request["body"]))
        wrong = self.check_client(form, request["headers"])
        if wrong:
            return 401, {"error": "invalid_client", "error_description": wrong}
        if self.token_answer:
            return self.token_answer
        with self.lock:
            token = f"issued-{len(self.tokens)}-secret"
            self.tokens[token] = time.monotonic() + self.token_life_s
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.token_life_s}

    def is_good(self, token):
        with self.lock:
            return self.tokens.get(token, 0) > time.monotonic()

    def revoke_all(self):
        with self.lock:
            self.tokens = {token: 0 for token in self.tokens}


def basic(name, secret):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
