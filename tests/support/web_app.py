"""Real applications (apps/) that keep sessions of their own, and browsers that sign in to them.

Each has POST /sign-in (user, password: the same word), /who (the user's name, or 401) and /slow, a request that began and
ends when the test says so, and that writes its session at its end.
"""

import http.cookiejar
import os
import select
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import npm
from bounded import await_condition
from directory import SOURCE
from nginx import free_port
from tap import Skip

APPS = os.path.join(SOURCE, "tests", "support", "apps")
EXPRESS_PACKAGES = ["express@4.22.3", "express-session@1.18.1", "connect-redis@7.1.1", "redis@4.7.0", "passport@0.7.0"]


class Browser:
    def __init__(self, app):
        self.url, self.cookies = app.url, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path, form=None):
        """status, text"""
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            with self.opener.open(self.url + path, data, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def sign_in(self, name):
        """As people do: they looked at the application before, with a session of nobody. Whoever signs in gets another id."""
        assert self.get("/who")[0] == 401
        before = self.session()
        status, text = self.get("/sign-in", {"user": name, "password": name})
        assert status == 200 and self.session() not in (None, before), f"{name} did not sign in: {status} {text}"
        assert self.who() == name
        return self

    def session(self):
        return next((cookie.value for cookie in self.cookies), None)

    def who(self):
        status, text = self.get("/who")
        assert status in (200, 401), f"/who: {status} {text}"
        return text if status == 200 else None


class WebApp:
    """One application; owned by the World. Its processes are a group of their own and end together."""

    def __init__(self, folder, command, url=None, **environment):
        os.makedirs(folder)
        self.folder = folder
        with open(os.path.join(folder, "stderr"), "ab") as stderr:
            self.process = subprocess.Popen(command, env={**os.environ, "APP_FOLDER": folder, **environment}, cwd=folder, start_new_session=True,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        self.url = url or self._said_url()
        await_condition(f"{command[0]} answers", self._answers, 30)

    def _said_url(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        url = self.process.stdout.readline().decode().strip() if ready else ""
        assert url, f"it did not start: {self.stderr()}"
        return url

    def _answers(self):
        assert self.process.poll() is None, f"it ended: {self.stderr()}"
        try:
            return Browser(self).get("/who")[0] == 401
        except OSError:
            return False

    def stderr(self):
        with open(os.path.join(self.folder, "stderr"), encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)
        self.process.stdout.close()

    def signed_in(self, name):
        return Browser(self).sign_in(name)

    def begin_slow(self, browser):
        """A request in flight: it read the session. end() lets it go on to its end and gives its status."""
        return SlowRequest(self.folder, browser)


class SlowRequest:
    def __init__(self, folder, browser):
        self.folder, self.status = folder, None
        self.thread = threading.Thread(target=self._run, args=(browser,), daemon=True)
        self.thread.start()
        await_condition("the slow request began", lambda: os.path.exists(os.path.join(folder, "began")))

    def _run(self, browser):
        self.status = browser.get("/slow")[0]

    def end(self):
        open(os.path.join(self.folder, "release"), "w", encoding="utf-8").close()
        self.thread.join(30)
        assert self.status is not None, "the slow request did not end"
        return self.status


def express(world, redis_port):
    script = npm.prepare("express-app", EXPRESS_PACKAGES, os.path.join(APPS, "express.mjs"))
    return world.own(WebApp(world.new_folder("express"), ["node", script], APP_REDIS=str(redis_port)))


def php(world, handler, path, *extension, **options):
    """PHP's built-in server, of several workers, with its sessions in `path`. `extension` has to be loaded."""
    if shutil.which("php") is None:
        raise Skip("PHP is missing (Debian: php-cli)")
    loaded = subprocess.run(["php", "-m"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if not set(extension) <= set(loaded):
        raise Skip(f"PHP has no {' '.join(extension)} (Debian: php-redis)")
    settings = {"session.save_handler": handler, "session.save_path": path, "session.use_strict_mode": 1, **options}
    place = f"127.0.0.1:{free_port()}"
    command = ["php", *(f"-d{name}={value}" for name, value in settings.items()), "-S", place, os.path.join(APPS, "php_app.php")]
    return world.own(WebApp(world.new_folder("php"), command, f"http://{place}", PHP_CLI_SERVER_WORKERS="4"))


def _python(world, name, modules, **environment):
    missing = f"import {', '.join(modules)}"
    if subprocess.run(["/usr/bin/python3", "-c", missing], capture_output=True, check=False).returncode != 0:
        raise Skip(f"Debian's Python lacks one of {', '.join(modules)}")
    return world.own(WebApp(world.new_folder(name), ["/usr/bin/python3", os.path.join(APPS, name + ".py")], **environment))


def flask(world, redis_port):
    return _python(world, "flask_app", ["flask_session", "flask_login", "redis"], APP_REDIS=str(redis_port))


def django(world, engine, **environment):
    return _python(world, "django_app", ["django"], APP_ENGINE="django.contrib.sessions.backends." + engine, **environment)
