#!/usr/bin/python3
"""An application on Django with its own users and sessions, in an SQLite database of its own.

Environment: APP_FOLDER, APP_ENGINE (the module of the sessions), APP_MEMCACHED (port of the cache, where there is one).
Prints its URL once it listens.
"""

import os
import sys
import time

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

FOLDER = os.environ["APP_FOLDER"]

caches = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
if "APP_MEMCACHED" in os.environ:
    caches = {"default": {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "127.0.0.1:" + os.environ["APP_MEMCACHED"]}}
settings.configure(
    SECRET_KEY="cookie-secret", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, CACHES=caches, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SESSION_ENGINE=os.environ["APP_ENGINE"], SESSION_FILE_PATH=FOLDER, PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(FOLDER, "app.db"), "OPTIONS": {"timeout": 10}}})
django.setup()

from django.contrib import auth  # noqa: E402, once Django is set up
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402


def sign_in(request):
    """The password is the name. Django gives the session a new key."""
    user = auth.authenticate(request, username=request.POST["user"], password=request.POST["password"])
    if user is None:
        return HttpResponse(status=403)
    auth.login(request, user)
    return HttpResponse("welcome")


def who(request):
    return HttpResponse(request.user.username) if request.user.is_authenticated else HttpResponse("nobody", status=401)


def slow(request):
    if not request.user.is_authenticated:
        return HttpResponse("nobody", status=401)
    open(os.path.join(FOLDER, "began"), "w", encoding="utf-8").close()
    while not os.path.exists(os.path.join(FOLDER, "release")):
        time.sleep(0.01)
    request.session["slow"] = time.time()
    return HttpResponse(request.user.username)


urlpatterns = [path("sign-in", sign_in), path("who", who), path("slow", slow)]
call_command("migrate", verbosity=0)
# ids of which one begins like the other, as their names do
for number, name in ((1, "ann"), (11, "anna")):
    User.objects.create_user(name, f"{name}@example.com", password=name, id=number)
server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
server.set_app(get_wsgi_application())
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stderr = open(os.path.join(FOLDER, "requests"), "a", encoding="utf-8", buffering=1)
server.serve_forever()
