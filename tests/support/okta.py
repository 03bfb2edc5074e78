"""Event hook bodies in Okta's shape, written by hand."""

import datetime
import json
import uuid as uuids
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class User:
    id: str
    login: str
    name: str

    def renamed(self, login=None, name=None):
        return replace(self, login=login or self.login, name=name or self.name)

    def target(self):
        return {"id": self.id, "type": "User", "alternateId": self.login, "displayName": self.name, "detailEntry": None}


@dataclass(frozen=True)
class Group:
    id: str
    name: str

    def target(self):
        return {"id": self.id, "type": "UserGroup", "alternateId": "unknown", "displayName": self.name, "detailEntry": None}


_last = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
_passed = datetime.timedelta()


def let_pass(us):
    """So much time has passed since the test began, by Okta's clock."""
    global _last, _passed
    _passed = datetime.timedelta(microseconds=us)
    if us == 0:
        _last = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


def moment():
    """Now, and later than the moment before."""
    global _last
    _last = max(datetime.datetime.now(datetime.timezone.utc) + _passed, _last + datetime.timedelta(milliseconds=1))
    return text_of(_last)


def text_of(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def hours_ago(hours, seconds=0):
    """A published time in the past; `seconds` later than the full one."""
    base = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return text_of(base + datetime.timedelta(seconds=seconds))


def event(kind, *targets, published=None, uuid=None, result="SUCCESS", debug=None):
    return {
        "uuid": uuid or str(uuids.uuid4()),
        "published": published or moment(),
        "eventType": kind,
        "version": "0",
        "severity": "INFO",
        "displayMessage": kind,
        "actor": {"id": "00uadmin", "type": "User", "alternateId": "admin@example.com", "displayName": "Ada Admin", "detailEntry": None},
        "client": {"userAgent": None, "zone": "null", "device": None, "id": None, "ipAddress": "192.0.2.7", "ipChain": []},
        "outcome": {"result": result, "reason": None},
        "target": [t if isinstance(t, dict) else t.target() for t in targets] or None,
        "transaction": {"type": "WEB", "id": "Y6MOsB1cPd", "detail": {}},
        "debugContext": {"debugData": debug or {}},
        "authenticationContext": {"authenticationStep": 0, "externalSessionId": "trs1"},
        "securityContext": None,
    }


def body(*events, event_id=None):
    return json.dumps({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
        "source": "https://example.okta.com/api/v1/eventHooks/who1", "eventId": event_id or str(uuids.uuid4()),
        "data": {"events": list(events)}, "eventTime": moment(), "contentType": "application/json",
    }).encode()


# What an administrator does, as Okta reports it.

def create(user, **kw):
    return event("user.lifecycle.create", user, **kw)


def activate(user, **kw):
    return event("user.lifecycle.activate", user, **kw)


def suspend(user, **kw):
    return event("user.lifecycle.suspend", user, **kw)


def unsuspend(user, **kw):
    return event("user.lifecycle.unsuspend", user, **kw)


def deactivate(user, **kw):
    return event("user.lifecycle.deactivate", user, **kw)


def update(user, changed="login", **kw):
    return event("user.account.update_profile", user, debug={"changedAttributes": changed}, **kw)


def group_create(group, **kw):
    return event("group.lifecycle.create", group, **kw)


def group_rename(group, **kw):
    return event("group.profile.update", group, **kw)


def group_delete(group, **kw):
    return event("group.lifecycle.delete", group, **kw)


def member_add(user, group, **kw):
    return event("group.user_membership.add", user, group, **kw)


def member_remove(user, group, **kw):
    return event("group.user_membership.remove", group, user, **kw)  # the group first: position means nothing
