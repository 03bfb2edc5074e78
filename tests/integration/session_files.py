#!/usr/bin/python3
"""Sessions in files and in memcached: the connector beside PHP's own handlers and Django's backend "file"."""

import functools
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from databases import Memcached, free_port
from session_drive import Drive
from tap import Skip, run, test

PHP = {"preset": "php-files"}


def php(folder, code, *options, wait=True):
    """Runs PHP code with its own session handler on this folder; with wait=False the process, its lines to be read."""
    if shutil.which("php") is None:
        raise Skip("there is no php (Debian: php-cli)")
    command = ["php", "-d", f'session.save_path="{folder}"', "-d", "session.use_cookies=0", "-d", "session.cache_limiter=", "-d", "session.gc_probability=0",
               *options, "-r", code]
    if not wait:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and "Warning" not in done.stdout, done.stdout
    return done.stdout


def sign_in(folder, sid, name, *options):
    php(folder, f'session_id("{sid}"); session_start(); $_SESSION["user"] = "{name}"; $_SESSION["cart"] = ["a" => 1];', *options)


def who(folder, sid, *options):
    return php(folder, f'session_id("{sid}"); session_start(["read_and_close" => true]); echo $_SESSION["user"] ?? "nobody";', *options)


# A request that holds the session, and writes it at its end when it is told to.
SLOW = 'session_id("%s"); session_start(); echo "holds\\n"; fgets(STDIN); $_SESSION["last"] = 1; session_write_close(); echo "wrote\\n";'


class Request:
    def __init__(self, folder, sid, *options):
        self.process = php(folder, SLOW % sid, *options, wait=False)
        assert self.process.stdout.readline() == "holds\n"

    def end(self):
        out, _ = self.process.communicate("\n", 20)
        assert out == "wrote\n", out


def folder_of(world, *parts):
    path = os.path.join(world.new_folder("sessions"), *parts)
    os.makedirs(path)
    return path


def files(**changed):
    return Drive(**{"store": "files", "lock_timeout": "100 ms", **changed})


def expect(answer, outcome, found=None, ended=None):
    assert answer["outcome"] == outcome, answer
    assert found is None or (answer["found"], answer["ended"]) == (found, ended), answer
    return answer


@test
def php_sessions_of_one_person_end_and_nobody_elses(world):
    folder = folder_of(world)
    for sid, name in (("one", "ann"), ("two", "ann"), ("three", "anna"), ("four", "an")):
        sign_in(folder, sid, name)
    drive = files(path=folder)
    expect(drive.revoke(user="ann", **PHP), "applied", 2, 2)
    assert [who(folder, sid) for sid in ("one", "two", "three", "four")] == ["nobody", "nobody", "anna", "an"]
    expect(drive.revoke(user="ann", **PHP), "unchanged", 0, 0)


@test
def sessions_in_sub_folders_are_found(world):
    folder = folder_of(world)
    for one in "ab":
        for two in "ab":
            os.makedirs(os.path.join(folder, one, two))
    sign_in(f"2;{folder}", "abone", "ann")
    sign_in(f"2;{folder}", "batwo", "bob")
    drive = files(path=folder)
    expect(drive.revoke(user="ann", **PHP), "unchanged", 0, 0)
    expect(drive.revoke(user="ann", levels=2, **PHP), "applied", 1, 1)
    assert (who(f"2;{folder}", "abone"), who(f"2;{folder}", "batwo")) == ("nobody", "bob")


@test
def a_request_in_flight_keeps_its_session_to_the_second_sweep_and_does_not_bring_it_back(world):
    folder = folder_of(world)
    sign_in(folder, "one", "ann")
    request = Request(folder, "one")
    drive = files(path=folder)
    first = expect(drive.revoke(user="ann", **PHP), "unchanged", 1, 0)
    assert "locked" in first["note"], first
    request.end()
    assert who(folder, "one") == "ann"
    expect(drive.revoke(user="ann", sweep=2, **PHP), "applied", 1, 1)
    assert who(folder, "one") == "nobody"


@test
def a_request_that_outlasts_the_second_sweep_writes_to_nowhere(world):
    folder = folder_of(world)
    sign_in(folder, "one", "ann")
    request = Request(folder, "one")
    expect(files(path=folder).revoke(user="ann", sweep=2, **PHP), "applied", 1, 1)
    request.end()
    assert who(folder, "one") == "nobody"


@test
def a_request_that_waits_for_the_lock_finds_nothing(world):
    folder = folder_of(world)
    sign_in(folder, "one", "ann")
    holder = Request(folder, "one")
    waiting = php(folder, 'session_id("one"); session_start(); echo $_SESSION["user"] ?? "nobody";', wait=False)
    drive = files(path=folder, lock_timeout="20 s")
    drive.send(do="revoke", before="2101-01-01T00:00:00Z", sweep=1, sessions={"user": "ann", **PHP})
    holder.end()
    expect(drive.receive(), "applied", 1, 1)
    out, _ = waiting.communicate(timeout=20)
    assert out in ("nobody", "ann"), out  # it may have had its turn before us, but what it wrote is gone
    assert who(folder, "one") == "nobody"


@test
def locks_of_other_peoples_requests_are_not_waited_for(world):
    folder = folder_of(world)
    sign_in(folder, "one", "bob")
    sign_in(folder, "two", "ann")
    request = Request(folder, "one")
    drive = files(path=folder, lock_timeout="60 s")
    expect(drive.revoke(user="ann", **PHP), "applied", 1, 1)
    request.end()
    assert who(folder, "one") == "bob"


@test
def what_is_no_session_file_stays(world):
    folder, outside = folder_of(world), folder_of(world)
    sign_in(outside, "far", "ann")
    target = os.path.join(outside, "sess_far")
    os.symlink(target, os.path.join(folder, "sess_link"))
    os.link(target, os.path.join(folder, "sess_second"))
    os.symlink(outside, os.path.join(folder, "a"))
    os.mkfifo(os.path.join(folder, "sess_fifo"))
    os.mkdir(os.path.join(folder, "sess_folder"))
    content = open(target, encoding="utf-8").read()
    for name in ("notes.txt", "sess_", "sess_a b", "sess_..", "xsess_one"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)
    before = sorted(os.listdir(folder))
    drive = files(path=folder)
    expect(drive.revoke(user="ann", sweep=2, **PHP), "unchanged", 0, 0)
    expect(drive.revoke(user="ann", levels=1, **PHP), "unchanged", 0, 0)
    assert sorted(os.listdir(folder)) == before and who(outside, "far") == "ann"


@test
def hostile_session_files_end_nobody_else_and_are_told(world):
    folder = folder_of(world)
    sign_in(folder, "one", "ann")
    values = {"big": b'user|s:3:"ann";' + b"x" * 10_000_000, "binary": bytes(range(256)) * 40, "empty": b"", "cut": b'user|s:3:"an', "lies": b'user|s:300:"ann";',
              "nested": b'note|s:23:"user|s:3:"ann";user|s:3";user|s:3:"bob";', "object": b'user|O:4:"User":1:{s:4:"name";s:3:"ann";}'}
    for name, value in values.items():
        with open(os.path.join(folder, f"sess_{name}"), "wb") as file:
            file.write(value)
    answer = expect(files(path=folder).revoke(user="ann", **PHP), "retry", 2, 2)
    assert "1 sessions cannot be looked into" in answer["reason"] and "(sess_binary)" in answer["reason"], answer
    assert sorted(os.listdir(folder)) == sorted(f"sess_{name}" for name in values if name != "big")


@test
def a_folder_of_many_sessions_is_walked_with_little_memory(world):
    folder = folder_of(world)
    for i in range(int(os.environ.get("PROVOST_SESSION_FILES", "3000"))):
        with open(os.path.join(folder, f"sess_{i:026d}"), "w", encoding="ascii") as file:
            file.write('user|s:3:"%s";' % ("ann" if i % 100 == 7 else "bob"))
    drive = files(path=folder, share=100)
    expect(drive.probe(), "applied")
    answer = expect(drive.revoke(user="ann", **PHP), "applied")
    assert answer["ended"] == answer["found"] == len(range(7, int(os.environ.get("PROVOST_SESSION_FILES", "3000")), 100))
    with open(f"/proc/{drive.process.pid}/status", encoding="ascii") as status:
        peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak_kib < 64 * 1024 or os.environ.get("PROVOST_TIME_SCALE"), peak_kib


@test
def a_file_that_tells_its_birth_is_kept_when_it_is_younger(world):
    folder = folder_of(world)
    sign_in(folder, "one", "ann")
    drive = files(path=folder)
    kept = expect(drive.revoke(user="ann", before="2001-01-01T00:00:00Z", created_at="birth", **PHP), "unchanged", 1, 0)
    assert "kept" in kept["note"], kept
    expect(drive.revoke(user="ann", dated_only=True, **PHP), "unchanged", 1, 0)
    expect(drive.revoke(user="ann", created_at="birth", dated_only=True, **PHP), "applied", 1, 1)


@test
def folders_that_cannot_be_used_are_told_with_what_would_be_right(world):
    folder = folder_of(world)
    missing = expect(files(path=os.path.join(folder, "none")).probe(), "target_down")
    assert "path has to name the folder" in missing["reason"], missing
    if os.getuid() != 0:
        raise Skip("only root can be somebody else")
    os.chmod(world.folder, 0o711)
    os.chmod(os.path.dirname(folder), 0o711)
    sign_in(folder, "one", "ann")
    os.chmod(folder, 0o1733)
    closed = expect(files(path=folder, run_as="nobody").probe(), "target_down")
    assert "setfacl -m u:" in closed["reason"], closed
    os.chmod(folder, 0o777)
    private = expect(files(path=folder, run_as="nobody").revoke(user="ann", **PHP), "retry")
    assert "1 session files" in private["reason"] and "0660" in private["reason"], private
    assert "sess_one" not in private["reason"], "an id is a secret"
    os.chmod(os.path.join(folder, "sess_one"), 0o666)
    os.chmod(folder, 0o1777)  # sticky: the name is not ours to take away
    expect(files(path=folder, run_as="nobody").revoke(user="ann", **PHP), "applied", 1, 1)
    assert who(folder, "one") == "nobody"


@test
def django_file_sessions_end(world):
    try:
        import django
        from django.conf import settings
    except ImportError as error:
        raise Skip("there is no Django (Debian: python3-django)") from error
    folder = folder_of(world)
    settings.configure(SECRET_KEY="of a test", SESSION_ENGINE="django.contrib.sessions.backends.file", SESSION_FILE_PATH=folder,
                       INSTALLED_APPS=["django.contrib.sessions"])
    django.setup()
    from django.contrib.sessions.backends.file import SessionStore
    keys = {}
    for name in ("12", "1", "123"):
        session = SessionStore()
        session["_auth_user_id"] = name
        session["filler"] = "x" * 2000  # compressed by Django
        session.create()
        keys[name] = session.session_key
    in_flight = SessionStore(keys["12"])
    assert in_flight["_auth_user_id"] == "12"
    expect(files(path=folder).revoke(user="12", preset="django-file"), "applied", 1, 1)
    in_flight["late"] = 1
    try:
        in_flight.save()
        raise AssertionError("Django wrote a session that was ended")
    except Exception as error:
        assert type(error).__name__ == "UpdateError", error
    assert [SessionStore(keys[name]).get("_auth_user_id") for name in ("12", "1", "123")] == [None, "1", "123"]


# ---- memcached ----

MEMCACHED = {"preset": "php-memcached"}


@functools.cache
def memcached():
    server = Memcached()
    loaded = subprocess.run(["php", "-m"], stdout=subprocess.PIPE, text=True, check=False).stdout if shutil.which("php") else ""
    server.php = "memcached" in loaded.split()
    return server


def handler(server):
    if not server.php:
        raise Skip("PHP has no memcached (Debian: php-memcached)")
    return ("-d", "session.save_handler=memcached", "-d", "memcached.sess_lock_retries=50")


@test
def php_sessions_in_memcached_end_by_the_applications_index(world):
    server, at = memcached(), f"127.0.0.1:{memcached().port}"
    for sid, name in (("one", "ann"), ("two", "ann"), ("three", "anna")):
        sign_in(at, sid, name, *handler(server))
    assert server.get("memc.sess.key.one"), "php-memcached names its keys so"
    server.put("sessions:ann", '["one", "two", "three", "gone", "bad id", ""]')
    drive = Drive(**server.settings())
    answer = expect(drive.revoke(user="ann", **MEMCACHED), "applied", 2, 2)
    assert "cannot be listed" in answer["note"], answer
    assert [who(at, sid, *handler(server)) for sid in ("one", "two", "three")] == ["nobody", "nobody", "anna"]
    expect(drive.revoke(user="ann", **MEMCACHED), "unchanged")
    expect(drive.revoke(user="nobody-listed", **MEMCACHED), "unchanged", 0, 0)


@test
def the_lock_of_a_php_request_in_memcached_is_honoured(world):
    server, at = memcached(), f"127.0.0.1:{memcached().port}"
    sign_in(at, "held", "ann", *handler(server))
    server.put("sessions:ann", "held")
    request = Request(at, "held", *handler(server))
    assert server.get("memc.sess.key.lock.held"), "php-memcached names its locks so"
    drive = Drive(lock_timeout="100 ms", **server.settings())
    first = expect(drive.revoke(user="ann", **MEMCACHED), "unchanged", 1, 0)
    assert "locked" in first["note"], first
    request.end()
    expect(drive.revoke(user="ann", sweep=2, **MEMCACHED), "applied", 1, 1)
    assert server.get("memc.sess.key.lock.held") is None
    assert who(at, "held", *handler(server)) == "nobody"


@test
def a_session_that_came_back_from_an_old_index_is_kept_for_who_has_it_now(world):
    server = memcached()
    server.put("memc.sess.key.reused", 'user|s:3:"bob";')
    server.put("sessions:ann", "reused")
    expect(Drive(**server.settings()).revoke(user="ann", **MEMCACHED), "unchanged", 0, 0)
    assert server.get("memc.sess.key.reused")


@test
def every_memcached_is_asked(world):
    one, two = memcached(), Memcached()
    one.put("sessions:carol", "c1,c2")
    one.put("memc.sess.key.c1", 'user|s:5:"carol";')
    two.put("memc.sess.key.c2", 'user|s:5:"carol";')
    drive = Drive(**one.settings(address=[f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"]))
    expect(drive.revoke(user="carol", **MEMCACHED), "applied", 2, 2)
    two.kill()
    down = expect(drive.revoke(user="carol", **MEMCACHED), "target_down")
    assert str(two.port) in down["reason"], down


@test
def memcached_that_is_away_and_back_is_told_and_used_again(world):
    server = memcached()
    drive = Drive(**server.settings())
    expect(drive.probe(), "applied")
    server.kill()
    down = expect(drive.revoke(user="ann", **MEMCACHED), "target_down")
    assert "no connection could be made" in down["reason"] or "lost" in down["reason"], down
    server.start()
    server.put("memc.sess.key.one", 'user|s:3:"ann";')
    server.put("sessions:ann", "one")
    expect(drive.revoke(user="ann", **MEMCACHED), "applied", 1, 1)
    server.restart()
    expect(drive.revoke(user="ann", **MEMCACHED), "unchanged")
    expect(Drive(store="memcached", address=[f"127.0.0.1:{free_port()}"]).probe(), "target_down")


@test
def markers_in_memcached_are_kept_changed_and_taken_away(world):
    server = memcached()
    drive = Drive(**server.settings())
    wanted = {"denied": True, "signed_in": {"since": "2026-11-22T21:10:03.123Z", "expires": "2096-11-23T09:10:03.123Z"}}
    expect(drive.mark(wanted, user="ann", **MEMCACHED), "applied")
    assert server.get("provost:denied:ann") == "1"
    assert drive.read(user="ann", **MEMCACHED)["values"] == wanted
    expect(drive.mark(wanted, user="ann", **MEMCACHED), "unchanged")
    expect(drive.mark({}, user="ann", **MEMCACHED), "applied")
    assert drive.read(user="ann", **MEMCACHED)["values"] == {} and server.get("provost:signed_in:ann") is None
    refused = expect(drive.mark(wanted, user="ann\r\nset x 0 0 1", **MEMCACHED), "rejected")
    assert "blanks or control characters" in refused["reason"], refused


@test
def what_memcached_cannot_do_is_told_at_the_check(world):
    problems = Drive(store="memcached", tls=True).problems()
    assert len(problems) == 1 and "without TLS" in problems[0], problems


run()
