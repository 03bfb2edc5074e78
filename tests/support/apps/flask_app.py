#!/usr/bin/python3
"""An application on Flask-Session with Redis, where Flask-Login signs people in.

Environment: APP_REDIS (port), APP_FOLDER. Prints its URL once it listens.
"""

import os
import time

import flask
import flask_login
import redis
from flask_session import Session
from werkzeug.serving import make_server

FOLDER = os.environ["APP_FOLDER"]

app = flask.Flask(__name__)
app.config.update(SECRET_KEY="cookie-secret", SESSION_TYPE="redis", SESSION_REDIS=redis.Redis("127.0.0.1", int(os.environ["APP_REDIS"])))
Session(app)
logins = flask_login.LoginManager(app)


class Person(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


@logins.user_loader
def load(name):
    return Person(name)


@app.post("/sign-in")
def sign_in():
    """The password is the name: whose session it becomes is what matters here."""
    name = flask.request.form["user"]
    if flask.request.form["password"] != name:
        flask.abort(403)
    old = flask.session
    app.session_interface.redis.delete(app.session_interface.key_prefix + old.sid)
    old.clear()
    old.sid = app.session_interface._generate_sid()  # this version cannot regenerate by itself
    flask_login.login_user(Person(name))
    return "welcome"


@app.get("/who")
def who():
    user = flask_login.current_user
    return (user.id, 200) if user.is_authenticated else ("nobody", 401)


@app.get("/slow")
@flask_login.login_required
def slow():
    name = flask_login.current_user.id
    open(os.path.join(FOLDER, "began"), "w", encoding="utf-8").close()
    while not os.path.exists(os.path.join(FOLDER, "release")):
        time.sleep(0.01)
    flask.session["slow"] = time.time()
    return name


server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
