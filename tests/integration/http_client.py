#!/usr/bin/python3
"""connectors/http against real servers: an nginx (TLS, HTTP/2, gzip, client certificates) and one that misbehaves (http_peer.py)."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import nginx  # noqa: E402
from agent import BUILD, config_text  # noqa: E402
from bounded import SCALE, await_condition, stays  # noqa: E402
from http_peer import Peer, basic  # noqa: E402
from tap import Skip, run, test  # noqa: E402

SECRET = "s3cret/with+odd=chars&\"quotes\""


class Client:
    """One http_calls process: ask() makes one call and gives its answer, ask_all() several at once. Ended with the test."""

    def __init__(self, world, url, secrets=None, environment=None, **settings):
        folder = world.new_folder("client")
        os.makedirs(folder)
        self.folder = folder
        for name, text in (secrets or {}).items():
            path = os.path.join(folder, name)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            settings[name] = "file:" + path
        with open(os.path.join(folder, "settings.conf"), "w", encoding="utf-8") as file:
            file.write("".join(f"{name} = {config_text(value)};\n" for name, value in {"url": url, **settings}.items()))
        self.process = subprocess.Popen([os.path.join(BUILD, "http_calls"), os.path.join(folder, "settings.conf")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={**os.environ, **(environment or {})}, text=True)
        self.answers = []
        world.own(self)

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait(60 * SCALE)
        assert code in (0, 1), f"http_calls ended with {code}"

    def send(self, method, target, **call):
        self.process.stdin.write(json.dumps({"method": method, "target": target, **call}) + "\n")
        self.process.stdin.flush()

    def receive(self, count=1):
        lines = [json.loads(self.process.stdout.readline()) for _ in range(count)]
        self.answers += lines
        return lines

    def ask(self, method="GET", target="/echo", **call):
        self.send(method, target, **call)
        return self.receive()[0]

    def ask_all(self, method, target, threads=1, times=1, **call):
        self.send(method, target, threads=threads, times=times, **call)
        return self.receive(threads * times)

    def problems(self):
        return json.loads(self.process.stdout.readline())["problems"]


def is_end(answer, end, outcome=None, *words):
    assert answer["end"] == end and (outcome is None or answer["outcome"] == outcome), f"expected {end} {outcome}, got {answer}"
    for word in words:
        assert word in (answer["reason"] or ""), f"the reason lacks {word!r}: {answer['reason']}"


def peer(world):
    return world.own(Peer())


# --- requests and answers

@test
def a_request_arrives_as_it_was_made(world):
    client = Client(world, peer(world).url + "/echo/v1/", auth="none")
    answer = client.ask("PATCH", "/people/%2e%2e?name=a%20b", body='{"x": 1}', content_type="application/merge-patch+json", headers={"If-Match": '"7"', "X-Empty": ""})
    seen = json.loads(answer["body"])
    assert (seen["method"], seen["path"], seen["query"], seen["body"]) == ("PATCH", "/echo/v1/people/%2e%2e", "name=a%20b", '{"x": 1}'), seen
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["content-type"] == "application/merge-patch+json" and headers["if-match"] == '"7"' and headers["x-empty"] == "", headers
    assert headers["user-agent"].startswith("provost/") and "expect" not in headers and "cookie" not in headers, headers


@test
def methods_without_a_body_send_none(world):
    client = Client(world, peer(world).url)
    for method in ("GET", "DELETE", "POST", "PUT", "HEAD"):
        answer = client.ask(method, "/echo")
        is_end(answer, "answered")
        seen = json.loads(answer["body"] or "{}") if method != "HEAD" else None
        if seen:
            headers = {name.lower(): value for name, value in seen["headers"].items()}
            assert "content-type" not in headers and seen["body"] == "" and seen["method"] == method, seen
            assert headers.get("content-length") == ("0" if method in ("POST", "PUT") else None), seen


@test
def headers_of_an_answer_are_handed_on(world):
    answer = Client(world, peer(world).url).ask("GET", "/headers")
    assert answer["etag"] == '"7"' and answer["content_type"] == "application/json; charset=utf-8", answer
    assert answer["link"] == '</a?page=2>; rel="next", </a?page=9>; rel="last"', answer


@test
def a_connection_is_used_again(world):
    server = peer(world)
    client = Client(world, server.url)
    client.ask_all("GET", "/echo", threads=1, times=5)
    assert len({request["connection"] for request in server.seen("/echo")}) == 1, server.seen("/echo")


@test
def what_could_break_out_of_its_place_is_not_sent(world):
    server = peer(world)
    client = Client(world, server.url)
    for target, headers in (("/a b", {}), ("/a\r\nX: y", {}), ("@evil", {}), ("evil", {}), ("/x", {"X: y\r\nZ": "1"}), ("/x", {"X": "a\r\nB: c"}),
                            ("http://127.0.0.1:1/x", {}), ("https://" + server.url[7:] + "/x", {})):
        answer = client.ask("GET", target, headers=headers)
        is_end(answer, "not_sent", "rejected", "not sent")
    assert not server.seen("/x") and not server.seen("/a"), server.requests
    is_end(client.ask("GET", server.url + "/echo"), "answered")


@test
def the_environment_does_not_redirect_us(world):
    client = Client(world, peer(world).url, environment={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
    is_end(client.ask(), "answered")


@test
def a_proxy_is_used_where_it_is_set(world):
    proxy = peer(world)
    client = Client(world, "http://10.255.255.1:81/echo", proxy=proxy.url)
    is_end(client.ask("GET", "/x"), "answered")
    assert proxy.requests[0]["headers"]["Host"] == "10.255.255.1:81", proxy.requests


# --- answers that are none

@test
def a_lost_answer_is_told_from_one_that_was_never_asked_for(world):
    server = peer(world)
    client = Client(world, server.url, circuit_failures=0)
    for target, words in (("/close", "closed without an answer"), ("/reset", "broke"), ("/half", "in the middle"), ("/chunk", "broke")):
        is_end(client.ask("POST", target, body="{}"), "lost", "retry", "POST " + target, words)
        assert len(server.seen(target)) == 1, f"{target} was sent {len(server.seen(target))} times"
    is_end(Client(world, "http://127.0.0.1:1").ask("POST", "/x", body="{}"), "not_sent", "target_down", "connection refused")
    is_end(Client(world, "http://no-such-host.invalid").ask(), "not_sent", "target_down", "cannot be resolved", "no-such-host.invalid")


@test
def a_refusal_is_one_even_if_its_text_is_cut_short(world):
    client = Client(world, peer(world).url)
    for status in (401, 503):
        answer = client.ask("POST", f"/half/{status}", body="{}")
        assert (answer["end"], answer["status"], answer["body"], answer["retry_after_us"]) == ("answered", status, '{"half": ', 5_000_000), answer
        if status == 401:
            continue
        is_end(client.ask("POST", "/echo"), "not_sent", "target_down", "asked for a pause")


@test
def a_create_is_not_sent_again_when_its_kept_connection_dies(world):
    server = peer(world)
    client = Client(world, server.url, circuit_failures=0)
    is_end(client.ask("POST", "/close_kept", body="{}"), "answered")
    is_end(client.ask("POST", "/close_kept", body="{}"), "lost", "retry", "not sent again")
    assert len(server.seen("/close_kept")) == 2, server.requests
    is_end(client.ask("POST", "/close_kept"), "answered")
    is_end(client.ask("POST", "/close_kept"), "lost", "retry")  # without a body, too
    assert len(server.seen("/close_kept")) == 4, server.requests


@test
def what_may_be_repeated_is_sent_again_at_once(world):
    server = peer(world)
    client = Client(world, server.url)
    is_end(client.ask("GET", "/close_kept", repeatable=True), "answered")
    is_end(client.ask("GET", "/close_kept", repeatable=True), "answered")
    assert len(server.seen("/close_kept")) == 3, server.requests


@test
def a_time_out_says_what_was_waited_for(world):
    server = peer(world)
    client = Client(world, server.url, timeout="400 ms", circuit_failures=0)
    for target, words in (("/slow", "no answer came within 0."), ("/drip", "not complete within 0.")):
        answer = client.ask("POST", target, body="{}")
        is_end(answer, "lost", "retry", words)
        assert answer["took"] < 3 * SCALE, answer
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        client = Client(world, f"https://127.0.0.1:{mute.getsockname()[1]}", connect_timeout="300 ms")
        is_end(client.ask(), "not_sent", "target_down", "TLS handshake was not finished within 0.3 s")


@test
def too_large_an_answer_is_refused_without_being_kept(world):
    server = peer(world)
    client = Client(world, server.url, answer_size_max="1 MiB", circuit_failures=0)
    for target in ("/big/50", "/flood/50", "/bomb", "/many_headers"):
        answer = client.ask("GET", target)
        is_end(answer, "bad", "retry", "answer_size_max")
        assert answer["bytes"] == 0 and answer["took"] < 5 * SCALE, answer


@test
def compression_is_undone_and_a_broken_one_told(world):
    client = Client(world, peer(world).url)
    assert client.ask("GET", "/gzip/good")["body"] == '{"compressed": true}'
    is_end(client.ask("GET", "/gzip/broken"), "bad", "retry", "compression")


@test
def what_does_not_speak_http_is_told(world):
    is_end(Client(world, peer(world).url).ask("GET", "/garbage"), "bad", "target_down", "does not speak HTTP")


# --- redirects

@test
def a_redirect_is_an_answer_unless_it_may_be_followed(world):
    server = peer(world)
    answer = Client(world, server.url).ask("GET", "/redirect/302/echo")
    assert (answer["end"], answer["status"], answer["location"]) == ("answered", 302, "/echo"), answer


@test
def redirects_are_followed_on_the_same_host_only(world):
    server = peer(world)
    client = Client(world, server.url, redirects=True, auth="bearer", secrets={"token": "redirect-token"})
    assert json.loads(client.ask("GET", "/redirect/302/echo/x")["body"])["path"] == "/echo/x"
    seen = json.loads(client.ask("POST", "/redirect/307/echo/y", body="kept")["body"])
    assert (seen["method"], seen["body"]) == ("POST", "kept"), seen
    assert client.ask("POST", "/redirect/302/echo/z", body="x")["status"] == 302  # nobody says that it would stay a POST
    assert not server.seen("/echo/z")
    is_end(client.ask("GET", "/redirect/302/other/x"), "bad", "retry", "another place")
    assert client.answers[-1]["refusal"] == "unsure", client.answers[-1]  # a log-in page, for somebody or for all
    loop = "/redirect/302" * 8 + "/echo/end"
    is_end(client.ask("GET", loop), "bad", "retry", "more than 5 times")


# --- log-in

@test
def each_way_to_log_in_sends_what_it_should(world):
    server = peer(world)
    def headers(**settings):
        return json.loads(Client(world, server.url, **settings).ask("GET", "/echo?a=1")["body"])
    assert headers(auth="bearer", secrets={"token": "abc-def"})["headers"]["Authorization"] == "Bearer abc-def"
    assert headers(auth="basic", user="me", secrets={"password": SECRET})["headers"]["Authorization"] == basic("me", SECRET)
    assert headers(auth="api_key", api_key_header="X-Key", secrets={"api_key": "k-1"})["headers"]["X-Key"] == "k-1"
    assert headers(auth="api_key", api_key_query="key", secrets={"api_key": "k&1"})["query"] == "a=1&key=k%261"


@test
def a_secret_is_masked_in_all_its_forms(world):
    server = peer(world)
    for settings in ({"auth": "basic", "user": "me", "secrets": {"password": SECRET}}, {"auth": "bearer", "secrets": {"token": "bearer-token/1"}},
                     {"auth": "api_key", "api_key_query": "key", "secrets": {"api_key": SECRET}}):
        answer = Client(world, server.url, **settings).ask("GET", "/echo")
        secret = list(settings["secrets"].values())[0]
        assert "***" in answer["masked"], answer["masked"]
        for form in (secret, json.dumps(secret)[1:-1], basic("me", secret)[6:]):
            assert form not in answer["masked"], f"{form} shows: {answer['masked']}"


# --- OAuth

def oauth(world, server, secrets=None, **settings):
    return Client(world, server.url, **{"auth": "oauth2", "token_url": server.url + "/token", "client_id": "provost",
                                        "secrets": secrets or {"client_secret": SECRET}, **settings})


@test
def one_token_is_fetched_for_all_threads(world):
    server = peer(world)
    server.token_time_s = 0.2
    client = oauth(world, server, oauth_scope="people groups", audience="https://api.example.com")
    answers = client.ask_all("GET", "/guarded", threads=16, times=3)
    assert all(answer["status"] == 200 for answer in answers), answers
    assert len(server.seen("/token")) == 1, f"{len(server.seen('/token'))} fetches"
    assert server.seen("/token")[0]["body"] == "grant_type=client_credentials&scope=people%20groups&audience=https%3A%2F%2Fapi.example.com"


@test
def an_access_token_is_masked_too(world):
    server = peer(world)
    client = oauth(world, server)
    body = client.ask("GET", "/guarded")
    assert "issued-0-secret" in body["body"] and "issued-0-secret" not in body["masked"] and "Bearer ***" in body["masked"], body


@test
def a_revoked_token_is_renewed_once_for_all_threads(world):
    server = peer(world)
    client = oauth(world, server)
    client.ask("GET", "/guarded")
    server.revoke_all()
    server.token_time_s = 0.2
    answers = client.ask_all("POST", "/guarded", threads=16, body="{}")
    assert all(answer["status"] == 200 for answer in answers), answers
    assert len(server.seen("/token")) == 2, f"{len(server.seen('/token'))} fetches"


@test
def a_token_is_renewed_before_it_runs_out(world):
    server = peer(world)
    server.token_life_s = 1
    client = oauth(world, server)
    client.ask("GET", "/guarded")
    first = list(server.tokens.values())[0]
    await_condition("the token is almost at its end", lambda: time.monotonic() > first - 0.09)
    assert client.ask("GET", "/guarded")["status"] == 200
    assert len(server.seen("/token")) == 2 and len(server.seen("/guarded")) == 2, server.requests  # no 401 in between


@test
def a_token_that_is_never_good_is_asked_for_once_more_only(world):
    server = peer(world)
    server.is_good = lambda token: False
    answer = oauth(world, server).ask("GET", "/guarded")
    assert answer["status"] == 401 and len(server.seen("/token")) == 2 and len(server.seen("/guarded")) == 2, server.requests


@test
def a_client_proves_itself_as_it_is_told_to(world):
    server = peer(world)
    quoted = urllib.parse.quote(SECRET, safe="")
    server.check_client = lambda form, headers: None if headers.get("Authorization") == basic("provost", quoted) else "wrong header"
    assert oauth(world, server).ask("GET", "/guarded")["status"] == 200
    server.check_client = lambda form, headers: None if form.get("client_secret") == SECRET and form["client_id"] == "provost" else "wrong form"
    assert oauth(world, server, client_auth="post").ask("GET", "/guarded")["status"] == 200


def make_key(algorithm):
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)


@test
def a_signed_assertion_is_accepted_by_who_checks_it(world):
    try:
        import jwt
        from certificates import key_pem
    except ImportError as missing:
        raise Skip(f"{missing} (Debian: python3-jwt)") from None
    server = peer(world)
    for algorithm in ("RS256", "PS256", "ES256"):
        key = make_key(algorithm)

        def check(form, headers, key=key, algorithm=algorithm):
            claims = jwt.decode(form["client_assertion"], key.public_key(), algorithms=[algorithm], audience=server.url + "/token",
                                options={"require": ["exp", "iat", "jti", "iss", "sub"]})
            header = jwt.get_unverified_header(form["client_assertion"])
            good = (claims["iss"] == claims["sub"] == form["client_id"] == "provost" and header["kid"] == "key-7" and len(claims["jti"]) == 32
                    and form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" and 0 < claims["exp"] - claims["iat"] <= 300)
            return None if good else f"wrong: {claims} {header}"

        server.check_client = check
        client = oauth(world, server, secrets={"client_key": key_pem(key).decode()}, client_auth="private_key_jwt", client_key_id="key-7",
                       client_algorithm=algorithm)
        answers = [client.ask("GET", "/guarded")] + [oauth(world, server, secrets={"client_key": key_pem(key).decode()}, client_auth="private_key_jwt",
                                                           client_key_id="key-7", client_algorithm=algorithm).ask("GET", "/guarded") for _ in range(3)]
        assert all(answer["status"] == 200 for answer in answers), f"{algorithm}: {answers}"


@test
def what_the_token_endpoint_says_is_told_without_the_secret(world):
    server = peer(world)
    server.check_client = lambda form, headers: f"client provost with {form.get('client_secret')} is locked"
    answer = oauth(world, server, client_auth="post").ask("POST", "/guarded", body="{}")
    is_end(answer, "refused", "target_down", "invalid_client", "is locked", "***", "/token")
    assert SECRET not in answer["reason"] and not server.seen("/guarded"), answer
    server.check_client = lambda form, headers: None
    for what, words in (((500, {}), "answers 500"), ((200, {"token": 1}), "RFC 6749"), ((200, {"access_token": "a b"}), "RFC 6749"),
                        ((200, {"access_token": "x", "token_type": "mac"}), "another type")):
        server.token_answer = what
        is_end(oauth(world, server).ask("GET", "/guarded"), "refused", "target_down", words)
    is_end(oauth(world, server, token_url="http://127.0.0.1:1/token").ask(), "refused", "target_down", "the token endpoint", "connection refused")


@test
def a_token_endpoint_that_refuses_us_is_told_from_one_that_fails(world):
    server = peer(world)
    rows = [((401, {"error": "invalid_client"}), "login"), ((400, {"error": "invalid_client"}), "login"), ((400, {"error": "invalid_scope"}), "login"),
            ((403, {}), "login"), ((400, {}), "login"), ((404, {}), "login"), ((200, {"error": "invalid_client"}), "login"),
            ((400, {"error": "temporarily_unavailable"}), "sure"), ((429, {"error": "slow_down"}), "sure"), ((408, {}), "sure"), ((500, {}), "sure"),
            ((503, {"error": "invalid_client"}), "sure"), ((200, {"token": 1}), "sure"), ((302, {}), "sure")]
    for answer, refusal in rows:
        server.token_answer = answer
        seen = oauth(world, server).ask("GET", "/guarded")
        assert (seen["end"], seen["outcome"], seen["refusal"]) == ("refused", "target_down", refusal), (answer, seen)
    server.token_answer = (400, {"message": f"no client {SECRET} in this realm"})
    seen = oauth(world, server).ask("GET", "/guarded")
    assert "in this realm" in seen["reason"] and SECRET not in seen["reason"], seen
    assert oauth(world, server, token_url="http://127.0.0.1:1/token").ask("GET", "/guarded")["refusal"] == "sure"


@test
def a_failed_fetch_is_not_tried_again_by_each_thread(world):
    server = peer(world)
    server.token_time_s, server.token_answer = 0.1, (503, {})
    answers = oauth(world, server).ask_all("GET", "/guarded", threads=8)
    assert all(answer["end"] == "refused" for answer in answers) and len(server.seen("/token")) == 1, server.requests


# --- limits

@test
def requests_keep_to_the_rate(world):
    server = peer(world)
    client = Client(world, server.url, rate=40, rate_time="1 s")
    client.ask_all("GET", "/echo", threads=8, times=5)
    times = sorted(request["at"] for request in server.seen("/echo"))
    span, due = times[-1] - times[0], (len(times) - 1) / 40
    assert due * 0.95 <= span <= due * 1.5 * SCALE + 0.2, f"40 requests took {span:.2f} s instead of {due:.2f} s"
    windows = [sum(1 for other in times if start <= other < start + 0.5) for start in times]
    assert max(windows) <= 20 + 10 * SCALE, f"{max(windows)} requests within half a second"


@test
def no_more_are_in_flight_than_allowed(world):
    server = peer(world)
    client = Client(world, server.url, in_flight=2, timeout="10 s")
    client.send("GET", "/slow", threads=6)
    await_condition("two have arrived", lambda: len(server.seen("/slow")) == 2)
    stays("no third comes", lambda: len(server.seen("/slow")) == 2)
    server.release.set()
    assert all(answer["status"] == 200 for answer in client.receive(6))


@test
def a_wish_to_wait_holds_back_all_sessions(world):
    server = peer(world)
    client = Client(world, server.url, circuit_failures=0)
    server.pause, server.pause_until = "30", time.monotonic() + 30
    answer = client.ask("GET", "/pause")
    assert answer["status"] == 503 and answer["retry_after_us"] == 30_000_000, answer
    answers = client.ask_all("GET", "/pause", threads=4)
    for answer in answers:
        is_end(answer, "not_sent", "target_down", "asked for a pause")
        assert 28_000_000 < answer["retry_after_us"] <= 30_000_000 and answer["took"] < SCALE, answer
    assert len(server.seen("/pause")) == 1, server.requests


@test
def a_wish_to_wait_for_a_year_holds_back_for_minutes(world):
    server = peer(world)
    for wish, path in (("31536000", "/status/429/31536000"), ("a date", "/status/503/Fri,%2001%20Jan%202094%2000:00:00%20GMT"), ("a quota", f"/quota/403/0/{int(time.time()) + 86400}")):
        client = Client(world, server.url, circuit_failures=0)
        assert client.ask("GET", path)["end"] == "answered"
        held = client.ask("GET", "/echo")
        is_end(held, "not_sent", "target_down", "asked for a pause")
        assert held["refusal"] == "sure" and 290_000_000 < held["retry_after_us"] <= 300_000_000, (wish, held)


@test
def a_quota_that_is_used_up_holds_back_all_only_where_it_is_why(world):
    server = peer(world)
    client = Client(world, server.url)
    for path in ("/quota/200/0/600", "/quota/404/0/600", "/quota/422/0/600", "/quota/403/1/600"):
        client.ask("GET", path)
        is_end(client.ask("GET", "/echo"), "answered")
    client.ask("GET", "/quota/403/0/600")
    is_end(client.ask("GET", "/echo"), "not_sent", "target_down", "asked for a pause")


@test
def a_403_with_a_wish_to_wait_holds_back_all_when_it_comes_twice_in_a_row(world):
    server = peer(world)
    client = Client(world, server.url)
    for _ in range(3):  # about one record, while others get through
        assert client.ask("GET", "/status/403/60")["retry_after_us"] == 60_000_000
        is_end(client.ask("GET", "/echo"), "answered")
    client.ask("GET", "/status/403/60")
    client.ask("GET", "/status/403/60")
    is_end(client.ask("GET", "/echo"), "not_sent", "target_down", "asked for a pause")


@test
def what_got_no_answer_may_be_about_one_record_and_what_was_not_sent_is_not(world):
    server = peer(world)
    client = Client(world, server.url, timeout="1 s", circuit_failures=0)
    for path in ("/close", "/reset", "/half", "/slow"):
        answer = client.ask("POST", path, body="{}")
        assert (answer["end"], answer["outcome"], answer["refusal"]) == ("lost", "retry", "unsure"), (path, answer)
    server.release.set()
    answer = Client(world, "http://127.0.0.1:1").ask("POST", "/echo", body="{}")
    assert (answer["end"], answer["outcome"], answer["refusal"]) == ("not_sent", "target_down", "sure"), answer


@test
def a_short_wish_to_wait_is_waited_for(world):
    server = peer(world)
    client = Client(world, server.url)
    start = time.monotonic()
    server.pause, server.pause_until = "1", start + 1
    assert client.ask("GET", "/pause")["status"] == 503
    answer = client.ask("GET", "/pause")
    assert answer["status"] == 200 and time.monotonic() - start >= 1, answer


@test
def both_forms_of_retry_after_are_understood(world):
    server = peer(world)
    assert Client(world, server.url).ask("GET", "/status/429/120")["retry_after_us"] == 120_000_000
    assert Client(world, server.url).ask("GET", "/date")["retry_after_us"] == 7_000_000
    assert Client(world, server.url).ask("GET", "/status/429/soon")["retry_after_us"] == 0


@test
def the_circuit_opens_and_closes_again(world):
    server = peer(world)
    client = Client(world, server.url, circuit_failures=3, circuit_time="1 s")
    client.ask("GET", "/status/500", note=True)
    client.ask("GET", "/close")
    client.ask("GET", "/status/404", note=False)  # one that went well in between starts the count anew
    for _ in range(3):
        client.ask("GET", "/close")
    before = len(server.requests)
    answer = client.ask("GET", "/echo")
    is_end(answer, "refused", "target_down", "the last 3 requests failed", "GET /close", "is tried in")
    assert 0 < answer["retry_after_us"] <= 1_000_000 and len(server.requests) == before, answer
    ends = []
    await_condition("a trial is let through", lambda: ends.append(client.ask("GET", "/close")["end"]) or ends[-1] == "lost", every_s=0.05)
    is_end(client.ask("GET", "/echo"), "refused")  # one trial, and it failed
    await_condition("another trial is let through", lambda: client.ask("GET", "/status/200", note=False)["end"] == "answered", every_s=0.05)
    is_end(client.ask("GET", "/echo", note=False), "answered")


# --- TLS

def tls_world(world, servers):
    try:
        from certificates import EXPIRED, Authority
    except ImportError as missing:
        raise Skip(f"{missing} (Debian: python3-cryptography)") from None
    if nginx.find_program() is None:
        raise Skip("there is no nginx, and it could not be fetched (Debian: nginx)")
    folder = world.new_folder("tls")
    os.makedirs(folder)
    authority, stranger = Authority(folder), Authority(folder, "stranger")
    authority.issue("good")
    authority.issue("expired", until=EXPIRED)
    authority.issue("future", since=EXPIRED.replace(year=2048))
    authority.issue("elsewhere", names=("api.elsewhere.example",))
    authority.issue("client", names=("provost",))
    stranger.issue("stray", names=("provost",))
    made = {}
    for name, (how, lines) in servers.items():
        kind = name if os.path.exists(os.path.join(folder, name + ".pem")) else "good"
        made[name] = ("ssl " + how, f"ssl_certificate {folder}/{kind}.pem; ssl_certificate_key {folder}/{kind}.key; ssl_protocols TLSv1.2 TLSv1.3; "
                      + lines.replace("FOLDER", folder))
    server = world.own(nginx.Nginx(world.new_folder("nginx"), made))
    return folder, authority.file, lambda name, **settings: Client(world, f"https://127.0.0.1:{server.ports[name]}",
                                                                  **{"ca_file": authority.file, **settings})


@test
def tls_is_spoken_and_http_2_where_it_is_offered(world):
    report = 'location / { return 200 \'{"protocol": "$server_protocol", "tls": "$ssl_protocol"}\'; }'
    _, _, client = tls_world(world, {"two": ("http2", report), "one": ("", report)})
    assert json.loads(client("two").ask("GET", "/")["body"]) == {"protocol": "HTTP/2.0", "tls": "TLSv1.3"}
    assert json.loads(client("one").ask("GET", "/")["body"]) == {"protocol": "HTTP/1.1", "tls": "TLSv1.3"}


@test
def connections_that_the_server_ends_in_order_lose_nothing(world):
    lines = f"keepalive_requests 3; location / {{ proxy_pass {peer(world).url}; }}"
    _, _, client = tls_world(world, {"two": ("http2", lines), "one": ("", lines)})
    for name in ("one", "two"):
        answers = client(name).ask_all("POST", "/echo", threads=1, times=20, body="{}")
        assert all(answer["end"] == "answered" for answer in answers), f"{name}: {[answer['reason'] for answer in answers]}"


@test
def a_refusal_that_comes_before_the_body_was_read_is_understood(world):
    _, _, client = tls_world(world, {"two": ("http2", "location / { return 401 '{\"error\": \"no\"}'; }")})
    answers = client("two").ask_all("POST", "/x", threads=1, times=30, body="{}")
    assert all(answer["status"] == 401 and answer["end"] == "answered" for answer in answers), answers


@test
def a_compressed_answer_of_an_ordinary_server_is_read(world):
    text = '{"text": "' + "x" * 2000 + '"}'
    _, _, client = tls_world(world, {"one": ("", f"location / {{ return 200 '{text}'; }}")})
    answer = client("one").ask("GET", "/")
    assert answer["body"] == text, answer


@test
def a_certificate_that_is_not_accepted_is_named(world):
    plain = "location / { return 200 '{}'; }"
    folder, _, client = tls_world(world, {name: ("", plain) for name in ("good", "expired", "future", "elsewhere")})
    for name, words in (("expired", ("it expired on 2021-02-03 04:05:06 UTC", "expired")), ("future", ("it is not valid before 2048-02-03",)),
                        ("elsewhere", ("it is not for the host \"127.0.0.1\"", "api.elsewhere.example"))):
        is_end(client(name).ask("POST", "/x", body="{}"), "not_sent", "target_down", "TLS certificate is not accepted", *words)
        is_end(client(name, verify=False).ask("GET", "/x"), "answered")
    is_end(client("good", ca_file=folder + "/stranger.pem").ask(), "not_sent", "target_down", "none of the authorities in", "stranger.pem", "Provost test ca")
    is_end(client("good", ca_file=folder + "/missing.pem").ask(), "not_sent", "target_down", "ca_file holds no certificate")
    is_end(client("good").ask(), "answered")


@test
def plain_http_on_a_tls_port_and_the_other_way_round_are_told(world):
    _, ca_file, client = tls_world(world, {"good": ("", "location / { return 200 '{}'; }")})
    is_end(Client(world, peer(world).url.replace("http:", "https:"), ca_file=ca_file).ask(), "not_sent", "target_down", "TLS handshake failed")
    is_end(client("good").ask(), "answered")


@test
def a_client_certificate_is_shown_and_its_lack_told(world):
    want = "ssl_client_certificate FOLDER/ca.pem; ssl_verify_client on; location / { return 200 '{\"who\": \"$ssl_client_s_dn\"}'; }"
    folder, _, client = tls_world(world, {"on": ("", want)})

    def with_key(name):
        with open(f"{folder}/{name}.key", encoding="utf-8") as file:
            return {"tls_certificate": f"{folder}/{name}.pem", "secrets": {"tls_key": file.read()}}
    assert json.loads(client("on", **with_key("client")).ask("GET", "/")["body"]) == {"who": "CN=client"}
    assert client("on").ask("GET", "/")["status"] == 400  # nginx says it in HTTP
    mixed = {**with_key("client"), "tls_certificate": f"{folder}/good.pem"}
    is_end(client("on", **mixed).ask(), "not_sent", "target_down", "tls_certificate and tls_key")


@test
def a_server_that_demands_a_client_certificate_in_tls_is_understood(world):
    folder, ca_file, _ = tls_world(world, {"good": ("", "location / { return 200 '{}'; }")})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/good.pem", folder + "/good.key")
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain = listener.accept()[0]
            except OSError:
                return
            kept = plain.dup()  # closed only when all was read: a reset would overtake the alert
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1000)
            except ssl.SSLError:
                pass
            kept.shutdown(socket.SHUT_WR)
            while kept.recv(1000):
                pass
            kept.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with open(folder + "/stray.key", encoding="utf-8") as file:
        stray = {"tls_certificate": folder + "/stray.pem", "secrets": {"tls_key": file.read()}}
    try:
        is_end(Client(world, url, ca_file=ca_file).ask("POST", "/x", body="{}"), "not_sent", "target_down", "the server wants a client certificate")
        is_end(Client(world, url, ca_file=ca_file, **stray).ask("POST", "/x", body="{}"), "not_sent", "target_down",
               "does not accept the client certificate")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


run()
