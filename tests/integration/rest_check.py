#!/usr/bin/python3
"""check --connect at an API: each mistake in a mapping, its settings or the API is named, and none is reported as "answers" alone."""

import http.server
import json
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from agent import shipped_mapping
from okta import User
from scim_service import Scim
from tap import run, test

ANN = User("00uann", "ann@example.com", "Ann Lee")
LIST = 'list:    { path = "/employees"; query: { limit = 100; }; items = "/items";'
BY_ID = '{ path = "/employees"; query: { external_id = "{id}"; }; items = "/items"; where: { external_id = "{id}"; };'


def check(agent):
    """exit status, what is said of the target."""
    code, out, err = agent.ctl("check", "--connect", "--json")
    result = json.loads(out)
    assert not result["problems"], (result, err)
    return code, result["targets"][0]


def told(target):
    texts = [problem for file in target.get("rehearsed", ()) for problem in file["problems"]]
    return texts if target["answers"] else [target["reason"]]


def payroll_agent(world, payroll, replace=(), **options):
    return world.agent(start=False, directory=None, service=("payroll", payroll), mappings_={"payroll.conf": shipped_mapping("payroll.conf", replace)},
                       **options)


@test
def what_works_is_said_to_work_and_nothing_is_written(world):
    payroll = world.payroll()
    payroll.hire(ANN)
    code, target = check(payroll_agent(world, payroll))
    assert code == 0 and target["answers"] and not told(target), target
    assert target["rehearsed"][0]["note"] is None, target
    assert len(payroll.requests()) == 1 and payroll.unexpected() == [], payroll.requests()  # the hire alone


@test
def an_empty_payroll_is_no_mistake_and_what_was_not_seen_is_said(world):
    code, target = check(payroll_agent(world, world.payroll()))
    assert code == 0 and "the list is empty" in target["rehearsed"][0]["note"], target


# what is planted in the mapping (old, new), the API's trouble, a part of what is said
MISTAKES = (
    ([(LIST, LIST.replace("/employees", "/employee"))], {}, "requests.list: GET /employee: 404"),
    ([(LIST, LIST.replace("/items", "/Items"))], {}, "nothing at /Items (items)"),
    ([(LIST, LIST.replace('"/items"', '"/items/0"'))], {}, "an object at /items/0 (items)"),
    ([(BY_ID, BY_ID.replace("/employees", "/employes"))], {}, "requests.match[0]: GET /employes: 404"),
    ([(BY_ID, BY_ID.replace('"/items"', '"/item"'))], {}, "requests.match[0]: GET /employees: 200: the answer has nothing at /item"),
    ([(BY_ID, BY_ID.replace("query: { external_id", "query: { externalid"))], {}, "requests.match[0]: GET /employees"),
    ([('read:    { path = "/employees/{account.key}"; };', 'read:    { path = "/employee/{account.key}"; };')], {}, "requests.read: GET /employee/1: 404"),
    ([('read:    { path = "/employees/{account.key}"; };', 'read:    { path = "/employees/{account.key}"; item = "/data"; };')], {}, "nothing at /data (item)"),
    ([('id       = "/id";', 'id       = "/employee_id";')], {}, "nothing at /employee_id (result.id)"),
    ([('id       = "/id";', 'id       = "/name";')], {}, "an object at /name (result.id)"),
    ([('pointer = "/status"', 'pointer = "/state"')], {}, "shows nothing at /state"),
    ([('first_name = "/name/given"', 'first_name = "/name/given";\n  email = "/mail"')], {}, "/mail"),
    ([('where: { external_id = "{id}"; };', 'where: { badge = "{id}"; };')], {}, 'has anything at /badge, by which "badge" (where) is read'),
    ([], {"ignore_filters": True}, "requests.match[0]: GET /employees was asked for somebody who cannot be there, and answered with 1"),
    ([], {"status": 401, "only": "GET /employees"}, "401"),
    ([], {"status": 403, "only": "GET /employees?external_id="}, "requests.match[0]: GET /employees: 403"),
    ([], {"status": 400, "only": "GET /employees?email=", "say": "Cannot filter by email"}, "Cannot filter by email"),
    ([], {"status": 404, "only": "GET /employees/1"}, "which the list has just shown"),
    ([], {"status": 500, "only": "GET /employees/1"}, "requests.read: GET /employees/1: 500"),
    ([], {"spoil": "html", "only": "GET /employees?external_id="}, "requests.match[0]: GET /employees: 200: the answer is a page"),
    ([], {"spoil": "invalid", "only": "GET /employees/1"}, "requests.read: GET /employees/1: 200: the answer is no JSON"),
    ([], {"spoil": "empty", "only": "GET /employees?external_id="}, "the answer is empty where JSON is expected"),
    ([], {"spoil": "another", "only": "GET /employees/2"}, "asked for \"2\", and the answer is about \"1\""),
)


@test
def each_planted_mistake_is_named(world):
    assert len(MISTAKES) >= 20
    for replace, trouble, said in MISTAKES:
        payroll = world.payroll()
        if trouble.get("only") == "GET /employees/2":
            payroll.hire(User("00uzero", "zero@example.com", "Zed Ero"))
            payroll.request("DELETE", "/employees/1")
        payroll.hire(ANN)
        payroll.trouble(**trouble)
        code, target = check(payroll_agent(world, payroll, replace))
        assert code == 1 and any(said in text for text in told(target)), (replace, trouble, said, code, target)


@test
def an_api_that_the_first_joiner_would_fail_at_is_not_said_to_answer(world):
    payroll = world.payroll()
    payroll.hire(ANN)
    for replace, expected, said in (((), 0, "\n    answers"), ([(LIST, LIST.replace("/items", "/Items"))], 1, "\n    cannot be worked with as it is")):
        code, out, err = payroll_agent(world, payroll, replace).ctl("check", "--connect")
        assert code == expected and said in out and ("answers" in out) == (expected == 0), out + err


class Deaf:
    """Answers 200 to whatever comes, and means no."""

    probe = "/employees?limit=1"

    def __init__(self, folder, document):
        os.makedirs(folder)
        self.token_file = os.path.join(folder, "token")
        with open(os.open(self.token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write("no-good-token\n")
        body = json.dumps(document).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@test
def a_dead_token_that_is_answered_200_is_named(world):
    failure = [('id       = "/id";', 'id       = "/id";\n  failure  = "/error";')]
    for replace, said in ((failure, "answered 200, but with a failure"), ((), "nothing at /items (items)")):
        deaf = world.own(Deaf(world.new_folder("deaf"), {"ok": False, "error": "invalid_auth"}))
        code, target = check(payroll_agent(world, deaf, replace))
        texts = " ".join(told(target))
        assert code == 1 and said in texts and "invalid_auth" in texts, target


@test
def a_scim_service_is_rehearsed_with_its_groups(world):
    scim = world.own(Scim(world.new_folder("scim")))
    scim.add("Users", userName=ANN.login, displayName="Ann", active=True)
    agent = world.agent(start=False, directory=None, service=("scim", scim), mappings_={
        name: shipped_mapping(name) for name in ("scim2-users.conf", "scim2-groups.conf")})
    code, target = check(agent)
    notes = " ".join(file["note"] or "" for file in target["rehearsed"])
    assert code == 0 and '/externalId, by which "externalId" (where) is read' in notes, target
    before = len(scim.requests())
    scim.quirks(ignore_filter=True)
    code, target = check(agent)
    assert code == 1 and "takes no notice of the query" in " ".join(told(target)), target
    scim.quirks(refuse_filter="members")
    code, target = check(agent)
    assert code == 0 and "the groups of a member are not shown" in " ".join(file["note"] or "" for file in target["rehearsed"]), target
    scim.quirks(refuse_filter="externalId")
    code, target = check(agent)
    assert code == 0 and "400" in target["rehearsed"][0]["note"], target
    scim.quirks(refuse_filter="userName")
    code, target = check(agent)
    assert code == 1 and "Cannot filter by userName" in " ".join(told(target)), target
    assert len(scim.requests()) == before, "something was written"


run()
