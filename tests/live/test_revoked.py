"""A token that ends while it is in use."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from contextlib import closing
from itertools import count

import pytest

from tests.conftest import Bus, serving

NUMBERS = count(1)
SECRET = "a household's long secret"
CHANGES = {
    "is removed": ("DELETE", "/api/agents/sue", None),
    "is renamed": ("PATCH", "/api/agents/sue", {"name": "sue-anne"}),
    "gets a token": ("POST", "/api/tokens", {"kind": "agent", "subject": "sue"}),
    "gets a compartment": ("PATCH", "/api/agents/sue", {"compartments": ["apart"]}),
    "is closed to it": ("PATCH", "/api/agents/sue", {"shared_secret": False}),
}


@pytest.fixture(scope="module")
def bus(tmp_path_factory, made_data):
    """A bus with a secret of the household and heartbeats too rare to help."""
    settings = {"BUS_SHARED_SECRET": SECRET, "BUS_HEARTBEAT_S": "60"}
    with serving(
        Bus(tmp_path_factory.mktemp("household") / "data", settings=settings), made_data
    ) as one:
        yield one


@pytest.fixture(params=CHANGES)
def change(request, bus):
    """Give an agent of its own for a test, and the call by which something of it changes."""
    what, name = request.param, f"sue-{next(NUMBERS)}"
    bus.call(bus.admin, "POST", "/api/agents", {"name": name})
    return name, json.loads(json.dumps(CHANGES[what]).replace("sue", name))


def test_a_token_that_is_revoked_while_a_body_comes_sends_nothing(bus):
    for name in ("ann", "ben"):
        bus.call(bus.admin, "POST", "/api/agents", {"name": name})
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "ann"})[1]
    ben = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "ben"})[1]
    host, _, port = bus.url.removeprefix("http://").partition(":")
    body = b'{"to": "ben", "body": "late"}'
    head = (
        f"POST /api/send HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {made['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    with closing(socket.create_connection((host, int(port)), timeout=60)) as link:
        link.sendall(head.encode() + body[:5])
        for _ in range(20):  # longer than a body takes that comes with its head
            assert bus.call(bus.admin, "GET", "/api/agents")[0] == 200
        assert bus.call(bus.admin, "DELETE", f"/api/tokens/{made['id']}")[0] == 200
        link.sendall(body[5:])
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert b" 401 " in answer.splitlines()[0]
    assert bus.call(ben["token"], "GET", "/api/inbox")[1]["items"] == []


def test_a_stream_by_the_household_s_secret_ends_at_once_when_its_agent(bus, change):
    name, call = change
    asked = urllib.request.Request(f"{bus.url}/api/stream")
    asked.add_header("X-Shared-Secret", SECRET)
    asked.add_header("X-Agent", name)
    with urllib.request.urlopen(asked, timeout=60) as stream:
        while not next(stream).startswith(b"event: ready"):
            pass
        assert bus.call(bus.admin, *call)[0] < 300
        assert b'"reason":"revoked"' in stream.read()


def test_a_request_by_the_household_s_secret_is_refused_at_once_when_its_agent(bus, change):
    name, call = change

    def ask():
        asked = urllib.request.Request(f"{bus.url}/api/whoami")
        asked.add_header("X-Shared-Secret", SECRET)
        asked.add_header("X-Agent", name)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert [ask(), ask()] == [200, 200]
    assert bus.call(bus.admin, *call)[0] < 300
    assert ask() == 401


def test_a_token_s_next_request_hears_of_what_changed(bus):
    bus.call(bus.admin, "POST", "/api/agents", {"name": "eve"})
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "eve"})[1]

    def who():
        shown = bus.call(made["token"], "GET", "/api/whoami")[1]
        return shown.get("name"), shown.get("compartments")

    assert [who(), who()] == [("eve", ["open"])] * 2
    bus.call(bus.admin, "PATCH", "/api/agents/eve", {"compartments": ["apart"]})
    assert who() == ("eve", ["apart"])
    bus.call(bus.admin, "PATCH", "/api/agents/eve", {"name": "evita"})
    assert who() == ("evita", ["apart"])
    bus.call(bus.admin, "DELETE", f"/api/tokens/{made['id']}")
    assert who() == (None, None)
